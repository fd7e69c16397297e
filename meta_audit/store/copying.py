"""Rows in the binary form of PostgreSQL's COPY (documentation of COPY, "Binary Format").

Values come flat: those of the first row, of the second … Rows of integers alone, most of
all rows, are packed some hundred at a time.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, repeat
from struct import Struct, error
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Kind = Literal["int8", "text", "bytea"]
"""Type of a column."""

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
"""Signature, no flags, no extension."""
TRAILER: Final = b"\xff\xff"
ROWS_PER_PIECE: Final = 500

_NULL: Final = b"\xff\xff\xff\xff"
_LENGTH: Final = Struct(">i").pack
_INT: Final = Struct(">iq").pack


def encode(kinds: tuple[Kind, ...], values: list[Any]) -> Iterator[bytes]:
    """Yield the rows in pieces, header and trailer included."""
    yield HEADER
    width = len(kinds)
    step = ROWS_PER_PIECE * width
    only_integers = all(kind == "int8" for kind in kinds)
    for start in range(0, len(values), step):
        some = values[start : start + step] if len(values) > step else values
        yield (_integers if only_integers else _mixed)(kinds, some)
    yield TRAILER


def _integers(kinds: tuple[Kind, ...], values: list[Any]) -> bytes:
    width = len(kinds)
    layout, fields = _layout(width, len(values) // width)
    fields = fields.copy()
    for column in range(width):
        fields[2 + 2 * column :: 1 + 2 * width] = values[column::width]
    try:
        return layout.pack(*fields)
    except error:  # a NULL
        return _mixed(kinds, values)


@lru_cache
def _layout(width: int, rows: int) -> tuple[Struct, list[int]]:
    """Form of so many rows of integers: 2 bytes the number of fields; each 4 bytes of length, 8."""
    return Struct(">" + ("h" + "iq" * width) * rows), [width, *[8, 0] * width] * rows


def _mixed(kinds: tuple[Kind, ...], values: list[Any]) -> bytes:
    width = len(kinds)
    begin = width.to_bytes(2, "big")
    columns = [map(_FIELD[kind], values[n::width]) for n, kind in enumerate(kinds)]
    return b"".join(chain.from_iterable(zip(repeat(begin), *columns, strict=False)))


def _int_field(value: int | None) -> bytes:
    return _NULL if value is None else _INT(8, value)


def _text_field(value: str | None) -> bytes:
    return _NULL if value is None else _bytes_field(value.encode())


def _bytes_field(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH(len(value)) + value


_FIELD: Final[dict[Kind, Callable[[Any], bytes]]] = {
    "int8": _int_field,
    "text": _text_field,
    "bytea": _bytes_field,
}
