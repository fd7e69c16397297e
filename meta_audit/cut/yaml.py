"""YAML as a stream: cut at document marks, and lists of jobs into their elements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from meta_audit.cut.blocks import BATCH_RECORDS, Blocks, Item, Record, whole_lines
from meta_audit.cut.notices import BYTE_ORDER_MARK, NOTICE
from meta_audit.cut.yaml_elements import find_elements, find_inner_token
from meta_audit.model import LIST_FIELDS, MAX_DOCUMENT_BYTES, Document

# A document mark stands at the beginning of a line, whatever it is in the middle of, block
# scalars and quoted text included (YAML 1.2.2, 9.1.2 and rule c-forbidden; libyaml as well).
# A byte order mark there means that a file was appended: another document begins.
_MARK: Final = re.compile(
    rb"^(?:\xef\xbb\xbf)*(?:---|\.\.\.)(?=[ \t\r\n]|\Z)|^(?:\xef\xbb\xbf)+", re.MULTILINE
)
_BARE_MARK: Final = re.compile(rb"(?:---|\.\.\.)[ \t]*(?:[ \t]#[^\r\n]*)?(?:\r?\n|\Z)")
_SIGNIFICANT: Final = re.compile(rb"^[ \t\r]*[^# \t\r\n]", re.MULTILINE)
_NO_DIRECTIVE: Final = re.compile(rb"^(?:[ \t\r]*[^#% \t\r\n]|[ \t\r]+%)", re.MULTILINE)
_BLANK_LINES: Final = re.compile(rb"(?:(?:[ \t\r]*+\n)++|\xef\xbb\xbf|" + NOTICE + rb")*+")
_MAY_BE_LIST: Final = re.compile(
    rb"\A(?:[ \t\r]*(?:#[^\n]*)?\n)*[ \t]*(?:-[ \t\r\n]|[\[{%]|---[ \t])|"
    rb"^[ \t]*[\"']?(?:" + "|".join(sorted(LIST_FIELDS)).encode() + rb")[\"']?[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)


def split_yaml(blocks: Blocks, ordinal: int = 1, line: int = 1) -> Iterator[list[Item]]:
    """Yield the records of each YAML document.

    A list of jobs, or a page of them (`pages.is_page`), is cut into its elements: those in
    block style with their lines from the `-` on (alone, a list of one element), those in flow
    style with their own text. Where that is not possible, as with anchors used across elements
    or broken syntax, the whole document is one record. Ends of lines are kept: block scalars
    mean them.
    """
    blank: Record | None = None
    found = False
    for section, last in _sections(blocks, line):
        if section.is_blank:
            blank = blank or section.record
            continue
        found = True
        for items in _cut(blocks, section.record, ordinal, cut=last and blocks.cut):
            yield items
            ordinal += len(items)
    if not found and not blocks.cut:
        record = blank or Record(1, 1, "yaml")
        yield [record.rejection("empty", "nothing but white space, comments and marks")]


class _Section:
    """The text between two document marks."""

    def __init__(self, line: int) -> None:
        self.record = Record(1, line, "yaml")

    def add(self, text: bytes) -> None:
        """Append text; blank lines, byte order marks and notices before it are left out."""
        if not self.record.size:
            start = _BLANK_LINES.match(text).end()  # type: ignore[union-attr]
            self.record.line += text.count(b"\n", 0, start)
            text = text[start:]
        if text:
            self.record.add(text)

    @property
    def is_blank(self) -> bool:
        """Tell whether the section has neither content nor directives."""
        return (
            self.record.size <= MAX_DOCUMENT_BYTES
            and _SIGNIFICANT.search(self.record.content) is None
        )

    @property
    def is_directives(self) -> bool:
        """Tell whether there are only directives. They belong to the document after the mark."""
        return not self.is_blank and _NO_DIRECTIVE.search(self.record.content) is None


def _sections(blocks: Blocks, line: int) -> Iterator[tuple[_Section, bool]]:
    """Yield every section, and whether it is the last."""
    section = _Section(line)
    at_line_start = True
    for text in whole_lines(blocks):
        pos = 0
        for mark in _MARK.finditer(text):
            start = mark.start()
            if start == 0 and not at_line_start:
                continue
            section.add(text[pos:start])
            line += text.count(b"\n", pos, start)
            pos = start
            while text.startswith(BYTE_ORDER_MARK, start):
                start += len(BYTE_ORDER_MARK)
            opens = text.startswith(b"---", start)
            if not (opens and section.is_directives):
                yield section, False
                section = _Section(line)
            bare = _BARE_MARK.match(text, start)
            if bare and not section.record.size:
                pos = bare.end()
                line += text.count(b"\n", start, pos)
                section.record.line = line
        section.add(text[pos:])
        line += text.count(b"\n", pos)
        at_line_start = text.endswith(b"\n")
    yield section, True


def _cut(blocks: Blocks, record: Record, ordinal: int, *, cut: bool) -> Iterator[list[Item]]:
    """Yield the section's elements, or the section itself; with `cut`, its end is missing."""
    record.ordinal = ordinal
    whole = record.finish()
    elements = None
    if isinstance(whole, Document):
        if _MAY_BE_LIST.search(whole.content):
            elements = find_elements(whole.content, cut=cut)
        where = elements.next_token if elements else find_inner_token(whole.content)
        if where:
            blocks.note_partial(record.line, where)
    if elements is None or (cut and not elements.spans):
        if cut:
            message = "the source ends in the middle of the document"
            yield [record.rejection("truncated", message)]
        else:
            yield [whole]
        return
    items: list[Item] = []
    line, at = record.line, 0
    last = ordinal + len(elements.spans) - 1
    for number, (start, end) in enumerate(elements.spans, ordinal):
        line += record.content.count(b"\n", at, start)
        at = start
        if cut and number == last:
            tail = Record(number, line, "yaml")
            tail.add(record.content[start:])
            items.append(tail.rejection("truncated", "the source ends in the middle of the list"))
        else:
            items.append(Document(record.content[start:end], number, line, "yaml"))
        if len(items) >= BATCH_RECORDS:
            yield items
            items = []
    if items:
        yield items
