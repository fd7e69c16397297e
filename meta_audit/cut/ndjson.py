"""NDJSON: one document per line; a bad line never affects its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, repeat
from typing import Final

from meta_audit.cut.blocks import Blocks, Item, Record, whole_lines
from meta_audit.cut.json import JsonSplitter, end_of_value
from meta_audit.model import LIST_FIELDS, Document, Format

_FORMAT: Final[Format] = "json"
_PREFIX: Final = 8
_BATCH_LINES: Final = 8192
"""Most records of one batch: a block of tiny lines would be half a million."""
_LIST_STARTS: Final = tuple(f'{{"{name}"'.encode() for name in sorted({*LIST_FIELDS, "nexttoken"}))


def split_ndjson(blocks: Blocks) -> Iterator[list[Item]]:
    """Yield the documents of each block: a non-blank line each, without its line end.

    A line that is itself a list or a page of jobs is cut into its elements.
    """
    ordinal = line = 1
    long: Record | None = None
    for chunk in whole_lines(blocks):
        text = chunk
        if not text.endswith(b"\n"):
            long = long or Record(ordinal, line, "json")
            long.add(text)
            continue
        items: list[Item] = []
        if long is not None:
            head, _, text = text.partition(b"\n")
            long.add(head.removesuffix(b"\r"))
            items, ordinal = _cut(long.finish(), ordinal)
            long = None
            line += 1
        if text.isspace():
            line += text.count(b"\n")
            text = b""
        lines = text.split(b"\n")
        lines.pop()  # what follows the last line end: nothing
        if b"\r" in text:  # a search for both bytes takes fifty times as long
            lines = [each.removesuffix(b"\r") for each in lines]
        if items:
            yield items
        for start in range(0, len(lines), _BATCH_LINES):
            batch = lines[start : start + _BATCH_LINES]
            if any(map(_is_special, {each[:_PREFIX] for each in batch})):
                items = []
                for number, each in enumerate(batch, line):
                    cut, ordinal = _cut(Document(each, ordinal, number, "json"), ordinal)
                    items += cut
            else:
                items = list(map(Document, batch, count(ordinal), count(line), repeat(_FORMAT)))
                ordinal += len(batch)
            line += len(batch)
            if items:
                yield items
    if long is not None and long.content.strip():
        yield _last(long, cut=blocks.cut)
        ordinal += 1
    if ordinal == 1 and not blocks.cut:
        yield [Record(1, 1, "json").rejection("empty", "nothing but white space")]


def _is_special(prefix: bytes) -> bool:
    """Whether a line that begins with these bytes may be blank or may be a list of jobs."""
    start = prefix.translate(None, b" \t\r").lower()
    return (
        not start
        or start[:1] == b"["
        or any(name.startswith(start) or start.startswith(name[:_PREFIX]) for name in _LIST_STARTS)
    )


def _cut(item: Item, ordinal: int) -> tuple[list[Item], int]:
    """Return what the line gives: its elements, itself, or nothing; and the next ordinal."""
    if isinstance(item, Document) and _is_special(item.content[:_PREFIX]):
        if not item.content.strip():
            return [], ordinal
        splitter = JsonSplitter(Blocks([item.content]), ordinal, item.line)
        items = list(splitter.items())
        return items, splitter.ordinal
    return [item], ordinal + 1


def _last(record: Record, *, cut: bool) -> list[Item]:
    """Return what the last line gives, which has no line end: it may be incomplete."""
    item = record.finish()
    if cut or (isinstance(item, Document) and end_of_value(item.content.lstrip()) < 0):
        return [record.rejection("truncated", "the source ends in the middle of the line")]
    return _cut(item, record.ordinal)[0]
