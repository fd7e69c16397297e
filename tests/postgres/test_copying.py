"""Rows in COPY's binary form come back as they were, from a decoder and from the server."""

from __future__ import annotations

from struct import unpack_from
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_audit.store.postgresql.copy_rows import HEADER, ROWS_PER_PIECE, TRAILER, Kind, encode
from tests.engines import Server

INTS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    "int8": st.none() | INTS,
    "text": st.none() | TEXTS,
    "bytea": st.none() | st.binary(),
}
READ = {
    "int8": lambda b: int.from_bytes(b, "big", signed=True),
    "text": bytes.decode,
    "bytea": bytes,
}


def decode(kinds: tuple[Kind, ...], data: bytes) -> list[list[Any]]:
    """The inverse of `encode`."""
    assert data.startswith(HEADER)
    assert data.endswith(TRAILER)
    at, end = len(HEADER), len(data) - len(TRAILER)
    columns: list[list[Any]] = [[] for _ in kinds]
    while at < end:
        assert unpack_from(">h", data, at) == (len(kinds),)
        at += 2
        for kind, column in zip(kinds, columns, strict=True):
            (length,) = unpack_from(">i", data, at)
            at += 4
            column.append(None if length < 0 else READ[kind](data[at : at + max(length, 0)]))
            at += max(length, 0)
    return columns


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[Kind, ...], list[list[Any]]]:
    kinds = tuple(draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=5)))
    count = draw(st.integers(0, 20))
    columns = [draw(st.lists(VALUES[k], min_size=count, max_size=count)) for k in kinds]
    return kinds, columns


@given(tables())
def test_round_trip(table: tuple[tuple[Kind, ...], list[list[Any]]]) -> None:
    kinds, values = table
    assert decode(kinds, b"".join(encode(kinds, values))) == values


@pytest.mark.parametrize("rows", [0, 1, ROWS_PER_PIECE - 1, ROWS_PER_PIECE, 2 * ROWS_PER_PIECE + 1])
@pytest.mark.parametrize("null", [False, True])
def test_pieces(rows: int, null: bool) -> None:
    values: list[list[Any]] = [list(range(rows)) for _ in range(3)]
    if null and rows:
        values[-1][-1] = None
    kinds: tuple[Kind, ...] = ("int8", "int8", "int8")
    assert decode(kinds, b"".join(encode(kinds, values))) == values


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(VALUES["int8"], VALUES["text"], VALUES["bytea"]), max_size=20))
def test_the_server_reads_the_same(postgres: Server, rows: list[tuple[Any, ...]]) -> None:
    kinds: tuple[Kind, ...] = ("int8", "int8", "text", "bytea")
    values = [list(c) for c in zip(*((n, *row) for n, row in enumerate(rows)), strict=True)]
    values = values or [[], [], [], []]
    with postgres.connect() as connection:
        connection.execute("CREATE TEMP TABLE t (n bigint, i bigint, t text, b bytea)")
        with connection.cursor().copy("COPY t FROM STDIN (FORMAT BINARY)") as copy:
            for piece in encode(kinds, values):
                copy.write(piece)
        found = connection.execute("SELECT i, t, b FROM t ORDER BY n").fetchall()
    assert found == rows


def test_a_number_beyond_64_bits_is_an_error() -> None:
    from struct import error

    with pytest.raises(error):
        list(encode(("int8",), [[2**63]]))
