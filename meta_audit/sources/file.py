"""One source: a file or a stream, read once, to documents and rejections."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from meta_audit.cut.blocks import BLOCK_BYTES, Blocks, Item, Record
from meta_audit.cut.detect import Kind, detect, kind_of_name
from meta_audit.cut.json import split_json
from meta_audit.cut.ndjson import split_ndjson
from meta_audit.cut.yaml import split_yaml
from meta_audit.errors import SourceError
from meta_audit.model import Rejection
from meta_audit.sources.compression import Budget, open_blocks
from meta_audit.sources.regular_file import open_file, unreadable

_SPLIT: Final[dict[Kind, Callable[[Blocks], Iterator[list[Item]]]]] = {
    "ndjson": split_ndjson,
    "json": split_json,
    "yaml": split_yaml,
}


class Source:
    """Something that holds documents. Made by `find`; opened when `batches` is iterated.

    `uri` is the source as the user would recognise it; `size` its bytes on disk, None for a
    stream. `bytes_read` counts the bytes consumed so far, compressed if they are. `sha256` is
    the hash of those bytes, once the last batch has been taken.
    """

    def __init__(
        self,
        uri: str,
        *,
        path: str | None = None,
        stream: BinaryIO | None = None,
        size: int | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.uri = uri
        self.size = size
        self.path = path
        self.bytes_read = 0
        self.sha256 = b""
        self._stream = stream
        self._budget = budget or Budget()

    def __repr__(self) -> str:
        return f"Source({self.uri!r})"

    def documents(self) -> Iterator[Item]:
        """Yield what `batches` does, one by one."""
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[list[Item]]:
        """Read the source, and yield its documents and rejections in lists of about a block.

        Raises `SourceError`: before the first batch as `open_file` does, and `archive.broken`;
        on the way `archive.budget` and `source.unreadable`; after the last one
        `source.changed`. What was yielded until then was in the source.
        """
        try:
            yield from self._batches()
        except SourceError as error:
            raise SourceError(error.code, f"{self.uri}: {error}", advice=error.advice) from error

    def _batches(self) -> Iterator[list[Item]]:
        file = self._stream if self.path is None else open_file(self.path)
        if file is None:
            raise SourceError("source.missing", "neither a path nor a stream")
        try:
            before = None if self.path is None else os.fstat(file.fileno())
            yield from self._read(file)
            if before is not None:
                self._check_unchanged(before, os.fstat(file.fileno()))
        finally:
            if self.path is not None:
                file.close()

    def _read(self, file: BinaryIO) -> Iterator[list[Item]]:
        raw = self._raw(file)
        blocks = open_blocks(raw, self._budget)
        kind = detect(blocks, self.uri)
        last: Item | None = None
        for batch in _whole(blocks, self.uri) if kind == "utf-16" else _SPLIT[kind](blocks):
            last = batch[-1]
            yield batch
        damage = blocks.damage
        if damage is not None and not (isinstance(last, Rejection) and last.reason == "truncated"):
            ended = damage.trailing or Record(0, 0, last.format if last else "json")
            ended.ordinal = last.ordinal + 1 if last else 1
            ended.line = last.line if last else 1
            yield [ended.rejection(damage.reason, damage.message)]
        for _ in raw:  # what follows after damage: it belongs to the hash
            pass

    def _raw(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield the bytes as they are on disk, counted and hashed."""
        # A pipe is read as it fills: waiting for whole blocks would hold back what is there.
        read = getattr(file, "read1", file.read)
        sha256 = hashlib.sha256()
        self.bytes_read = 0
        self.sha256 = b""
        try:
            while block := read(BLOCK_BYTES):
                sha256.update(block)
                self.bytes_read += len(block)
                yield block
        except (OSError, ValueError) as error:
            raise unreadable(error) from error
        self.sha256 = sha256.digest()

    def _check_unchanged(self, before: os.stat_result, after: os.stat_result) -> None:
        if self.bytes_read == after.st_size and (
            (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        ):
            return
        raise SourceError(
            "source.changed",
            f"it changed while it was read ({before.st_size} bytes before, {after.st_size} "
            f"after, {self.bytes_read} read)",
            advice="Read it again when nothing writes to it, or take a copy first.",
        )


def _whole(blocks: Blocks, name: str) -> Iterator[list[Item]]:
    """Yield everything as one document, for `meta_audit.decode` to say what is wrong with it."""
    record = Record(1, 1, "yaml" if kind_of_name(name) == "yaml" else "json")
    for block in blocks:
        record.add(block)
    yield [record.finish()]
