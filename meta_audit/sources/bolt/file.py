"""BoltDB files on disk, of any size."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import BinaryIO

from meta_audit.cut.blocks import Item
from meta_audit.errors import SourceError
from meta_audit.sources.bolt.cut_bolt import cut_bolt
from meta_audit.sources.bolt.tree import ReadAt
from meta_audit.sources.files import File
from meta_audit.sources.stream import unreadable


class BoltFile(File):
    """A BoltDB file. Its pages are read where they stand, without a lock."""

    def batches(self) -> Iterator[list[Item]]:
        """Read the database as `cut_bolt` says; raise `SourceError` also as `File` does."""
        self.bytes_read, self.sha256 = 0, b""
        try:
            with self.opened() as file:
                size = os.fstat(file.fileno()).st_size
                digest = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
                self.bytes_read = size
                yield from cut_bolt(reader(file), size)
                self.sha256 = digest
        except OSError as error:
            failed = unreadable(error)
            raise SourceError(failed.code, f"{self.uri}: {failed}", advice=failed.advice) from error
        except SourceError as error:
            raise SourceError(error.code, f"{self.uri}: {error}", advice=error.advice) from error


def reader(file: BinaryIO) -> ReadAt:
    """Return a function that reads a file at any place. It raises `OSError`."""
    descriptor = file.fileno()
    return lambda offset, size: os.pread(descriptor, size, offset)
