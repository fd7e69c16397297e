"""A file of lines that was read before, and has grown since: only what is new is cut."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from msgspec import Struct, structs

from meta_audit.cut.blocks import BLOCK_BYTES, Item
from meta_audit.errors import SourceError
from meta_audit.model import Rejection
from meta_audit.sources.files import File, open_file
from meta_audit.sources.interface import Source
from meta_audit.sources.stream import unreadable


class Prefix(Struct, frozen=True):
    """An earlier reading of a file of lines."""

    size: int
    """Bytes that were read."""
    sha256: bytes
    """Of those bytes."""
    torn: int
    """Bytes of the last line, if it was torn: they are read again."""
    documents: int
    """Documents before those bytes."""


class GrownFile(File):
    """The rest of a file, with the ordinals, lines and hash of the whole."""

    def __init__(self, source: Source, path: str, prefix: Prefix, digest: Any, lines: int) -> None:
        super().__init__(path)
        self.uri, self.stamp = source.uri, source.stamp
        self._prefix = prefix
        self._digest = digest
        self._lines = lines

    def batches(self) -> Iterator[list[Item]]:
        """Yield the documents that are new, numbered as in the whole file."""
        for batch in super().batches():
            items = [
                structs.replace(
                    item,
                    ordinal=item.ordinal + self._prefix.documents,
                    line=item.line + self._lines,
                )
                for item in batch
                if not (isinstance(item, Rejection) and item.reason == "empty")
            ]
            if items:
                yield items

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open the file where the new bytes begin."""
        with super().opened() as file:
            file.seek(self._prefix.size - self._prefix.torn)
            yield file

    def _begin(self) -> tuple[Any, int]:
        return self._digest.copy(), self._prefix.size - self._prefix.torn


def may_grow(source: Source) -> bool:
    """Tell whether a source is a plain file of lines, by its name."""
    return source.stamp is not None and source.uri.lower().endswith((".ndjson", ".jsonl"))


def find_grown(source: Source, prefix: Prefix, block_bytes: int = BLOCK_BYTES) -> GrownFile | None:
    """Return the rest of a file that begins with bytes that were read before, else None.

    Raises `SourceError` where it cannot be read.
    """
    stamp = source.stamp
    if stamp is None or stamp.size <= prefix.size:
        return None
    whole, lines, left = hashlib.sha256(), 0, prefix.size - prefix.torn
    try:
        with open_file(stamp.path) as file:
            if not left or os.pread(file.fileno(), 1, 0) not in (b"{", b"["):
                return None  # compressed, perhaps, or with a mark before it
            if os.pread(file.fileno(), 1, left - 1) != b"\n":
                return None
            while left:
                block = file.read(min(block_bytes, left))
                if not block:
                    return None
                whole.update(block)
                lines += block.count(b"\n")
                left -= len(block)
            digest = whole.copy()
            whole.update(os.pread(file.fileno(), prefix.torn, prefix.size - prefix.torn))
    except OSError as error:
        failed = unreadable(error)
        raise SourceError(failed.code, f"{source.uri}: {failed}", advice=failed.advice) from error
    if whole.digest() != prefix.sha256:
        return None
    return GrownFile(source, stamp.path, prefix, digest, lines)
