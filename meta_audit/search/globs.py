r"""Read patterns: `*` is any text, `?` any one character, and `\` takes the next one as it is.

The case of letters counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from meta_audit.nul import MARK

ANY: Final = "*"
ONE: Final = "?"
ESCAPE: Final = "\\"
_LIKE: Final = {"any": "%", "one": "_"}


class Piece(NamedTuple):
    """Hold a part of a pattern: a literal text, or one of the two signs."""

    kind: Literal["text", "any", "one"]
    text: str


def pieces(pattern: str) -> list[Piece]:
    """Cut a pattern; no two literal texts follow one another."""
    found: list[Piece] = []
    chars = iter(pattern)
    for char in chars:
        if char == ANY:
            piece = Piece("any", char)
        elif char == ONE:
            piece = Piece("one", char)
        else:
            piece = Piece("text", next(chars, ESCAPE) if char == ESCAPE else char)
        if piece.kind == "text" and found and found[-1].kind == "text":
            piece = Piece("text", found.pop().text + piece.text)
        found.append(piece)
    return found


def prefix(pattern: str) -> str:
    """Return the text with which everything begins that fits."""
    first = pieces(pattern)[:1]
    return first[0].text if first and first[0].kind == "text" else ""


def contains(text: str) -> list[Piece]:
    """Return the pattern of texts that contain a text."""
    return [Piece("any", ANY), Piece("text", text), Piece("any", ANY)]


def small(text: str) -> str:
    """Return a text in which A-Z are small."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def like_pattern(pattern: Sequence[Piece]) -> str:
    r"""Return the pattern of LIKE in which `\` escapes."""
    return "".join(
        _LIKE.get(piece.kind) or re.sub(r"([\\%_])", r"\\\1", piece.text) for piece in pattern
    )


def text_regex(pattern: Sequence[Piece], *, ignore_case: bool) -> str:
    """Return the regular expression of `re` that texts fit.

    What follows an `any` is found once, so that no text takes long.
    """
    begin, *rest = _between(pattern, ".", ignore_case=ignore_case)
    if not rest:
        return f"(?s:{begin})"
    *middle, end = rest
    return f"(?s:{begin}{''.join(f'(?>.*?{part})' for part in middle)}.*{end})"


def stored_regex(pattern: Sequence[Piece], *, ignore_case: bool) -> str:
    """Return the regular expression of PostgreSQL that stored texts fit (`meta_audit.nul`).

    The texts in `pattern` are in their stored form.
    """
    one = f"(?:[^{MARK}]|{MARK}[012])"
    return f"^(?:{f'{one}*'.join(_between(pattern, one, ignore_case=ignore_case))})$"


def _between(pattern: Sequence[Piece], one: str, *, ignore_case: bool) -> list[str]:
    """Return regular expressions of what stands between the `any`s."""
    parts = [""]
    for piece in pattern:
        if piece.kind == "any":
            parts.append("")
        else:
            parts[-1] += one if piece.kind == "one" else _literal(piece.text, ignore_case)
    return parts


def _literal(text: str, ignore_case: bool) -> str:
    return "".join(
        f"[{c.lower()}{c.upper()}]"
        if ignore_case and c.isascii() and c.isalpha()
        else c
        if c.isalnum() or not c.isascii()
        else f"\\{c}"
        for c in text
    )
