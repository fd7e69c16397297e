"""Rows of a query, as a stream: memory does not grow with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meta_audit.query.sql import SQL_FORMAT, by_column, plain
from meta_audit.render.columns import table_stream
from meta_audit.render.csv import to_csv
from meta_audit.render.escape import escape_lines
from meta_audit.render.json import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meta_audit.render.layout import Screen
    from meta_audit.store.session import SelectedRows

    Writer = Callable[[SelectedRows, Screen], Iterator[bytes]]


def write_rows(found: SelectedRows, format_: str, screen: Screen) -> Iterator[bytes]:
    """Yield the rows in a format of `WRITERS`."""
    return WRITERS[format_](found, screen)


def _text(found: SelectedRows, screen: Screen) -> Iterator[bytes]:
    rows = ([_cell(value) for value in row] for row in found.rows)
    for text in table_stream(found.columns, rows, screen):
        yield text.encode(screen.encoding, "backslashreplace")


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    return str(plain(value))


def _json(found: SelectedRows, _: Screen) -> Iterator[bytes]:
    head = to_json({"format": SQL_FORMAT, "columns": found.columns}, indent=0)
    yield head.rstrip(b"}\n") + b',"rows":['
    separator = b"\n"
    for line in _ndjson(found, _):
        yield separator + line.rstrip(b"\n")
        separator = b",\n"
    yield b"\n]}\n"


def _ndjson(found: SelectedRows, _: Screen) -> Iterator[bytes]:
    for row in found.rows:
        yield to_json(by_column(found.columns, row), indent=0)


def _csv(found: SelectedRows, screen: Screen) -> Iterator[bytes]:
    rows = ([plain(value) for value in row] for row in found.rows)
    for text in to_csv(found.columns, rows):
        on_terminal = screen.width is not None
        yield (escape_lines(text.replace("\r\n", "\n")) if on_terminal else text).encode()


WRITERS: Final[dict[str, Writer]] = {
    "text": _text,
    "json": _json,
    "ndjson": _ndjson,
    "csv": _csv,
}
