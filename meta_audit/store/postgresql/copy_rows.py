"""Rows in the binary form of PostgreSQL's COPY (documentation of COPY, "Binary Format").

Integers are packed many at a time: those of some hundred rows where there is nothing else,
else those between two texts.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, repeat
from struct import Struct, error
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from meta_audit.store.session import Values

Kind = Literal["int8", "text", "bytea"]
"""Type of a column."""

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
"""Signature, no flags, no extension."""
TRAILER: Final = b"\xff\xff"
ROWS_PER_PIECE: Final = 500

_NULL: Final = b"\xff\xff\xff\xff"
_LENGTH: Final = Struct(">i").pack
_INT: Final = Struct(">iq").pack


def encode(kinds: tuple[Kind, ...], values: Values) -> Iterator[bytes]:
    """Yield the rows in pieces, header and trailer included."""
    yield HEADER
    without_null = _integers if set(kinds) == {"int8"} else _runs
    for start in range(0, len(values[0]), ROWS_PER_PIECE):
        some = [column[start : start + ROWS_PER_PIECE] for column in values]
        try:
            yield without_null(kinds, some)
        except (error, TypeError, AttributeError):
            yield _field_by_field(kinds, some)
    yield TRAILER


def _integers(kinds: tuple[Kind, ...], values: Values) -> bytes:
    """Rows of integers alone."""
    width = len(kinds)
    layout, fields = _layout(width, len(values[0]))
    fields = fields.copy()
    for number, column in enumerate(values):
        fields[2 + 2 * number :: 1 + 2 * width] = column
    return layout.pack(*fields)


@lru_cache
def _layout(width: int, rows: int) -> tuple[Struct, list[int]]:
    """Form of so many rows of integers: 2 bytes the number of fields; each 4 bytes of length, 8."""
    return Struct(">" + ("h" + "iq" * width) * rows), [width, *[8, 0] * width] * rows


class _Run(NamedTuple):
    """Integers of a row up to the next text, whose length is packed with them."""

    pack: Callable[..., bytes]
    integers: tuple[int, ...]
    text: int | None


@lru_cache
def _runs_of(kinds: tuple[Kind, ...]) -> tuple[_Run, ...]:
    ends = [n for n, kind in enumerate(kinds) if kind != "int8"]
    runs: list[_Run] = []
    begin = 0
    for text in [*ends, None]:
        integers = tuple(range(begin, len(kinds) if text is None else text))
        form = ">" + "h" * (not runs) + "iq" * len(integers) + "i" * (text is not None)
        if form != ">":
            runs.append(_Run(Struct(form).pack, integers, text))
        begin = begin if text is None else text + 1
    return tuple(runs)


def _runs(kinds: tuple[Kind, ...], values: Values) -> bytes:
    """Rows of any types, none of them NULL."""
    parts: list[Iterable[bytes]] = []
    for run in _runs_of(kinds):
        arguments: list[Iterable[int]] = [] if parts else [repeat(len(kinds))]
        for number in run.integers:
            arguments += (repeat(8), values[number])
        if run.text is None:
            parts.append(map(run.pack, *arguments))
            continue
        texts = values[run.text]
        if kinds[run.text] == "text":
            texts = [text.encode() for text in texts]
        parts += (map(run.pack, *arguments, map(len, texts)), texts)
    return b"".join(chain.from_iterable(zip(*parts, strict=False)))


def _field_by_field(kinds: tuple[Kind, ...], values: Values) -> bytes:
    """Rows of any types, with NULLs."""
    begin = len(kinds).to_bytes(2, "big")
    fields = [map(_FIELD[kind], column) for kind, column in zip(kinds, values, strict=True)]
    return b"".join(chain.from_iterable(zip(repeat(begin), *fields, strict=False)))


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
