"""Sources whose content is one stream of bytes: counted, hashed, decompressed, cut."""

from __future__ import annotations

import errno
import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any, BinaryIO, Final

from meta_audit.cut.blocks import BLOCK_BYTES, BadEnding, Item
from meta_audit.errors import SourceError
from meta_audit.sources.compression import Budget, Expansion
from meta_audit.sources.content import open_content
from meta_audit.sources.cut_content import cut_documents
from meta_audit.sources.interface import Source, Stamp

PAUSE_SECONDS: Final = 0.5
"""Wait so long for a sender, then go on with the bytes at hand."""


class ByteStream(Source):
    """One stream of bytes, compressed or not, that `opened` gives."""

    def __init__(
        self,
        uri: str,
        *,
        stamp: Stamp | None = None,
        budget: Expansion | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self.uri = uri
        self.stamp = stamp
        self._budget = budget or Budget()
        self._block_bytes = block_bytes

    @abstractmethod
    def opened(self) -> AbstractContextManager[BinaryIO]:
        """Open the bytes; on a normal exit, check that they did not change meanwhile."""

    def batches(self) -> Iterator[list[Item]]:
        """Read the source as `Source.batches` says.

        Raises `SourceError`: before the first batch when it cannot be opened, and
        `archive.broken`; on the way `archive.budget` and `source.unreadable`; after the last
        one `source.changed`.
        """
        try:
            with self.opened() as file:
                raw = self._raw(file)
                blocks = open_content(raw, self._budget, is_live=self.is_live)
                self.partial = None
                for batch in cut_documents(blocks, self.uri):
                    self.partial = blocks.partial
                    yield batch
                self.partial = blocks.partial
                with suppress(BadEnding):  # what follows after damage: it belongs to the hash
                    for _ in raw:
                        pass
        except SourceError as error:
            raise SourceError(error.code, f"{self.uri}: {error}", advice=error.advice) from error

    def _begin(self) -> tuple[Any, int]:
        """Return the hash and the count of the bytes before the first that is read."""
        return hashlib.sha256(), 0

    def _read(self, file: BinaryIO) -> bytes:
        """Return the next bytes, nothing at the end."""
        # A pipe is read as it fills: waiting for whole blocks would hold back what is there.
        read: Callable[[int], bytes] = getattr(file, "read1", file.read)
        return read(self._block_bytes)

    def _raw(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield the bytes as they are stored, counted and hashed; nothing when none come."""
        sha256, self.bytes_read = self._begin()
        self.sha256 = b""
        try:
            while not self.is_stopping():
                if not self.wait(PAUSE_SECONDS):
                    yield b""
                    continue
                block = self._read(file)
                if not block:
                    break
                sha256.update(block)
                self.bytes_read += len(block)
                yield block
        except (OSError, ValueError) as error:
            raise unreadable(error) from error
        self.sha256 = sha256.digest()


def unreadable(error: OSError | ValueError) -> SourceError:
    """Return the `SourceError` that repeats what the operating system said."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SourceError("source.missing", "no such file or directory", advice="Check the path.")
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return SourceError("source.not_regular", "a loop of symbolic links")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SourceError(
        "source.unreadable",
        f"cannot be read: {reason}",
        advice="Check your permission to read it, and that the disk is sound.",
    )
