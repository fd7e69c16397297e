"""Results as CSV (RFC 4180), with cells that a spreadsheet would run made harmless."""

from __future__ import annotations

import csv
import io
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import fields

from meta_audit.render.escape import escape_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meta_audit.render.layout import Screen
    from meta_audit.render.page import Listing

ROWS_AT_ONCE: Final = 200
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that make a spreadsheet compute a cell (OWASP, "CSV Injection")."""


def render(page: Listing[Any], screen: Screen) -> bytes:
    """Return the rows of a page as CSV in UTF-8; a terminal gets them escaped."""
    text = "".join(to_csv([*_names(page.row)], map(_cells, page.rows())))
    if screen.width is not None:
        text = escape_lines(text.replace("\r\n", "\n"))
    return text.encode()


def neutralise(cell: str) -> str:
    """Return a cell that no spreadsheet runs: with `'` before it where it would be a formula.

    A cell that begins with `'` itself looks the same: only JSON is exact.
    """
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def to_csv(header: Sequence[str], rows: Iterable[Sequence[str | int | None]]) -> Iterable[str]:
    """Yield header and rows as text, some at a time; a row ends with CR LF, None is empty."""
    rest = chain((header,), rows)
    while some := list(islice(rest, ROWS_AT_ONCE)):
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\r\n").writerows(
            [neutralise(c) if isinstance(c, str) else c for c in row] for row in some
        )
        yield buffer.getvalue()


def _names(row: type[Struct]) -> Iterator[str]:
    """Yield a column for each field; for those of a Struct within, in its place."""
    for field in fields(row):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from _names(field.type)
        else:
            yield field.name


def _cells(row: Struct) -> list[Any]:
    cells: list[Any] = []
    for name in row.__struct_fields__:
        value = getattr(row, name)
        cells += _cells(value) if isinstance(value, Struct) else [value]
    return cells
