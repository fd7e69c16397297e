"""Read exact numbers of bytes from a stream of blocks."""

from __future__ import annotations

from meta_audit.cut.blocks import Blocks
from meta_audit.errors import SourceError


class ByteCursor:
    """A place in a stream of blocks."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._buffer = b""
        self._at = 0
        self._error: SourceError | None = None

    def peek(self, size: int) -> bytes:
        """Return the next bytes without consuming them; fewer at the end."""
        while len(self._buffer) - self._at < size and self._fill():
            pass
        return self._buffer[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        """Return the next bytes; fewer at the end."""
        data = self.peek(size)
        self._at += len(data)
        return data

    def piece(self, size: int) -> bytes:
        """Return what is at hand of the next bytes, at most `size`; nothing at the end."""
        if self._at == len(self._buffer):
            self._fill()
        return self.take(min(size, len(self._buffer) - self._at))

    def skip(self, size: int) -> int:
        """Pass over the next bytes, and return how many of them were missing."""
        while size and (piece := self.piece(size)):
            size -= len(piece)
        return size

    def _fill(self) -> bool:
        """Append the next block. Raises the same `SourceError` again and again."""
        if self._error:
            raise self._error
        try:
            block = next(self._blocks, b"")
        except SourceError as error:
            self._error = error
            raise
        self._buffer = self._buffer[self._at :] + block
        self._at = 0
        return bool(block)
