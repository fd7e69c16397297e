"""Inspect a JSON text without decoding it: nesting, escapes, duplicate keys."""

from __future__ import annotations

import json
import re
from typing import Final

from meta_audit.decode.text import (
    deep_error,
    duplicates_error,
    line_at,
    nodes_error,
    surrogate_error,
)
from meta_audit.model import MAX_DEPTH, MAX_DUPLICATES, MAX_NODES, Duplicate

_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
"""A string, or what looks like one up to the end of the text."""
_STRINGS: Final = re.compile(_STRING, re.DOTALL)
_TOKENS: Final = re.compile(_STRING + r"|[\[\]{},]", re.DOTALL)
_CONSTANTS: Final = re.compile(_STRING + r"|(NaN|Infinity)", re.DOTALL)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPES: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>\\u[dD][89a-fA-F])|\\."
)


def check_structure(text: str) -> None:
    """Refuse more than `MAX_DEPTH` levels or `MAX_NODES` nodes, well-formed or not.

    Counted on the punctuation outside strings, before anything recurses or is allocated.
    """
    if text.count("{") + text.count("[") <= MAX_DEPTH and len(text) <= 2 * MAX_NODES:
        return
    bare = _STRINGS.sub("", text)
    # A node begins at the start, after a comma, a colon, or an opening bracket.
    if sum(map(bare.count, ",:[{")) >= MAX_NODES:
        raise nodes_error()
    depth = 0
    for match in _TOKENS.finditer(text):
        piece = match[0]
        if piece in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise deep_error(line_at(text, match.start()))
        elif piece in "]}":
            depth -= 1


def check_surrogates(text: str) -> None:
    """Refuse escapes of lone surrogates. `text` is well-formed JSON."""
    if not _SURROGATE.search(text):
        return
    for match in _ESCAPES.finditer(text):
        if match["lone"]:
            raise surrogate_error(line_at(text, match.start()))


def constant_line(text: str) -> int:
    """Find the line of the first NaN or Infinity outside a string; there is one."""
    return next(line_at(text, match.start()) for match in _CONSTANTS.finditer(text) if match[1])


def find_duplicates(text: str) -> tuple[Duplicate, ...]:
    """Find every key that its object has more than once. `text` is well-formed JSON.

    Raises `RejectedError` (`duplicate_key`) when there are more than `MAX_DUPLICATES`.
    """
    found: list[Duplicate] = []
    path: list[str | int] = []
    seen: list[dict[str, bool]] = []  # Of each open container: its keys; true once found twice.
    expect_key = False
    for match in _TOKENS.finditer(text):
        piece = match[0]
        if piece in "{[":
            seen.append({})
            path.append("" if piece == "{" else 0)
            expect_key = piece == "{"
        elif piece in "]}":
            seen.pop()
            path.pop()
            expect_key = False
        elif piece == ",":
            last = path[-1]
            expect_key = isinstance(last, str)
            if isinstance(last, int):
                path[-1] = last + 1
        elif expect_key:
            path[-1] = key = str(json.loads(piece))
            if seen[-1].get(key) is False:
                line = line_at(text, match.start())
                if len(found) == MAX_DUPLICATES:
                    raise duplicates_error(line)
                found.append(Duplicate(tuple(path), line))
            seen[-1][key] = key in seen[-1]
            expect_key = False
    return tuple(found)
