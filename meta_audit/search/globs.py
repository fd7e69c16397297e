r"""Read patterns: `*` is any text, `?` any one character, and `\` takes the next one as it is.

The case of letters counts.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

ANY: Final = "*"
ONE: Final = "?"
ESCAPE: Final = "\\"


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
