"""What can be read off a JSON text without decoding it: nesting, escapes, where a key stands."""

from __future__ import annotations

import json
import re
from typing import Final

from meta_audit.decode.text import (
    deep_error,
    line_at,
    nodes_error,
    nul_error,
    quote,
    surrogate_error,
)
from meta_audit.model import MAX_DEPTH, MAX_NODES

_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
"""A string, or what looks like one up to the end of the text."""
_STRINGS: Final = re.compile(_STRING, re.DOTALL)
_TOKENS: Final = re.compile(_STRING + r"|[\[\]{},]", re.DOTALL)
_CONSTANTS: Final = re.compile(_STRING + r"|(NaN|Infinity)", re.DOTALL)
_SUSPECT_ESCAPE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPES: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>\\u[dD][89a-fA-F])|(?P<nul>\\u0000)|\\."
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


def check_escapes(text: str) -> None:
    """Refuse escaped NUL and lone surrogates. `text` is well-formed JSON."""
    if not _SUSPECT_ESCAPE.search(text):
        return
    for match in _ESCAPES.finditer(text):
        if match.lastgroup == "nul":
            raise nul_error(line_at(text, match.start()))
        if match.lastgroup == "lone":
            raise surrogate_error(line_at(text, match.start()))


def constant_line(text: str) -> int:
    """Find the line of the first NaN or Infinity outside a string; there is one."""
    return next(line_at(text, match.start()) for match in _CONSTANTS.finditer(text) if match[1])


def find_duplicate_key(text: str) -> tuple[str, str, int]:
    """Find the first key that its object has twice: key, path of the object, line; there is one.

    The text may be malformed further on, but not before the end of that object.
    """
    path: list[str | int] = []
    keys: list[set[str]] = []  # Of each open container; of a list always empty.
    expect_key = False
    for match in _TOKENS.finditer(text):
        piece = match[0]
        if piece in "{[":
            keys.append(set())
            path.append("" if piece == "{" else 0)
            expect_key = piece == "{"
        elif piece in "]}":
            keys.pop()
            path.pop()
            expect_key = False
        elif piece == ",":
            last = path[-1]
            expect_key = isinstance(last, str)
            if isinstance(last, int):
                path[-1] = last + 1
        elif expect_key:
            key = str(json.loads(piece))
            if key in keys[-1]:
                return key, _show(path[:-1]), line_at(text, match.start())
            keys[-1].add(key)
            path[-1] = key
            expect_key = False
    raise AssertionError("a duplicate key was seen and is not in the text")


def _show(path: list[str | int]) -> str:
    """Write a path as `$.Tasks[0].Meta`; positions in lists count from 0."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{quote(step)[1:-1]}" for step in path)
    return "$" + "".join(steps)
