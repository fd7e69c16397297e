"""JSON cut into records: exact bytes, broken structure, block boundaries."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.cut.json import end_of_value, split_json
from meta_audit.model import KEPT_OF_TOO_LARGE, MAX_DOCUMENT_BYTES, Rejection
from tests.sources.helpers import FEW, assert_numbered, contents, good, reasons, split

TEXT = st.text(st.sampled_from('ab{}[]":,\\\n\u00e9\U0001f600 '), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
SPACE = st.text(" \t\r\n", max_size=3).map(str.encode)
STYLES = st.sampled_from(
    [
        {"indent": None, "separators": (",", ":")},
        {"indent": 2},
        {"indent": 0},
        {"ensure_ascii": False},
    ]
)


@st.composite
def written(draw: st.DrawFn) -> bytes:
    return json.dumps(draw(VALUES), **draw(STYLES)).encode()


@FEW
@given(st.lists(written(), max_size=6), st.data(), st.integers(1, 50))
def test_elements_of_an_array_are_cut_exactly(
    elements: list[bytes], data: st.DataObject, size: int
) -> None:
    source = data.draw(SPACE) + b"["
    offsets = []
    for number, element in enumerate(elements):
        source += (b"," if number else b"") + data.draw(SPACE)
        offsets.append(len(source))
        source += element + data.draw(SPACE)
    source += b"]" + data.draw(SPACE)
    items = split(split_json, source, size)
    assert contents(items) == elements
    assert_numbered(items)
    for item, offset in zip(items, offsets, strict=True):
        assert source[offset : offset + len(item.content)] == item.content
        assert item.line == source.count(b"\n", 0, offset) + 1


@FEW
@given(st.lists(st.dictionaries(TEXT, VALUES, max_size=3), max_size=5), STYLES, st.integers(1, 50))
def test_pages_and_arrays_give_the_same_records(
    records: list[dict[str, object]], style: dict[str, object], size: int
) -> None:
    page = {"NextToken": "x[{", "Items": records, "Total": [1, {"a": 2}]}
    items = split(split_json, json.dumps(page, **style).encode(), size)
    assert [json.loads(content) for content in contents(items)] == records


@FEW
@given(st.lists(st.dictionaries(TEXT, VALUES), min_size=1, max_size=5), STYLES, st.integers(1, 50))
def test_values_one_after_the_other(
    records: list[dict[str, object]], style: dict[str, object], size: int
) -> None:
    elements = [json.dumps({"ID": "x", **record}, **style).encode() for record in records]
    assert contents(split(split_json, b"\n".join(elements), size)) == elements


@FEW
@given(written())
def test_a_whole_value_ends_at_its_end(value: bytes) -> None:
    assert end_of_value(value) == len(value)
    assert end_of_value(value + b"  ") in (len(value), len(value) + 2)


@FEW
@given(st.text('{}[]",:\\ \na1', max_size=25).map(str.encode))
def test_whatever_the_bytes_block_size_makes_no_difference(data: bytes) -> None:
    items = split(split_json, data)
    assert items == split(split_json, data, 1) == split(split_json, data, 3)
    assert_numbered(items)
    at = 0
    for item in items:
        at = data.index(item.content, at) + len(item.content)


SAMPLES = [
    b'[{"a":1},\n {"b":[2,{"c":"]\\""}]},\n {"d":"\xc3\xa9"}]\n',
    b'{"Items":[{"a":1},{"b":[2]},{"d":3}],"NextToken":"n"}',
    b'{"ID":"1"}\n{\n "ID": "2"\n}\n{"ID":"3"}',
]


@pytest.mark.parametrize("sample", SAMPLES)
def test_cut_at_every_byte_complete_records_come_out(sample: bytes) -> None:
    whole = contents(split(split_json, sample))
    ends = []
    at = 0
    for content in whole:
        at = sample.index(content, at) + len(content)
        ends.append(at)
    for cut in range(len(sample)):
        items = split(split_json, sample[:cut])
        complete = [content for content, end in zip(whole, ends, strict=True) if end <= cut]
        assert good(items)[: len(complete)] == complete, cut
        assert set(reasons(items)) <= {"truncated", "empty", "json.syntax"}, cut


@pytest.mark.parametrize(
    ("data", "documents", "rejected"),
    [
        (b"", [], ["empty"]),
        (b" \n\t", [], ["empty"]),
        (b"[]", [], []),
        (b' { "Items" : [ ] , "NextToken" : "" } ', [], []),
        (b'{"Items":null,"NextToken":""}', [], []),
        (b'{"items":[1],"JOBS":[2]}', [b"1", b"2"], []),
        (b'{"\\u0049tems":[1]}', [b"1"], []),
        (b'{"Job":{},"History":[1]}', [b'{"Job":{},"History":[1]}'], []),
        (b'{"History":[1],"Job":{}}', [b'{"History":[1],"Job":{}}'], []),
        (b'{"ID":"x","Executions":[]}', [b'{"ID":"x","Executions":[]}'], []),
        (b'{"Executions":{"Items":[]}}', [b'{"Executions":{"Items":[]}}'], []),
        (b'{"Items":"x"}', [b'{"Items":"x"}'], []),
        (b"{}", [b"{}"], []),
        (b' "x" ', [b'"x"'], []),
        (b"nul", [b"nul"], []),
        (b"\xef\xbb\xbf", [], ["empty"]),
        (b'{"a":1} x', [b'{"a":1}'], ["trailing_data"]),
        (b'{"a":1}}', [b'{"a":1}'], ["trailing_data"]),
        (b'{"a":1}{"b":2}', [b'{"a":1}'], ["trailing_data"]),
        (b"[][]", [], ["trailing_data"]),
        (b"[1],", [b"1"], ["trailing_data"]),
        (b"]", [], ["json.syntax"]),
        (b"[1,]", [b"1"], ["json.syntax"]),
        (b"[,1]", [], ["json.syntax"]),
        (b"[1 2]", [b"1"], ["json.syntax"]),
        (b"[1}", [b"1"], ["json.syntax"]),
        (b"[tru,{}]", [b"tru", b"{}"], []),
        (b'[{"a":tru},{}]', [b'{"a":tru}', b"{}"], []),
        (b'{"Items":[1],"Items":[2]}', [b"1"], ["duplicate_key"]),
        (b'{"Items":[1],"items":[2]}', [b"1"], ["case_collision"]),
        (b'{"Items":[1],"Next":tru}', [b"1"], ["json.syntax"]),
        (b'{"Items":[1],"Next"}', [b"1"], ["json.syntax"]),
        (b'{"Items":[1],}', [b"1"], ["json.syntax"]),
        (b"[", [], ["truncated"]),
        (b'["a', [], ["truncated"]),
        (b'{"a":"\\', [], ["truncated"]),
        (b'{"Items":[1],', [b"1"], ["truncated"]),
        (b"[" * 100_000, [], ["truncated"]),
    ],
)
def test_structure(data: bytes, documents: list[bytes], rejected: list[str]) -> None:
    for size in (1, 1 << 18) if len(data) < 1000 else (1 << 18,):
        items = split(split_json, data, size)
        assert (good(items), reasons(items)) == (documents, rejected)


def test_an_element_above_the_limit_leaves_its_neighbours_alone() -> None:
    huge = b'{"k":["' + b'\\"x' * (MAX_DOCUMENT_BYTES // 3) + b'"]}'
    items = split(split_json, b'[{"a":1},' + huge + b',{"b":2}]')
    assert good(items) == [b'{"a":1}', b'{"b":2}']
    rejection = items[1]
    assert isinstance(rejection, Rejection)
    assert rejection.reason == "too_large"
    assert rejection.size == len(huge)
    assert rejection.sha256 == hashlib.sha256(huge).digest()
    assert rejection.content == huge[:KEPT_OF_TOO_LARGE]


def test_a_page_may_be_larger_than_a_document() -> None:
    element = b'{"ID":"j-1","Meta":{"k":"' + b"v" * 100_000 + b'"}}'
    count = MAX_DOCUMENT_BYTES // len(element) + 20
    data = b'{"NextToken":"","Items":[' + b",".join([element] * count) + b"]}"
    assert contents(split(split_json, data)) == [element] * count
