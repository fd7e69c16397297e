"""Standard input, any other stream that is already open, and named pipes."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from meta_audit.cut.blocks import BLOCK_BYTES
from meta_audit.errors import SourceError
from meta_audit.sources.compression import Budget
from meta_audit.sources.files import display
from meta_audit.sources.stream import ByteStream, unreadable


class StandardInput(ByteStream):
    """A stream that is open already and stays open; by default the process's own input.

    It can be read only once.
    """

    is_live = True

    def __init__(
        self,
        stream: BinaryIO | None = None,
        *,
        uri: str = "stdin",
        budget: Budget | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        super().__init__(uri, budget=budget, block_bytes=block_bytes)
        self._stream = stream

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Give the stream. Raises `SourceError` when the process has no standard input."""
        if self._stream is None and sys.stdin is None:
            raise SourceError("source.missing", "there is no standard input")
        yield self._stream or sys.stdin.buffer

    def wait(self, seconds: float) -> bool:
        """Wait for input. Return False when nothing came; the end of the input is something."""
        stream = self._stream or sys.stdin.buffer
        try:
            poll = select.poll()
            poll.register(stream.fileno(), select.POLLIN)
        except (OSError, ValueError, AttributeError):  # not from a file: nothing to wait for
            return True
        return bool(poll.poll(seconds * 1000))


class NamedPipe(StandardInput):
    """A FIFO, or what a shell names for a process substitution. It can be read only once."""

    def __init__(
        self, path: str, *, budget: Budget | None = None, block_bytes: int = BLOCK_BYTES
    ) -> None:
        super().__init__(uri=display(path), budget=budget, block_bytes=block_bytes)
        self._path = path

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open it, which waits for a writer. Raises `SourceError`."""
        try:
            stream = os.fdopen(os.open(self._path, os.O_RDONLY | os.O_CLOEXEC), "rb", buffering=0)
        except OSError as error:
            raise unreadable(error) from error
        with stream:
            self._stream = stream
            yield stream


def is_pipe(path: str) -> bool:
    """Tell whether a path names a pipe."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
