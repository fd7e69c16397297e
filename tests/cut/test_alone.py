"""What is seen at once to be one document is just what cutting the content gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.cut.alone import document_alone
from meta_audit.cut.blocks import Blocks, Item
from meta_audit.cut.records import cut_records
from meta_audit.model import Document
from tests.cut.test_any_bytes import DATA, NAMES
from tests.docs.shell import ROOT

KEYS = st.sampled_from(
    ["ID", "id", "Job", "job", "Items", "Jobs", "History", "NextToken", "Meta", "x", "\0", "é", '"']
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "{", "}\n", "a\\", "[]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5)


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """A JSON object as some program writes it, and what may stand around it."""
    text = json.dumps(
        draw(OBJECTS),
        indent=draw(st.sampled_from([None, 0, 1, "\t"])),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([None, (",", ":"), (" ,\n", ": ")])),
    )
    data = text.encode()
    around = st.sampled_from(
        [b"", b"", b"", b"\n", b" ", b"\r\n\n", b"{}", b",", b"\0", b"\n# c\n", b"\xef\xbb\xbf"]
    )
    cut = draw(st.integers(0, 2)) if draw(st.booleans()) else 0
    return draw(around) + data[: len(data) - cut] + draw(around)


def cut_whole(data: bytes, name: str) -> tuple[list[Item], object]:
    blocks = Blocks([data] if data else [])
    items = [item for batch in cut_records(blocks, name) for item in batch]
    return items, blocks.partial


@given(contents() | DATA, NAMES)
def test_it_is_what_cutting_gives(data: bytes, name: str) -> None:
    alone = document_alone(data, name)
    if alone is not None:
        assert cut_whole(data, name) == ([alone], None)


@pytest.mark.parametrize("end", [b"", b"\n", b" \r\n\n"])
@pytest.mark.parametrize("indent", [None, 2])
def test_the_jobs_that_servers_give_out_are_seen(end: bytes, indent: int | None) -> None:
    job = {"ID": "j-1", "Name": "x", "Meta": {"a": "{"}, "Tasks": [{"Name": "t"}]}
    for one in (job, {"Job": job, "State": {}}, {"Metadata": {"ID": "1"}, "Spec": {}}):
        data = json.dumps(one, indent=indent).encode()
        assert document_alone(data + end, "j.json") == Document(data, 1, 1, "json")


def test_the_examples() -> None:
    seen = 0
    for path in sorted(Path(ROOT / "examples").iterdir()):
        alone = document_alone(path.read_bytes(), path.name)
        if alone is not None:
            assert cut_whole(path.read_bytes(), path.name) == ([alone], None)
            seen += 1
    assert seen > 0
