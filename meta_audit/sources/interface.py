"""Define the interface of every source, and the results of a search for sources.

A new kind of source is one file: a subclass of `Source`, or of `stream.ByteStream` when its
content is one stream of bytes. It brings bytes; `meta_audit.cut` says what a record is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeAlias

from msgspec import Struct

from meta_audit.cut.blocks import Item, Partial


class Stamp(Struct, frozen=True):
    """Identify a state of a source without reading its content.

    Equal stamps of one source mean that its content is most likely unchanged.
    """

    path: str
    """Path to read it again."""
    size: int
    """Bytes as stored, compressed if they are."""
    modified_at: int
    """Nanoseconds since 1970 UTC."""
    device: int
    inode: int


class Source(ABC):
    """Something that holds documents. `batches` opens it, reads it and closes it."""

    uri: str
    """The source as the user would recognise it."""
    stamp: Stamp | None = None
    """None for a source that is not a file."""
    is_repeatable: bool = False
    """It can be read again, though it is no file that stands still. It ends when a signal comes."""
    bytes_read: int = 0
    """Bytes consumed so far, compressed if they are."""
    sha256: bytes = b""
    """Hash of those bytes, set when the last batch was taken."""
    remembered: bytes = b""
    """Hash of its bytes, if something tells it without reading them, as an ETag does."""
    is_live: bool = False
    """Tell whether it comes little by little, from a sender that may let us wait."""
    is_stopping: Callable[[], bool] = staticmethod(lambda: False)
    """Tells a live source that somebody wants to stop: it ends as if all had come."""
    partial: Partial | None = None
    """The source's own word that more would follow. Complete after the last batch."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"

    @property
    def path(self) -> str | None:
        """Return where the source can be read again, or None."""
        return self.stamp.path if self.stamp else None

    @property
    def size(self) -> int | None:
        """Return the bytes as stored, or None when nobody knows."""
        return self.stamp.size if self.stamp else None

    @abstractmethod
    def batches(self) -> Iterator[list[Item]]:
        """Read the source, and yield its documents and rejections in lists of about a block.

        Raises `SourceError` when the source cannot be read, is refused, or changed meanwhile.
        What was yielded until then was in the source.
        """

    def digest(self) -> bytes:
        """Return the SHA-256 of its bytes, read for that; nothing where that is not worth it."""
        return b""

    def documents(self) -> Iterator[Item]:
        """Yield what `batches` does, one by one."""
        for batch in self.batches():
            yield from batch

    def wait(self, seconds: float) -> bool:  # noqa: ARG002 - for sources that have to wait
        """Wait for input. Return False when the next batch would have to wait even longer."""
        return True


class Skipped(Struct, frozen=True):
    """A file or directory that was passed over. `why` is a short kind, to count by."""

    uri: str
    why: str


class Unreadable(Struct, frozen=True):
    """A source that cannot be read. `code` is a name from `catalogue.SOURCE_ERRORS`."""

    uri: str
    code: str
    message: str
    """For a person, without the URI."""
    advice: str = ""


class Archive(ABC):
    """A file whose members are sources. It is read again by reading its members again."""

    uri: str
    stamp: Stamp
    sha256: bytes = b""
    """Hash of the file, set when the last member was taken."""
    truncated: str = ""
    """Reason to think that there were more members. Known when the last one was taken."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"

    @property
    @abstractmethod
    def bytes_read(self) -> int:
        """Return the bytes of the file consumed so far."""

    @abstractmethod
    def members(self) -> Iterator[Source | Skipped | Unreadable]:
        """Yield the members, in the order of the archive: read each before the next is asked for.

        Raises `SourceError` when the archive cannot be read on, or changed meanwhile. What was
        yielded until then was in it.
        """


Discovered: TypeAlias = Source | Skipped | Unreadable | Archive
