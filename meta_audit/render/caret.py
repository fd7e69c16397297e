"""Show the place in a text where something is wrong."""

from __future__ import annotations

from typing import Final

from meta_audit.render.escape import escape
from meta_audit.render.layout import ELLIPSIS, cells, cut

BEFORE: Final = 48
"""Most columns before the place."""
WIDTH: Final = 76
INDENT: Final = "  "


def pointed(text: str, position: int) -> tuple[str, str]:
    """Return the text around a position on one line, and below it a caret."""
    before = escape(text[max(position - BEFORE, 0) : position])
    if cells(before) > BEFORE or position > BEFORE:
        while cells(before) > BEFORE - 1:
            before = before[1:]
        before = ELLIPSIS + before
    after = escape(text[position : position + WIDTH])
    line = cut(before + after, WIDTH)
    return f"{INDENT}{line}", f"{INDENT}{' ' * cells(before)}^"
