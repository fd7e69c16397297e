"""Streams that a server sends: remembered by what their server calls their state."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from meta_audit.cut.blocks import BLOCK_BYTES, Item
from meta_audit.errors import SourceError
from meta_audit.sources.stream import ByteStream

if TYPE_CHECKING:
    from meta_audit.sources.compression import Budget
    from meta_audit.sources.content_memory import ContentMemory


class Body:
    """The bytes of a stream that is being read."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._head: bytes | None = None

    def head(self) -> bytes:
        """Return the first block, which is read again. Raises `SourceError`."""
        if self._head is None:
            self._head = self.read(0)
        return self._head

    def read(self, _: int) -> bytes:
        """Return the next block, nothing at the end. Raises `SourceError`."""
        if self._head is not None:
            block, self._head = self._head, None
            return block
        return next(self._blocks, b"")


class RemoteStream(ByteStream):
    """A stream in the state in which it was found: with a size and a strong ETag, if known."""

    def __init__(
        self,
        uri: str,
        size: int | None,
        etag: str,
        memory: ContentMemory,
        key: str,
        *,
        budget: Budget | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        """Name it; equal values of `etag` stand for equal bytes, "" is none.

        `key` is its name in the memory.
        """
        super().__init__(uri, budget=budget, block_bytes=block_bytes)
        self._size = size
        self.etag = etag
        self._memory = memory
        self._key = key
        self._mark = f"{size} {etag}" if etag else ""
        self._body: Body | None = None
        self.remembered = memory.sha256(key, self._mark)

    @property
    def size(self) -> int | None:
        """Return the bytes as stored."""
        return self._size

    @abstractmethod
    def blocks(self) -> Iterator[bytes]:
        """Ask for the bytes, and yield them in blocks. Raises `SourceError`."""

    def head(self) -> bytes:
        """Return its first block, and go on from there when it is read. Raises `SourceError`."""
        self._body = Body(self.blocks())
        return self._body.head()

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open it; raise `SourceError` (`source.changed`) when it is another one by now."""
        body, self._body = self._body or Body(self.blocks()), None
        body.head()
        yield cast("BinaryIO", body)
        if self.size is not None and self.bytes_read != self.size:
            message = f"{self.bytes_read} bytes came of {self.size}"
            raise SourceError("source.changed", message, advice="Run the command again.")

    def batches(self) -> Iterator[list[Item]]:
        """Read it as `ByteStream.batches` says, and remember what its ETag stands for."""
        yield from super().batches()
        self._memory.remember(self._key, self._mark, self.sha256)
