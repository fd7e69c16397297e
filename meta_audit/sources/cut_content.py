"""Cut whatever content a source has into documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meta_audit.cut.blocks import Blocks, Item
from meta_audit.cut.records import cut_records
from meta_audit.errors import SourceError
from meta_audit.sources.bolt.cut_bolt import cut_bolt, is_bolt

MAX_IN_MEMORY: Final = 256 << 20
"""Largest BoltDB file that is read from a stream: its pages are needed in any order."""
_HEAD: Final = 32


def cut_documents(blocks: Blocks, name: str) -> Iterator[list[Item]]:
    """Yield the documents and rejections that the content holds, in lists of about a block.

    `name` helps where the content leaves a choice. Raises `SourceError` as `cut_bolt` does.
    """
    if is_bolt(blocks.peek(_HEAD, to_pause=True)):
        data = _whole(blocks)
        return cut_bolt(lambda offset, size: bytes(data[offset : offset + size]), len(data))
    return cut_records(blocks, name)


def _whole(blocks: Blocks) -> memoryview:
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) > MAX_IN_MEMORY:
            raise SourceError(
                "archive.budget",
                f"a BoltDB file above {MAX_IN_MEMORY} bytes is not read from a stream",
                advice="Unpack it to a file, and give the file.",
            )
    if blocks.damage is not None:
        raise SourceError("database.broken", f"the BoltDB file: {blocks.damage.message}")
    return memoryview(data)
