"""An archive that is being unpacked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meta_audit.record.source_log import SourceEnded

if TYPE_CHECKING:
    from meta_audit.sources import Archive


@dataclass(slots=True)
class Unpacking:
    """Gather what happened to the members of an archive."""

    archive: Archive
    number: int = 0
    """Its number in the run, 0 until a member was worth it."""
    _incomplete: Counter[str] = field(default_factory=Counter)
    _read: int = 0

    def note(self, end: SourceEnded) -> None:
        """Note how a member ended."""
        if end.source != self.number and end.status != "complete":
            self._incomplete[end.status] += 1

    def advance(self) -> int:
        """Count the bytes of the archive read since the last call."""
        before, self._read = self._read, self.archive.bytes_read
        return self._read - before

    def end(self) -> SourceEnded:
        """Say how it ended. Only one whose members were all complete has no message."""
        archive, counts = self.archive, sorted(self._incomplete.items())
        message = archive.truncated or ", ".join(f"members {kind}: {n}" for kind, n in counts)
        status = "truncated" if archive.truncated else "complete"
        return SourceEnded(self.number, status, message, archive.bytes_read, archive.sha256)
