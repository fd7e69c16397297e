"""YAML cut at document marks, and lists of records into elements that stand alone."""

from __future__ import annotations

import hashlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.cut.yaml import split_yaml
from meta_audit.model import KEPT_OF_TOO_LARGE, MAX_DOCUMENT_BYTES, Rejection
from tests.sources.helpers import FEW, assert_numbered, blocks, contents, good, reasons, split

TEXT = st.text(st.sampled_from("ab -#:'\"[]{}\n\u00e9\U0001f600,?|>&"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
RECORDS = st.lists(st.dictionaries(TEXT, VALUES, min_size=1, max_size=3), min_size=1, max_size=4)
STYLES = st.fixed_dictionaries(
    {
        "default_flow_style": st.sampled_from([False, None, True]),
        "default_style": st.sampled_from([None, "'", '"', "|", ">"]),
        "allow_unicode": st.booleans(),
        "indent": st.sampled_from([None, 4]),
        "line_break": st.sampled_from(["\n", "\r\n"]),
        "width": st.sampled_from([10, 80]),
    }
)


def dump(value: object, style: dict[str, object]) -> bytes:
    return yaml.safe_dump(value, encoding="utf-8", **style)


def load_element(content: bytes) -> object:
    """An element in block style is a list of one; in flow style it is itself."""
    value = yaml.safe_load(content)
    return value[0] if content.lstrip().startswith(b"-") and isinstance(value, list) else value


@FEW
@given(RECORDS, STYLES, st.integers(1, 40), st.booleans())
def test_documents_are_cut_at_their_marks(
    records: list[dict[str, object]], style: dict[str, object], size: int, first: bool
) -> None:
    parts = [dump({"ID": "x", **record}, style) for record in records]
    data = (b"---\n" if first else b"") + b"---\n".join(parts)
    items = split(split_yaml, data, size)
    # PyYAML may end a document with a mark of its own.
    assert contents(items) == [part.removesuffix(b"...\n") for part in parts]
    assert_numbered(items)
    line = 1 + first
    for item, part in zip(items, parts, strict=True):
        assert item.line == line
        line += part.count(b"\n") + 1


@FEW
@given(RECORDS, STYLES, st.integers(1, 40))
def test_elements_of_a_list_stand_alone_and_are_cut_exactly(
    records: list[dict[str, object]], style: dict[str, object], size: int
) -> None:
    data = dump(records, style)
    items = split(split_yaml, data, size)
    # PyYAML does not always read back what it writes.
    assert [load_element(content) for content in contents(items)] == yaml.safe_load(data)
    assert_numbered(items)
    at = 0
    for item in items:
        at = data.index(item.content, at)
        assert item.line == data.count(b"\n", 0, at) + 1
        at += len(item.content)


@FEW
@given(RECORDS, STYLES)
def test_elements_of_a_page_stand_alone(
    records: list[dict[str, object]], style: dict[str, object]
) -> None:
    data = dump({"items": records, "nexttoken": "x"}, style)
    items = split(split_yaml, data)
    assert [load_element(content) for content in contents(items)] == yaml.safe_load(data)["items"]


@FEW
@given(st.text("ab:-.# \n\r'\"|[]{}&*%!", max_size=40).map(str.encode))
def test_whatever_the_bytes_block_size_makes_no_difference(data: bytes) -> None:
    items = split(split_yaml, data)
    assert items == split(split_yaml, data, 1) == split(split_yaml, data, 5)
    assert_numbered(items)


@pytest.mark.parametrize(
    ("data", "documents"),
    [
        (b"a: 1\n...\n# c\n---\n\n\nb: 2", [b"a: 1\n", b"b: 2"]),
        (b"%YAML 1.2\n---\na: 1\n...\n%YAML 1.1\n---\nb: 2\n",
         [b"%YAML 1.2\n---\na: 1\n", b"%YAML 1.1\n---\nb: 2\n"]),
        (b"--- {a: 1}\n--- |\n x\n--- # c\nb: 2\n", [b"--- {a: 1}\n", b"--- |\n x\n", b"b: 2\n"]),
        (b"a: |+\n  x\n\n\n---\nb: 1\n", [b"a: |+\n  x\n\n\n", b"b: 1\n"]),
        (b"a: |\n  ---\n  x\n ---\nb: --- c\n", [b"a: |\n  ---\n  x\n ---\nb: --- c\n"]),
        (b"a: 1\n----\n", [b"a: 1\n----\n"]),
        (b"a: 1\r\n---\r\nb: 2\r\n", [b"a: 1\r\n", b"b: 2\r\n"]),
        (b"[]\n", []),
        (b"Items: []\n", []),
        (b"Items:\nNextToken: ''\n", []),
        (b"# a\n- x: 1\n# b\n- y: 2\n", [b"- x: 1\n# b\n", b"- y: 2\n"]),
        (b"Items:\n- a\n- b\nNextToken: x\n", [b"- a\n", b"- b\n"]),
        (b"JOBS:\n  - a\n  - b\nx: y", [b"  - a\n", b"  - b\n"]),
        (b"{'jobs': [{'id': 'x'}, {}], 'n': None}", [b"{'id': 'x'}", b"{}"]),
        (b"[{'a': None}, ]\n", [b"{'a': None}"]),
        (b"\xef\xbb\xbf- \xc3\xa9\n- b\n", [b"- \xc3\xa9\n", b"- b\n"]),
        (b"- - a\n  - b\n- ? c\n  : d\n", [b"- - a\n  - b\n", b"- ? c\n  : d\n"]),
        (b"- a: [1\n  b: 2\n- c\n", [b"- a: [1\n  b: 2\n- c\n"]),
        (b"- a: 1\n b: 2\n- c: 3\n", [b"- a: 1\n b: 2\n", b"- c: 3\n"]),
        (b"- &a x\n- *a\n", [b"- &a x\n- *a\n"]),
        (b"- &a x\n- b: &b 1\n  c: *b\n", [b"- &a x\n", b"- b: &b 1\n  c: *b\n"]),
        (b"job: {}\nitems:\n- a\n", [b"job: {}\nitems:\n- a\n"]),
        (b"items:\n- a\nID: x\n", [b"items:\n- a\nID: x\n"]),
        (b"items:\n- a\nitems:\n- b\n", [b"items:\n- a\nitems:\n- b\n"]),
        (b"executions:\n  items:\n  - a\njob: 1\n", [b"executions:\n  items:\n  - a\njob: 1\n"]),
        (b"items: !!set\n- a\n", [b"items: !!set\n- a\n"]),
        (b"- \xff\n- b\n", [b"- \xff\n- b\n"]),
        (b"- a\n- \0\n", [b"- a\n- \0\n"]),
    ],
)  # fmt: skip
def test_cuts(data: bytes, documents: list[bytes]) -> None:
    for size in (1, 7, 1 << 18):
        assert contents(split(split_yaml, data, size)) == documents


@pytest.mark.parametrize("data", [b"", b"\n \n", b"# only\n", b"---\n---\n# x\n...\n"])
def test_nothing_but_comments_is_one_rejection(data: bytes) -> None:
    assert reasons(split(split_yaml, data)) == ["empty"]


@pytest.mark.parametrize("opening", [b"[", b"{a: ", b"- ", b"? "])
def test_depth_cannot_crash_it(opening: bytes) -> None:
    data = opening * 200_000
    assert contents(split(split_yaml, data)) == [data]


def test_a_document_above_the_limit_leaves_its_neighbours_alone() -> None:
    huge = b"a: " + b"x" * MAX_DOCUMENT_BYTES + b"\nb: c\n"
    items = split(split_yaml, b"a: 1\n---\n" + huge + b"---\nb: 2\n")
    assert good(items) == [b"a: 1\n", b"b: 2\n"]
    rejection = items[1]
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.size, rejection.line) == ("too_large", len(huge), 3)
    assert rejection.sha256 == hashlib.sha256(huge).digest()
    assert rejection.content == huge[:KEPT_OF_TOO_LARGE]


def test_a_long_line_may_hold_what_looks_like_a_mark() -> None:
    line = b"a: '" + b"-" * (1 << 18) + b"--- ---'\n"
    assert contents(split(split_yaml, line + b"---\nb: 1\n", 1000)) == [line, b"b: 1\n"]


def test_a_document_whose_end_is_missing_is_truncated_its_complete_elements_are_not() -> None:
    from meta_audit.cut.blocks import BadEnding

    source = blocks(b"a: 1\n---\n- b: 1\n- c: 2\n- d: '3")
    source._source = _damaged(list(source), BadEnding("truncated", "test"))
    items = [item for batch in split_yaml(source) for item in batch]
    assert good(items) == [b"a: 1\n", b"- b: 1\n", b"- c: 2\n"]
    assert reasons(items) == ["truncated"]
    assert items[-1].content == b"- d: '3"


def _damaged(parts: list[bytes], damage: Exception) -> object:
    yield from parts
    raise damage
