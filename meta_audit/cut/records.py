"""The one way from a source's content to its records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from meta_audit.cut.blocks import Blocks, Item, Record
from meta_audit.cut.detect import HEAD_BYTES, ContentKind, detect, kind_of_name
from meta_audit.cut.json import split_json
from meta_audit.cut.leading import find_leading, leading_rejection
from meta_audit.cut.ndjson import split_ndjson
from meta_audit.cut.notices import what_else
from meta_audit.cut.yaml import split_yaml
from meta_audit.model import Rejection

_SPLIT: Final[dict[ContentKind, Callable[[Blocks, int, int], Iterator[list[Item]]]]] = {
    "json": split_json,
    "yaml": split_yaml,
}
"""Functions that cut from an ordinal and a line on."""


def cut_records(blocks: Blocks, name: str) -> Iterator[list[Item]]:
    """Yield the documents and rejections that the content holds, in lists of about a block.

    `name` helps where the content leaves a choice. Content that ends too early, or goes on
    after its end, gives one more rejection.
    """
    kind = detect(blocks, name)
    last: Item | None = None
    for batch in _cut(blocks, name, kind):
        last = batch[-1]
        yield batch
    damage = blocks.damage
    if damage is not None and not (isinstance(last, Rejection) and last.reason == "truncated"):
        ended = damage.trailing or Record(0, 0, last.format if last else "json")
        ended.ordinal = last.ordinal + 1 if last else 1
        ended.line = last.line if last else 1
        yield [ended.rejection(damage.reason, damage.message)]


def _cut(blocks: Blocks, name: str, kind: ContentKind) -> Iterator[list[Item]]:
    if kind == "ndjson":
        yield from split_ndjson(blocks)
    elif kind not in _SPLIT:
        yield from _whole(blocks, name, kind)
    elif leading := find_leading(blocks):
        before = leading_rejection(blocks, leading)
        yield [before]
        yield from _SPLIT[leading.kind](blocks, 2, 1 + before.content.count(b"\n"))
    else:
        yield from _SPLIT[kind](blocks, 1, 1)


def _whole(blocks: Blocks, name: str, kind: ContentKind) -> Iterator[list[Item]]:
    """Yield everything as one rejection, or as a document for `meta_audit.decode` to refuse."""
    named = kind_of_name(name)
    is_text = kind == "no document"
    message = what_else(blocks.peek(HEAD_BYTES, to_pause=True)[:HEAD_BYTES]) if is_text else ""
    is_yaml = named == "yaml" or (is_text and named is None)
    record = Record(1, 1, "yaml" if is_yaml else "json")
    for block in blocks:
        record.add(block)
    yield [record.rejection(f"{record.format}.syntax", message) if message else record.finish()]
