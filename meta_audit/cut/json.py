"""JSON as a stream: single values, concatenated values, arrays and pages of any size.

Nothing is decoded. Brackets are counted and strings skipped to find where a value ends; whether
it is JSON is for `meta_audit.decode` to say. Memory is bounded by one block and one record.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Final

import msgspec

from meta_audit.cut.blocks import BLOCK_BYTES, ITEM_OVERHEAD, Blocks, Item, Record
from meta_audit.cut.notices import BYTE_ORDER_MARK, MAX_NOTICE_BYTES, is_notice
from meta_audit.cut.pages import NEXT_TOKEN, inner_token, is_page, may_hold_token
from meta_audit.model import LIST_FIELDS, MAX_DOCUMENT_BYTES, Document, Rejection

_SPACE: Final = re.compile(rb"[ \t\n\r]*").match
_BETWEEN: Final = re.compile(rb"(?:[ \t\n\r,]|\xef\xbb\xbf)*").match
_TOKEN: Final = re.compile(rb'[^ \t\n\r,:\[\]{}"]*').match
# `_FLAT` passes whole strings and everything that is no bracket; `_OUTSIDE` also containers that
# hold no others, `_INSIDE` goes on within a string. They run over windows, because the matcher
# keeps some 100 bytes for each string it passes.
_FLAT: Final = rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*"[^"{}\[\]]*+)*'
_OUTSIDE: Final = re.compile(
    _FLAT + rb"(?:[{\[]" + _FLAT + rb"[}\]]" + _FLAT + rb")*", re.DOTALL
).match
_INSIDE: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*', re.DOTALL).match
_WINDOW: Final = 1 << 16

_QUOTE, _COMMA, _COLON = b'",:'
_MARK_START: Final = BYTE_ORDER_MARK[0]
_OPEN_ARRAY, _CLOSE_ARRAY, _OPEN_OBJECT, _CLOSE_OBJECT = b"[]{}"
_NO_VALUE: Final = frozenset(b",:]}")
_VALUE_STARTS: Final = frozenset(b'{["')
_NO_TOKENS: Final = frozenset({b'""', b"null", b"0"})
_NO_TOKEN: Final = frozenset(b'"[{')


def split_json(blocks: Blocks, ordinal: int = 1, line: int = 1) -> Iterator[list[Item]]:
    """Yield the records of JSON values, in lists of about a block.

    A top-level array, and the lists of a page (`pages.is_page`), are cut into their
    elements, each with exactly its own bytes; any other value is one document. Several values
    may follow each other, as `jq` prints them. Where the structure around the elements is
    broken, the records before are yielded and the rest is one rejection.
    """
    return JsonSplitter(blocks, ordinal, line).batches()


def end_of_value(data: bytes, pos: int = 0) -> int:
    """Return where the object, array or string at `pos` ends, or -1 when it does not.

    Anything else is taken to reach to the end of the data.
    """
    if data[pos] not in _NO_TOKEN:
        return len(data)
    end, _, _, done = _scan(data, *_start(data, pos))
    return end if done else -1


def _start(data: bytes, pos: int) -> tuple[int, int, bool]:
    """Return position, depth, in a string? after the first byte of the value at `pos`."""
    if data[pos] in _NO_TOKEN:
        quoted = data[pos] == _QUOTE
        return pos + 1, int(not quoted), quoted
    return pos, 0, False


def _scan(data: bytes, pos: int, depth: int, quoted: bool) -> tuple[int, int, bool, bool]:
    """Go on to the end of a value. Return position, depth, whether in a string, whether done.

    When the data ends first, the position is where to go on with more data: the end, or one
    byte before it when that is a backslash whose partner is missing.
    """
    size = len(data)
    while pos < size:
        if quoted:
            pos = _INSIDE(data, pos, pos + _WINDOW).end()  # type: ignore[union-attr]
            if pos >= size:
                break
            byte = data[pos]
            if byte == 0x22:
                pos += 1
                quoted = False
                if not depth:
                    return pos, 0, False, True
            elif byte == 0x5C and pos + 1 == size:
                break
            continue
        pos = _OUTSIDE(data, pos, pos + _WINDOW).end()  # type: ignore[union-attr]
        if pos >= size:
            break
        byte = data[pos]
        if byte == 0x7B or byte == 0x5B:  # noqa: PLR1714 - in the innermost loop
            depth += 1
            pos += 1
        elif byte == 0x7D or byte == 0x5D:  # noqa: PLR1714
            depth -= 1
            pos += 1
            if depth <= 0:
                return pos, 0, False, True
        elif byte == 0x22:
            quoted = True
            pos += 1
    return pos, depth, quoted, False


class JsonSplitter:
    """Cuts a stream of JSON into records. `ordinal` is the next record's number."""

    def __init__(self, blocks: Blocks, ordinal: int = 1, line: int = 1) -> None:
        self.ordinal = ordinal
        self._blocks = blocks
        self._line = line
        self._data = b""
        self._pos = 0
        """Everything before it in `_data` is done; `_line` is its line."""
        self._ahead = (0, 0)
        """Begin and end, in `_data`, of the value that `_has_next` found."""

    def batches(self) -> Iterator[list[Item]]:
        """Yield every record, in lists of about a block."""
        batch: list[Item] = []
        size = 0
        for item in self.items():
            batch.append(item)
            size += len(item.content) + ITEM_OVERHEAD
            if size >= BLOCK_BYTES or (self._blocks.is_live and not self._has_next()):
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def items(self) -> Iterator[Item]:
        """Yield every record."""
        byte = self._next_value()
        if byte < 0 and not self._blocks.cut:
            yield self._broken("empty", "nothing but white space")
        elif byte in _NO_VALUE:
            yield self._broken("json.syntax", f"{chr(byte)!r} where a value should begin")
        elif byte >= 0 and (yield from self._top(byte)):
            yield from self._more_values()

    def _has_next(self) -> bool:
        """Tell whether another whole value is at hand without reading on."""
        pos = _BETWEEN(self._data, self._pos).end()  # type: ignore[union-attr]
        if pos == len(self._data):
            return False
        end = end_of_value(self._data, pos)
        self._ahead = (pos, end)
        return end >= 0

    def _next_value(self) -> int:
        """Skip white space and notices. Return the byte at hand, or -1 at the end."""
        byte = self._next()
        while byte >= 0 and byte not in _VALUE_STARTS:
            while b"\n" not in self._data[self._pos : self._pos + MAX_NOTICE_BYTES] and (
                len(self._data) - self._pos < MAX_NOTICE_BYTES and self._grow()
            ):
                pass
            notice = is_notice(self._data, self._pos)
            if notice is None:
                break
            self._to(notice.end())
            byte = self._next()
        return byte

    def _more_values(self) -> Iterator[Item]:
        """Yield the values after the first one, each set off by white space."""
        while self._pos < len(self._data) or self._grow():
            before = self._data[self._pos]
            byte = self._next_value()
            if byte < 0:
                return
            if before == byte or byte not in (_OPEN_OBJECT, _OPEN_ARRAY):
                yield self._broken("trailing_data", "more data after the end of the value")
                return
            if not (yield from self._top(byte)):
                return

    def _top(self, byte: int) -> Generator[Item, None, bool]:
        """Yield the records of the value at hand. Return whether reading can go on."""
        if byte == _OPEN_ARRAY:
            return (yield from self._array())
        if byte == _OPEN_OBJECT and is_page(self._fields()):
            return (yield from self._page())
        return (yield from self._record())

    def _record(self) -> Generator[Item, None, bool]:
        item = self._value()
        self.ordinal += 1
        if may_hold_token(item.content) and isinstance(item, Document):
            where = inner_token(item.content)
            if where:
                self._blocks.note_partial(item.line, where)
        yield item
        return not (isinstance(item, Rejection) and item.reason == "truncated")

    def _array(self) -> Generator[Item, None, bool]:
        """Yield the elements of the array at hand."""
        self._to(self._pos + 1)
        byte = self._next()
        if byte == _CLOSE_ARRAY:
            self._to(self._pos + 1)
            return True
        while byte >= 0 and byte not in _NO_VALUE:
            if not (yield from self._record()):
                return False
            byte = self._next()
            if byte == _CLOSE_ARRAY:
                self._to(self._pos + 1)
                return True
            if byte != _COMMA:
                break
            self._to(self._pos + 1)
            byte = self._next()
        yield self._broken("json.syntax", "the array around the records is broken here")
        return False

    def _page(self) -> Generator[Item, None, bool]:
        """Yield the elements of the lists in the object at hand."""
        seen: dict[str, str] = {}
        while True:
            self._to(self._pos + 1)  # the brace or the comma
            name = self._name()
            if name is None:
                break
            folded = name.lower()
            byte = self._next()
            if folded in LIST_FIELDS and folded in seen:
                reason = "duplicate_key" if seen[folded] == name else "case_collision"
                yield self._broken(reason, f"{name!r} beside {seen[folded]!r} in one page")
                return False
            seen[folded] = name
            if byte == _OPEN_ARRAY and folded in LIST_FIELDS:
                if not (yield from self._array()):
                    return False
            elif byte < 0 or byte in _NO_VALUE:
                break
            elif not (yield from self._other_value(name)):
                return False
            byte = self._next()
            if byte == _CLOSE_OBJECT:
                self._to(self._pos + 1)
                return True
            if byte != _COMMA:
                break
        yield self._broken("json.syntax", "the page around the records is broken here")
        return False

    def _name(self) -> str | None:
        """Take a field's name and the colon after it, or return None where none stands."""
        if self._next() != _QUOTE:
            return None
        item = self._value()
        if isinstance(item, Rejection) or self._next() != _COLON:
            return None
        self._to(self._pos + 1)
        try:
            return msgspec.json.decode(item.content, type=str)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _other_value(self, name: str) -> Generator[Item, None, bool]:
        """Skip the value of a page's field that is no list of records, if it is sound."""
        item = self._value()
        if isinstance(item, Document):
            try:
                msgspec.json.decode(item.content, type=msgspec.Raw)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                record = Record(self.ordinal, item.line, "json")
                record.add(item.content)
                item = record.rejection("json.syntax", f"the page's field {name!r}: {error}")
            else:
                if name.lower() in NEXT_TOKEN and item.content not in _NO_TOKENS:
                    self._blocks.note_partial(item.line, name)
        if isinstance(item, Rejection):
            self.ordinal += 1
            yield item
            return item.reason != "truncated"
        return True

    def _value(self) -> Item:
        """Take the value at hand."""
        record: Record | None = None
        is_token = self._data[self._pos] not in _NO_TOKEN
        start, end = self._ahead
        if start == self._pos < end <= start + MAX_DOCUMENT_BYTES and not is_token:
            document = Document(self._data[start:end], self.ordinal, self._line, "json")
            self._to(end)
            return document
        pos, depth, quoted = _start(self._data, self._pos)
        while True:
            if is_token:
                pos = _TOKEN(self._data, pos).end()  # type: ignore[union-attr]
                done = pos < len(self._data)
            else:
                pos, depth, quoted, done = _scan(self._data, pos, depth, quoted)
            if done:
                break
            record = record or Record(self.ordinal, self._line, "json")
            record.add(self._data[self._pos : pos])
            self._to(pos)
            if not self._grow():
                record.add(self._data[pos:])
                self._to(len(self._data))
                if is_token and not self._blocks.cut:
                    return record.finish()
                return record.rejection("truncated", "the source ends in the middle of the value")
            pos = self._pos
        content = self._data[self._pos : pos]
        if record is None and len(content) <= MAX_DOCUMENT_BYTES:
            item: Item = Document(content, self.ordinal, self._line, "json")
        else:
            record = record or Record(self.ordinal, self._line, "json")
            record.add(content)
            item = record.finish()
        self._to(pos)
        return item

    def _fields(self) -> Iterator[tuple[str, bool]]:
        """Look ahead at the fields of the object at hand, as far as a document may reach."""
        at = 1
        while (at := self._find(at)) >= 0 and self._data[self._pos + at] == _QUOTE:
            end = self._end(at)
            if end < 0:
                return
            try:
                name = msgspec.json.decode(self._data[self._pos + at : self._pos + end], type=str)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return
            at = self._find(end)
            if at < 0 or self._data[self._pos + at] != _COLON:
                return
            at = self._find(at + 1)
            if at < 0:
                return
            end = self._end(at)
            start = self._pos + at
            yield name, self._data[start] == _OPEN_ARRAY or self._data[start : start + 4] == b"null"
            if end < 0:
                return
            at = self._find(end)
            if at < 0 or self._data[self._pos + at] != _COMMA:
                return
            at += 1

    def _find(self, at: int) -> int:
        """Return the offset from `_pos` of the next byte that is no white space, or -1."""
        while True:
            pos = _SPACE(self._data, self._pos + at).end()  # type: ignore[union-attr]
            at = pos - self._pos
            if pos < len(self._data):
                return at
            if at > MAX_DOCUMENT_BYTES or not self._grow():
                return -1

    def _end(self, at: int) -> int:
        """Return the offset from `_pos` at which the value at offset `at` ends, or -1."""
        is_token = self._data[self._pos + at] not in _NO_TOKEN
        pos, depth, quoted = _start(self._data, self._pos + at)
        while True:
            if is_token:
                pos = _TOKEN(self._data, pos).end()  # type: ignore[union-attr]
                done = pos < len(self._data)
            else:
                pos, depth, quoted, done = _scan(self._data, pos, depth, quoted)
            at = pos - self._pos
            if done:
                return at
            if at > MAX_DOCUMENT_BYTES or not self._grow():
                return -1
            pos = self._pos + at

    def _next(self) -> int:
        """Skip white space and byte order marks. Return the byte at hand, or -1 at the end."""
        while True:
            self._to(_SPACE(self._data, self._pos).end())  # type: ignore[union-attr]
            if self._pos < len(self._data):
                byte = self._data[self._pos]
                if byte != _MARK_START:
                    return byte
                head = self._data[self._pos : self._pos + 3]
                if head == BYTE_ORDER_MARK:
                    self._to(self._pos + 3)
                elif not BYTE_ORDER_MARK.startswith(head) or not self._grow():
                    return byte
            elif not self._grow():
                return -1

    def _to(self, pos: int) -> None:
        """Be done with everything before `pos`."""
        self._line += self._data.count(b"\n", self._pos, pos)
        self._pos = pos

    def _grow(self) -> bool:
        """Append a block, dropping what is done with. Return False at the end of the source."""
        block = next(self._blocks, b"")
        if not block:
            return False
        self._data = self._data[self._pos :] + block
        self._pos = 0
        self._ahead = (0, 0)
        return True

    def _rest(self, before: bytes = b"") -> Record:
        """Take all that is left as one record."""
        record = Record(self.ordinal, self._line, "json")
        record.add(before + self._data[self._pos :])
        for block in self._blocks:
            record.add(block)
        self.ordinal += 1
        return record

    def _broken(self, reason: str, message: str) -> Rejection:
        """Return all that is left as one rejection; if nothing is, the source was truncated."""
        record = self._rest()
        if not record.size and reason != "empty":
            reason, message = "truncated", "the source ends before the list of records does"
        return record.rejection(reason, message)
