"""Standard input, and any other stream that is already open."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from meta_audit.cut.blocks import BLOCK_BYTES
from meta_audit.errors import SourceError
from meta_audit.sources.compression import Budget
from meta_audit.sources.stream import ByteStream


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
