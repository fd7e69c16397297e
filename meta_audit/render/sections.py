"""Sections of a document: a title, some lines, a table. Each format lays them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meta_audit.render.columns import table
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.render.layout import Screen


class Section(Struct, frozen=True):
    """Hold a part of a document. Texts are exact: the format escapes them."""

    title: str
    lines: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    whole: tuple[int, ...] = ()
    """Columns that are never cut."""
    after: tuple[str, ...] = ()
    """Lines below the table."""


def laid_out(sections: Sequence[Section], screen: Screen) -> str:
    """Return sections as text, an empty line between them."""
    parts = []
    for section in sections:
        part = screen.styled(escape(section.title), "bold") + "\n"
        part += "".join(f"  {escape(line)}\n" for line in section.lines)
        if section.rows:
            part += table(section.header, section.rows, screen, whole=section.whole)
        part += "".join(f"  {escape(line)}\n" for line in section.after)
        parts.append(part)
    return "\n".join(parts)
