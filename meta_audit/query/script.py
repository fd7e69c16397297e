"""Cut a file of SQL into its statements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE: Final = re.compile(
    r"""(?P<skipped>\s+|--[^\n]*|/\*.*?\*/)
    | (?P<end>;)
    | '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | (?P<dollars>\$\w*\$).*?(?P=dollars) | .""",
    re.VERBOSE | re.DOTALL,
)


class Statement(Struct, frozen=True):
    """Hold one statement, and the line of the file that it begins on."""

    line: int
    text: str


def statements(script: str) -> Iterator[Statement]:
    """Yield the statements of a script, which end with `;`. Comments alone are none."""
    begin: int | None = None
    for piece in _PIECE.finditer(script):
        if piece["end"]:
            if begin is not None:
                yield _statement(script, begin, piece.start())
            begin = None
        elif begin is None and not piece["skipped"]:
            begin = piece.start()
    if begin is not None:
        yield _statement(script, begin, len(script))


def _statement(script: str, begin: int, end: int) -> Statement:
    return Statement(script.count("\n", 0, begin) + 1, script[begin:end].rstrip())
