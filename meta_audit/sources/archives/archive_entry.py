"""Define what a reader of archives gives: one member after the other, as they come."""

from __future__ import annotations

from abc import ABC, abstractmethod


class ArchiveEntry(ABC):
    """A member of an archive. It is read before the next one is asked for."""

    name: str
    """Its path as it stands in the archive."""
    skipped: str = ""
    """Reason to pass it over, as a link."""
    refused: str = ""
    """Reason that it cannot be read."""

    @abstractmethod
    def head(self, size: int) -> bytes:
        """Return its first bytes, without consuming them.

        Raises `SourceError` (`archive.broken`) where there are none but damaged ones.
        """

    @abstractmethod
    def read(self, size: int) -> bytes:
        """Return its next bytes, at most `size`; nothing at the end.

        Raises `BadEnding` where the archive ends or is damaged before the member is complete.
        """
