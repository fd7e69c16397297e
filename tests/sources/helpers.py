"""What the tests of `meta_audit.sources` share."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator

import zstandard
from hypothesis import settings

from meta_audit.cut.blocks import Blocks, Item
from meta_audit.model import Document, Rejection
from meta_audit.sources import StandardInput

FEW = settings(max_examples=settings().max_examples // 2)
"""For properties whose examples are long."""

Split = Callable[[Blocks], Iterator[list[Item]]]


def blocks(data: bytes, size: int = 1 << 18) -> Blocks:
    return Blocks([data[at : at + size] for at in range(0, len(data), size)])


def split(splitter: Split, data: bytes, size: int = 1 << 18) -> list[Item]:
    return [item for batch in splitter(blocks(data, size)) for item in batch]


def contents(items: list[Item]) -> list[bytes]:
    """The contents of the documents; fails when one was rejected."""
    assert all(isinstance(item, Document) for item in items), items
    return [item.content for item in items]


def good(items: list[Item]) -> list[bytes]:
    return [item.content for item in items if isinstance(item, Document)]


def reasons(items: list[Item]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Rejection)]


def assert_numbered(items: list[Item]) -> None:
    assert [item.ordinal for item in items] == list(range(1, len(items) + 1))


def read(data: bytes, name: str = "stdin", **options: object) -> list[Item]:
    """Read bytes as a source of this name."""
    source = StandardInput(io.BytesIO(data), uri=name, **options)  # type: ignore[arg-type]
    return list(source.documents())


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(data)


def assert_short(err: str) -> None:
    """What was refused and what to do; the first import also names the key, in two lines."""
    said = [line for line in err.splitlines() if "key" not in line]
    assert [line[:2] for line in said] == ["Re", "  "], err
    assert len(said[0]) < 400, err
