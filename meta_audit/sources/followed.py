"""Follow a file that grows, with the meaning of `tail -F`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from meta_audit.cut.blocks import BLOCK_BYTES
from meta_audit.sources.files import display, open_file
from meta_audit.sources.interface import Source
from meta_audit.sources.stream import ByteStream

_POLL_SECONDS: Final = 0.1
_COMPARED: Final = 1_024
"""Last bytes that were read, which tell whether the file was written anew."""


def follow(path: str, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Source]:
    """Yield the file, and after each time that it was replaced or truncated the new one."""
    while True:
        yield FollowedFile(path, block_bytes=block_bytes)


class FollowedFile(ByteStream):
    """A file that grows.

    It ends when another file has its name, or when it was truncated. It may have grown again
    since: then other bytes stand before the place that was reached.
    """

    is_live = True
    is_repeatable = True

    def __init__(self, path: str, *, block_bytes: int = BLOCK_BYTES) -> None:
        super().__init__(display(path), block_bytes=block_bytes)
        self._path = path
        self._file: BinaryIO | None = None
        self._last = b""

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open the file. Raises `SourceError` as `open_file` does."""
        with open_file(self._path) as file:
            self._file = file
            yield file

    def _read(self, file: BinaryIO) -> bytes:
        """Read the next bytes; nothing once those before them are others."""
        if self._is_overwritten(file):
            return b""
        block = super()._read(file)
        self._last = (self._last + block)[-_COMPARED:]
        return block

    def wait(self, seconds: float) -> bool:
        """Wait for more bytes, or for the end of the file."""
        end = time.monotonic() + seconds
        while not (self._has_more() or self._has_ended()):
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _has_more(self) -> bool:
        if self._file is None:
            found = _status(self._path)
            return found is not None and found.st_size > 0
        return os.fstat(self._file.fileno()).st_size > self.bytes_read

    def _has_ended(self) -> bool:
        """Tell whether it was truncated, or another file has its name."""
        if self._file is None:
            return False
        own, named = os.fstat(self._file.fileno()), _status(self._path)
        is_replaced = named is not None and not os.path.samestat(own, named)
        is_truncated = own.st_size < self.bytes_read
        return is_replaced or is_truncated or self._is_overwritten(self._file)

    def _is_overwritten(self, file: BinaryIO) -> bool:
        before = len(self._last)
        return os.pread(file.fileno(), before, self.bytes_read - before) != self._last


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
