"""Results as CSV (RFC 4180), with cells that a spreadsheet would run made harmless."""

from __future__ import annotations

import csv
import io
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from meta_audit.render.escape import escape_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from msgspec import Struct

    from meta_audit.render.layout import Screen
    from meta_audit.render.page import Listing

ROWS_AT_ONCE: Final = 200
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that make a spreadsheet compute a cell (OWASP, "CSV Injection")."""


def render(page: Listing[Any], screen: Screen) -> bytes:
    """Return the rows of a page as CSV in UTF-8; a terminal gets them escaped."""
    return b"".join(csv_stream(page, page.rows(), screen))


def csv_stream(page: Listing[Any], rows: Iterable[Struct], screen: Screen) -> Iterator[bytes]:
    """Yield the header of a page and these rows, some at a time."""
    for text in to_csv(page.csv_header(), map(page.csv_row, rows)):
        if screen.width is None:
            yield text.encode()
        else:
            yield escape_lines(text.replace("\r\n", "\n")).encode()


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
