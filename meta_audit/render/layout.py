"""Text for people: style, the width of characters, fields and lists that fit a terminal.

Here every value goes through `escape` first. rich is not used: it would add 33 ms to the 105 ms
that `trace` may take to start, and it reads markup in values.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

ELLIPSIS: Final = "…"
LONGEST: Final = 1_000
"""Characters of a value that are shown where the width is not known."""
_IES: Final = ("ry", "ty", "cy")
"""Ends of nouns whose plural ends in -ies."""
_CODES: Final = {"bold": "1", "dim": "2", "red": "1;31", "yellow": "33", "green": "32"}


class Screen(Struct, frozen=True):
    """Describe the place that a result is written to."""

    width: int | None = None
    """Columns of the terminal, None where it is none: nothing is cut to fit."""
    color: bool = False
    encoding: str = "utf-8"

    def styled(self, text: str, style: str) -> str:
        """Return the text in `bold`, `dim`, `red`, `yellow` or `green`, where there are colours."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.color and text else text


def cells(text: str) -> int:
    """Count the columns of an escaped text (UAX 11: wide and fullwidth characters take two)."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def _cells(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return an escaped text of at most `width` columns, with `…` where it was longer."""
    if len(text) <= width and cells(text) <= width:
        return text
    taken = 0
    for end, char in enumerate(text):
        taken += _cells(char)
        if taken >= width:
            return text[:end] + ELLIPSIS
    return text


def shown(text: str, width: int | None) -> str:
    """Return a value for the eyes: escaped, on one line, cut to the width or `LONGEST`."""
    long = len(text) > LONGEST
    escaped = escape(text[:LONGEST])
    if width is not None:
        return cut(escaped + ELLIPSIS if long else escaped, max(width, 1))
    return f"{escaped}{ELLIPSIS} ({len(text):,} characters)" if long else escaped


def padded(text: str, width: int) -> str:
    """Return an escaped text filled up with spaces."""
    return text + " " * (width - cells(text))


def fields(
    pairs: Sequence[tuple[str, str]], screen: Screen, *, indent: int = 2, widest: int = 40
) -> list[str]:
    """Return a line for each name and value, the values below one another."""
    names = [shown(name, widest if screen.width is not None else None) for name, _ in pairs]
    column = min(max(map(cells, names), default=0), widest)
    lines = []
    for name, (_, value) in zip(names, pairs, strict=True):
        start = " " * indent + padded(name, column) + "  "
        room = None if screen.width is None else screen.width - cells(start)
        lines.append((start + shown(value, room)).rstrip())
    return lines


def short_time(rfc3339: str | None) -> str:
    """Return a time to the second; `time unknown` for None."""
    return f"{rfc3339[:10]} {rfc3339[11:19]}Z" if rfc3339 else "time unknown"


def day(rfc3339: str | None) -> str:
    """Return the day of a time; `-` for None."""
    return rfc3339[:10] if rfc3339 else "-"


def day_or_time(rfc3339: str | None) -> str:
    """Return a time as somebody may have given it: the day alone, where it is the day's begin."""
    begins_a_day = rfc3339 is not None and rfc3339[11:] == "00:00:00.000000000Z"
    return short_time(rfc3339) if rfc3339 and not begins_a_day else day(rfc3339)


def section(title: str, lines: Sequence[str], screen: Screen) -> list[str]:
    """Return lines below a title; nothing if there are no lines."""
    return [screen.styled(title, "bold"), *lines] if lines else []


def page(sections: Sequence[Sequence[str]]) -> str:
    """Return sections as one text, an empty line between them."""
    return "\n\n".join("\n".join(one) for one in sections if one) + "\n"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 entry`, `1,000 entries`."""
    if number != 1:
        noun = plural or (f"{noun[:-1]}ies" if noun[-2:] in _IES else f"{noun}s")
    return f"{number:,} {noun}"
