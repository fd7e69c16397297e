"""Detect the format of a source by its content, and by its name where both are possible."""

from __future__ import annotations

import re
from functools import lru_cache
from posixpath import splitext
from typing import Final, Literal, TypeAlias

import msgspec

from meta_audit.cut.blocks import Blocks
from meta_audit.cut.json import end_of_value
from meta_audit.cut.notices import BEFORE, NOTICE, what_else
from meta_audit.cut.yaml_elements import is_yaml
from meta_audit.model import MAX_DOCUMENT_BYTES

ContentKind: TypeAlias = Literal["ndjson", "json", "yaml", "utf-16", "no document"]

HEAD_BYTES: Final = 65_536
"""Bytes looked at, unless JSON is to be told from flow-style YAML: then a whole document."""

COMPRESSED_SUFFIXES: Final = frozenset({".gz", ".zst", ".xz", ".bz2"})
_SUFFIXES: Final[dict[str, ContentKind]] = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".yaml": "yaml",
    ".yml": "yaml",
}

_UTF_16: Final = re.compile(rb"\xff\xfe|\xfe\xff|\0[^\0]|[^\0]\0")
_YAML_START: Final = re.compile(
    rb"\s*(?:#[^\n]*\n\s*)*(?:---\s|%YAML |[{\[]|[A-Za-z_][\w.-]*[ \t]*:(?:\s|\Z))"
)
_LIST_START: Final = re.compile(rb'\s*(?:\[|\{\s*"(?:items|jobs|events|nexttoken)")', re.IGNORECASE)
_QUOTE: Final = 0x22
_LINES_LOOKED_AT: Final = 16
JOB_FIELD: Final = re.compile(
    rb"""(?<![\w.-])["']?(?:api_?version|job|jobs|items|spec|tasks|history|executions|
    job_create_payload)["']?\s*:""",
    re.IGNORECASE | re.VERBOSE,
)
"""A field that only a job has, or what wraps jobs."""
_NO_RECORDS: Final = frozenset({b"{", b"[", b"}", b"]", b"},", b"],", b"---", b"..."})
# A run of JSON tokens, and the words that other JSON writers put for numbers JSON has no form of.
# A comma before a bracket is none of them: YAML has it, JSON has not.
_JSON_TOKENS: Final = re.compile(
    rb'(?:[ \t\r\n{}\[\]:]++|,(?![ \t\r\n]*+[}\]])|"[^"\\]*+(?:\\.[^"\\]*+)*"|'
    rb"\xef\xbb\xbf|(?<=\n)" + NOTICE + rb"|"
    rb"-?[0-9][0-9.eE+-]*+|true|false|null|NaN|-?Infinity)*",
    re.DOTALL,
)


@lru_cache(maxsize=8)
def kind_of_name(name: str) -> ContentKind | None:
    """Return what a file of this name should hold, if the name says."""
    stem, suffix = splitext(name.lower())
    if suffix in COMPRESSED_SUFFIXES:
        suffix = splitext(stem)[1]
    return _SUFFIXES.get(suffix)


def detect(blocks: Blocks, name: str) -> ContentKind:
    """Return what the blocks hold, without consuming them."""
    named = kind_of_name(name)
    head = blocks.peek(HEAD_BYTES, to_pause=True)[:HEAD_BYTES]
    if _UTF_16.match(head):
        return "utf-16"
    is_part = len(head) >= HEAD_BYTES or blocks.is_paused
    whole_lines = head.rpartition(b"\n")[0] if is_part else head
    lines = [line for line in map(_stripped, whole_lines.split(b"\n")) if line]
    if named != "ndjson":
        lines = [line for line in lines if not line.startswith(b"#")]
    lines = lines[:_LINES_LOOKED_AT]
    start = BEFORE(head).end()  # type: ignore[union-attr]
    if named == "ndjson":
        # One list above the size of the head, or pretty-printed: no lines, whatever the name says.
        is_one_list = not lines and _LIST_START.match(head, start)
        return "json" if is_one_list or (lines and lines[0] in (b"{", b"[")) else "ndjson"
    first = head[start : start + 1]
    if not first:
        return named or "json"
    is_bracket = first in (b"{", b"[")
    if _are_records(lines, fewest=1 if blocks.is_paused else 2) and (is_bracket or named != "yaml"):
        return "ndjson"
    if not is_bracket:
        if what_else(head):
            return "no document"
        return "json" if named == "json" and not _YAML_START.match(head, start) else "yaml"
    content = blocks.peek(MAX_DOCUMENT_BYTES + 1, to_pause=True)
    # Beyond the size of one document it can only be a list that is read as a stream: JSON.
    if len(content) > MAX_DOCUMENT_BYTES or is_json(content) or _is_json_text(content, start):
        return "json"
    # Bacalhau's command line reads files named .json as YAML.
    return "yaml" if named != "json" or _is_job_in_yaml(content[start:]) else "json"


def _stripped(line: bytes) -> bytes:
    return line[BEFORE(line).end() :].strip()  # type: ignore[union-attr]


def _are_records(lines: list[bytes], *, fewest: int) -> bool:
    """Tell whether lines look like NDJSON: half or more a whole value, no lone bracket or mark."""
    if len(lines) < fewest or not _NO_RECORDS.isdisjoint(lines):
        return False
    whole = sum(line.startswith((b"{", b"[")) and end_of_value(line) == len(line) for line in lines)
    return 2 * whole >= len(lines)


def is_json(content: bytes) -> bool:
    """Tell quickly whether content is one JSON value; few values that are say no."""
    try:
        msgspec.json.decode(content, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _is_json_text(content: bytes, pos: int) -> bool:
    """Tell whether everything from `pos` on is JSON tokens; the last may be incomplete."""
    while pos < len(content):
        window = pos + HEAD_BYTES
        end = _JSON_TOKENS.match(content, pos, window).end()  # type: ignore[union-attr]
        if end == window < len(content):  # a comma there has not seen what follows
            tail = len(content[pos:end].rstrip(b" \t\r\n"))
            end = pos + tail - content.endswith(b",", pos, pos + tail) or end
        if end == pos:  # no token, or a string that reaches beyond the window
            if content[pos] != _QUOTE:
                return False
            end = end_of_value(content, pos)
            if end < 0:
                return True
        pos = end
    return True


def _is_job_in_yaml(content: bytes) -> bool:
    return JOB_FIELD.search(content) is not None and is_yaml(content)
