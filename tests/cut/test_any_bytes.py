"""Whatever the bytes: every cutter ends, raises nothing, and cuts each byte at most once."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meta_audit.catalogue import REASONS, SOURCE_ERRORS
from meta_audit.cut.blocks import Item
from meta_audit.cut.json import split_json
from meta_audit.cut.ndjson import split_ndjson
from meta_audit.cut.yaml import split_yaml
from meta_audit.errors import SourceError
from meta_audit.model import Rejection
from meta_audit.sources import StandardInput
from tests.sources.helpers import assert_numbered, gz, split, zst

PIECES = st.sampled_from(
    [
        b'{"ID":"j-1","Meta":{}}', b'{"Items":[', b'],"NextToken":"x"}', b"[", b"]", b"{", b"}",
        b",", b":", b'"', b"\\", b"\n", b"\r\n", b" ", b"\xef\xbb\xbf", b"\xef\xbb", b"\xff\xfe",
        b"\xfe\xff", b"\0", b"---\n", b"...\n", b"--- ", b"- ", b"-\n", b"items:\n", b"jobs: [",
        b"nexttoken: x\n", b"&a ", b"*a", b"!!x ", b"|\n ", b"# c\n", b"'", b"%YAML 1.1\n", b"? ",
        b"\t", b"\xc3\xa9", b"\x80", b"Migration successful\n", b"Initializing repo at ",
        b"12:00:01.1 | INF", b"$ bacalhau x\n", b"ID = j\n", b"curl x\n", b"HTTP/1.1 200\n",
        b"\x1b[0m", b"1", b"null", b"Name: x\n", b"  ",
        b"[INFO] x\n", b"{x}\n", b'{"Job": {"ID": "j"}}', b"Tasks: [{Engine: x}]\n",
    ]
)  # fmt: skip
DATA = st.lists(PIECES, max_size=25).map(b"".join) | st.binary(max_size=60)
NAMES = st.sampled_from(["x", "x.json", "x.ndjson", "x.yaml", "x.json.gz"])


def assert_apart(items: list[Item], data: bytes) -> None:
    """Evidence stands in the source, in order, and never overlaps."""
    at = 0
    for item in items:
        at = data.index(item.content, at)
        assert 1 <= item.line <= data.count(b"\n") + 1
        at += len(item.content)
    assert sum(len(item.content) for item in items) <= len(data)


@given(DATA, st.sampled_from([split_json, split_ndjson, split_yaml]))
def test_cutters(data: bytes, splitter: object) -> None:
    items = split(splitter, data)  # type: ignore[arg-type]
    assert_numbered(items)
    assert_apart(items, data)
    assert items == split(splitter, data, 1) == split(splitter, data, 7)  # type: ignore[arg-type]
    assert {i.reason for i in items if isinstance(i, Rejection)} <= REASONS.keys()


@given(DATA, NAMES, st.sampled_from([1, 5, 1 << 18]))
def test_sources(data: bytes, name: str, block_bytes: int) -> None:
    source = StandardInput(io.BytesIO(data), uri=name, block_bytes=block_bytes)
    try:
        items = list(source.documents())
    except SourceError as error:
        assert error.code in SOURCE_ERRORS  # noqa: PT017 - either is right
        return
    assert_numbered(items)
    if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert_apart(items, data)
    assert source.bytes_read == len(data)


@given(DATA, st.sampled_from([gz, zst]), st.integers(0, 200), st.integers(0, 255), NAMES)
def test_compressed_sources(data: bytes, pack: object, at: int, byte: int, name: str) -> None:
    packed = bytearray(pack(data))  # type: ignore[operator]
    packed[at % len(packed)] ^= byte
    try:
        assert_numbered(list(StandardInput(io.BytesIO(packed), uri=name).documents()))
    except SourceError as error:
        assert error.code in SOURCE_ERRORS  # noqa: PT017


@example('"', "utf-16-le", 0, "x.ndjson")
@given(st.text(max_size=60), st.sampled_from(["utf-16-le", "utf-16-be"]), st.integers(0, 3), NAMES)
def test_wide_sources(text: str, encoding: str, cut: int, name: str) -> None:
    data = ("\ufeff" + text).encode(encoding, "surrogatepass")
    whole = list(StandardInput(io.BytesIO(data[: len(data) - cut]), uri=name).documents())
    assert_numbered(whole)
    if not cut and not text.startswith(("\ufeff", "\0")):
        plain = ("\ufeff" + text).encode("utf-8", "surrogatepass")
        assert whole == list(StandardInput(io.BytesIO(plain), uri=name).documents())


@pytest.mark.parametrize(
    "data", [b"{" * 1_000_000, b'["' * 2_000_000, b"- " * 2_000_000, b"? " * 99_999]
)
@pytest.mark.parametrize("name", ["x", "x.json", "x.ndjson", "x.yaml"])
def test_depth_and_length_cost_little(data: bytes, name: str) -> None:
    assert len(list(StandardInput(io.BytesIO(data), uri=name).documents())) <= 2
