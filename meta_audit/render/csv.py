"""Results as CSV (RFC 4180), with cells that a spreadsheet would run made harmless."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that make a spreadsheet compute a cell (OWASP, "CSV Injection")."""


def neutralise(cell: str) -> str:
    """Return a cell that no spreadsheet runs: with `'` before it where it would be a formula.

    A cell that begins with `'` itself looks the same: only JSON is exact.
    """
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def to_csv(header: Sequence[str], rows: Iterable[Sequence[str | int | None]]) -> Iterable[str]:
    """Yield the header and each row as text, ended by CR LF; None is an empty cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in (header, *rows):
        writer.writerow([neutralise(c) if isinstance(c, str) else c for c in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
