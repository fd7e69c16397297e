"""NDJSON: lines, whatever is in them and wherever the blocks are cut."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.cut.ndjson import split_ndjson
from meta_audit.model import KEPT_OF_TOO_LARGE, MAX_DOCUMENT_BYTES, Document, Rejection
from tests.sources.helpers import FEW, assert_numbered, contents, good, reasons, split

LINES = st.lists(
    st.binary(min_size=1, max_size=30)
    .map(lambda raw: b'{"ID":"' + raw.replace(b"\n", b"").replace(b"\r", b"") + b'"}')
    .filter(lambda line: line.count(b'"') == 4 and b"\\" not in line),
    max_size=12,
)


@FEW
@given(LINES, st.integers(1, 40), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_split_is_the_inverse_of_join(
    lines: list[bytes], size: int, end: bytes, last_end: bool
) -> None:
    data = end.join(lines) + (end if last_end and lines else b"")
    items = split(split_ndjson, data, size)
    if not lines:
        assert reasons(items) == ["empty"]
        return
    assert contents(items) == lines
    assert_numbered(items)
    assert [item.line for item in items] == list(range(1, len(lines) + 1))


@FEW
@given(
    st.lists(st.sampled_from([b'{"a":1}', b"", b" ", b"\t", b"{", b"x", b'"', b"]", b"null"])),
    st.integers(1, 9),
)
def test_a_bad_line_never_affects_its_neighbours(lines: list[bytes], size: int) -> None:
    data = b"".join(line + b"\n" for line in lines)
    items = split(split_ndjson, data, size)
    wanted = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    assert [(item.line, item.content) for item in items] == wanted or (
        not wanted and reasons(items) == ["empty"]
    )


def test_lines_that_are_lists_or_pages_are_cut() -> None:
    data = b'{"ID":"1"}\n[{"ID":"2"},{"ID":"3"}]\n{"Items":[{"ID":"4"}]}\n{"jobs":[]}\n{"ID":"5"}\n'
    items = split(split_ndjson, data)
    assert contents(items) == [b'{"ID":"%d"}' % n for n in range(1, 6)]
    assert [item.line for item in items] == [1, 2, 2, 3, 5]
    assert_numbered(items)


def test_a_broken_list_in_a_line_is_one_rejection_and_the_next_line_is_fine() -> None:
    items = split(split_ndjson, b'[{"ID":"1"} {"ID":"2"}]\n{"ID":"3"}\n')
    assert good(items) == [b'{"ID":"1"}', b'{"ID":"3"}']
    assert reasons(items) == ["json.syntax"]


def test_a_last_line_without_end_is_taken_when_whole_and_truncated_when_not() -> None:
    assert contents(split(split_ndjson, b'{"a":1}\n{"a":2}')) == [b'{"a":1}', b'{"a":2}']
    items = split(split_ndjson, b'{"a":1}\n{"a":2')
    assert good(items) == [b'{"a":1}']
    assert reasons(items) == ["truncated"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_above_the_limit_is_hashed_as_it_streams(end: bytes) -> None:
    huge = b'{"Meta":{"k":"' + b"x" * MAX_DOCUMENT_BYTES + b'"}}'
    items = split(split_ndjson, b'{"a":1}\n' + huge + end + (b'{"a":2}\n' if end else b""))
    assert good(items) == [b'{"a":1}', b'{"a":2}'][: 2 if end else 1]
    rejection = items[1]
    assert isinstance(rejection, Rejection)
    assert rejection.line == 2
    assert rejection.size == len(huge)
    assert rejection.sha256 == hashlib.sha256(huge).digest()
    assert rejection.content == huge[:KEPT_OF_TOO_LARGE]
    if end:
        assert rejection.reason == "too_large"


def test_a_line_at_the_limit_is_taken() -> None:
    line = b'{"k":"' + b"x" * (MAX_DOCUMENT_BYTES - 8) + b'"}'
    assert contents(split(split_ndjson, line + b"\r\n" + b"{}\n")) == [line, b"{}"]


def test_tiny_lines_come_in_bounded_batches() -> None:
    batches = [len(batch) for batch in split_ndjson_batches(b"1\n" * 100_000)]
    assert sum(batches) == 100_000
    assert max(batches) <= 8192


def split_ndjson_batches(data: bytes) -> list[list[Document | Rejection]]:
    from tests.sources.helpers import blocks

    return list(split_ndjson(blocks(data)))
