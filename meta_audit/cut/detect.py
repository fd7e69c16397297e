"""What a source holds, told from its content, and from its name where that leaves a choice."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final, Literal, TypeAlias

from meta_audit.cut.blocks import Blocks
from meta_audit.cut.json import end_of_value
from meta_audit.model import MAX_DOCUMENT_BYTES

Kind: TypeAlias = Literal["ndjson", "json", "yaml", "utf-16"]

HEAD_BYTES: Final = 65_536
"""Bytes looked at, unless JSON is to be told from flow-style YAML: then a whole document."""

COMPRESSED_SUFFIXES: Final = frozenset({".gz", ".zst"})
_SUFFIXES: Final[dict[str, Kind]] = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".yaml": "yaml",
    ".yml": "yaml",
}

_UTF_16: Final = re.compile(rb"\xff\xfe|\xfe\xff|\0[^\0]|[^\0]\0")
_FIRST: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*([^ \t\r\n])")
_YAML_START: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:#[^\n]*\n\s*)*(?:---\s|%YAML |[A-Za-z_][\w.-]*[ \t]*:(?:\s|\Z))"
)
_LIST_START: Final = re.compile(rb'\s*(?:\[|\{\s*"(?:items|jobs|events|nexttoken)")', re.IGNORECASE)
_QUOTE: Final = 0x22
_LINES_LOOKED_AT: Final = 16
_NO_RECORDS: Final = frozenset({b"{", b"[", b"}", b"]", b"},", b"],", b"---", b"..."})
# A run of JSON tokens, and the words that other JSON writers put for numbers JSON has no form of.
_JSON_TOKENS: Final = re.compile(
    rb'(?:[ \t\r\n{}\[\]:,]++|"[^"\\]*+(?:\\.[^"\\]*+)*"|'
    rb"-?[0-9][0-9.eE+-]*+|true|false|null|NaN|-?Infinity)*",
    re.DOTALL,
)


def kind_of_name(name: str) -> Kind | None:
    """Return what a file of this name should hold, if the name says."""
    path = PurePath(name.lower())
    if path.suffix in COMPRESSED_SUFFIXES:
        path = path.with_suffix("")
    return _SUFFIXES.get(path.suffix)


def detect(blocks: Blocks, name: str) -> Kind:
    """Return what the blocks hold, without consuming them."""
    named = kind_of_name(name)
    head = blocks.peek(HEAD_BYTES)
    if _UTF_16.match(head):
        return "utf-16"
    whole_lines = head.rpartition(b"\n")[0] if len(head) >= HEAD_BYTES else head
    lines = [line.strip() for line in whole_lines.split(b"\n") if line.strip()][:_LINES_LOOKED_AT]
    if named == "ndjson":
        # One list above the size of the head, or pretty-printed: no lines, whatever the name says.
        is_one_list = not lines and _LIST_START.match(head)
        return "json" if is_one_list or (lines and lines[0] in (b"{", b"[")) else "ndjson"
    first = _FIRST.match(head)
    if first is None:
        return named or "json"
    is_bracket = first[1] in (b"{", b"[")
    if _are_records(lines) and (is_bracket or named != "yaml"):
        return "ndjson"
    if not is_bracket:
        return "json" if named == "json" and not _YAML_START.match(head) else "yaml"
    if named == "json":
        return "json"
    content = blocks.peek(MAX_DOCUMENT_BYTES + 1)
    # Beyond the size of one document it can only be a list that is read as a stream: JSON.
    if len(content) > MAX_DOCUMENT_BYTES or _is_json_text(content):
        return "json"
    return "yaml"


def _are_records(lines: list[bytes]) -> bool:
    """Whether lines look like NDJSON: half or more a whole value, none a lone bracket or mark."""
    if len(lines) < 2 or not _NO_RECORDS.isdisjoint(lines):
        return False
    whole = sum(line.startswith((b"{", b"[")) and end_of_value(line) == len(line) for line in lines)
    return 2 * whole >= len(lines)


def _is_json_text(content: bytes) -> bool:
    """Whether everything is a JSON token, except that the last may be incomplete."""
    pos = 3 if content.startswith(b"\xef\xbb\xbf") else 0
    while pos < len(content):
        end = _JSON_TOKENS.match(content, pos, pos + HEAD_BYTES).end()  # type: ignore[union-attr]
        if end == pos:  # no token, or a string that reaches beyond the window
            if content[pos] != _QUOTE:
                return False
            end = end_of_value(content, pos)
            if end < 0:
                return True
        pos = end
    return True
