"""NDJSON: one document per line; a bad line never affects its neighbours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import count, repeat
from typing import Final

from meta_audit.cut.blocks import BATCH_RECORDS, Blocks, Item, Record, whole_lines
from meta_audit.cut.json import JsonSplitter, end_of_value
from meta_audit.cut.notices import is_notice, what_else
from meta_audit.cut.pages import inner_token, may_hold_token
from meta_audit.model import LIST_FIELDS, Document, Format, Rejection

_FORMAT: Final[Format] = "json"
_PREFIX: Final = 8
_LIST_STARTS: Final = tuple(f'{{"{name}"'.encode() for name in (*sorted(LIST_FIELDS), "nexttoken"))
_BARE_STARTS: Final = (b'{"id"', b'{"name"', b'{"apiv')
_MARKS: Final = re.compile(rb"(?:[ \t\r]*\xef\xbb\xbf)*").match


def split_ndjson(blocks: Blocks) -> Iterator[list[Item]]:
    """Yield the documents of each block: a non-blank line each, without its line end.

    A line that is itself a list or a page of jobs is cut into its elements.
    """
    return _Lines(blocks).batches()


class _Lines:
    """Cuts lines into records, and numbers both."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._ordinal = 1
        self._line = 1
        self._is_empty = True

    def batches(self) -> Iterator[list[Item]]:
        long: Record | None = None
        for chunk in whole_lines(self._blocks):
            text = chunk
            if not text.endswith(b"\n"):
                long = long or Record(self._ordinal, self._line, "json")
                long.add(text)
                continue
            if long is not None:
                head, _, text = text.partition(b"\n")
                long.add(head.removesuffix(b"\r"))
                yield from self._each([long.finish()])
                long = None
                self._line += 1
            yield from self._whole(text)
        if long is not None:
            yield from self._last(long)
        if self._is_empty and not self._blocks.cut:
            yield [Record(1, 1, "json").rejection("empty", "nothing but white space")]

    def _whole(self, text: bytes) -> Iterator[list[Item]]:
        """Yield the records of whole lines."""
        if text.isspace():
            self._line += text.count(b"\n")
            return
        lines = text.split(b"\n")
        lines.pop()  # what follows the last line end: nothing
        if b"\r" in text:  # a search for both bytes takes fifty times as long
            lines = [each.removesuffix(b"\r") for each in lines]
        for start in range(0, len(lines), BATCH_RECORDS):
            batch = lines[start : start + BATCH_RECORDS]
            documents = map(
                Document, batch, count(self._ordinal), count(self._line), repeat(_FORMAT)
            )
            if any(map(_is_special, {each[:_PREFIX] for each in batch})):
                yield from self._each(documents)
            else:
                self._is_empty = False
                yield list(documents)
                self._ordinal += len(batch)
            self._line += len(batch)

    def _each(self, lines: Iterable[Item]) -> Iterator[list[Item]]:
        """Yield what each line gives: itself, its elements, or nothing. Renumbers them."""
        batch: list[Item] = []
        for item in lines:
            if isinstance(item, Rejection):
                self._is_empty = False
                batch.append(item)
                self._ordinal += 1
                continue
            content = item.content[_MARKS(item.content).end() :]  # type: ignore[union-attr]
            if not content.strip() or is_notice(content):
                continue
            self._is_empty = False
            if _is_list(content[:_PREFIX]):
                if batch:
                    yield batch
                    batch = []
                elements = Blocks([content])
                splitter = JsonSplitter(elements, self._ordinal, item.line)
                yield from splitter.batches()
                self._ordinal = splitter.ordinal
                if elements.partial:
                    partial = elements.partial
                    self._blocks.note_partial(partial.line, partial.where, partial.pages)
                continue
            batch.append(self._record(content, item.line))
            self._ordinal += 1
        if batch:
            yield batch

    def _record(self, content: bytes, line: int) -> Item:
        """Return one line as a document, or as a rejection when it is plainly something else."""
        message = "" if content.startswith(b"{") else what_else(content)
        if message:
            record = Record(self._ordinal, line, "json")
            record.add(content)
            return record.rejection("json.syntax", message)
        where = inner_token(content) if may_hold_token(content) else ""
        if where:
            self._blocks.note_partial(line, where)
        return Document(content, self._ordinal, line, "json")

    def _last(self, record: Record) -> Iterator[list[Item]]:
        """Yield what the last line gives, which has no line end: it may be incomplete."""
        start = _MARKS(record.content).end()  # type: ignore[union-attr]
        content = record.content[start:].lstrip()
        if not content:
            return
        item = record.finish()
        if self._blocks.cut or (isinstance(item, Document) and end_of_value(content) < 0):
            message = "the source ends in the middle of the line"
            self._is_empty = False
            torn = record
            if start and isinstance(item, Document):
                torn = Record(record.ordinal, record.line, "json")
                torn.add(record.content[start:])
            yield [torn.rejection("truncated", message)]
            self._ordinal += 1
        else:
            yield from self._each([item])


def _is_special(prefix: bytes) -> bool:
    """Tell whether a line that begins with these bytes may be other than one bare job."""
    start = prefix.translate(None, b" \t\r").lower()
    return not start.startswith(_BARE_STARTS)


def _is_list(prefix: bytes) -> bool:
    """Tell whether a line that begins with these bytes may be a list of jobs."""
    start = prefix.translate(None, b" \t\r").lower()
    return start[:1] == b"[" or any(
        name.startswith(start) or start.startswith(name[:_PREFIX]) for name in _LIST_STARTS
    )
