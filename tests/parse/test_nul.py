"""NUL is stored in a reversible form, whatever layout and wherever it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from meta_audit.decode import decode
from meta_audit.model import JobRecord
from meta_audit.nul import escape_nul, unescape_nul
from meta_audit.parse import parse
from tests.parse import documents as docs

TEXTS = st.text(st.sampled_from("\0\uffff01a") | st.characters(codec="utf-8"))


@given(TEXTS)
def test_unescaping_gives_the_text_back(text: str) -> None:
    escaped = escape_nul(text)
    assert "\0" not in escaped
    assert unescape_nul(escaped) == text
    assert (escaped == text) == ("\0" not in text and "\uffff" not in text)


@given(TEXTS, TEXTS)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (escape_nul(one) == escape_nul(other)) == (one == other)


def read(value: Any) -> JobRecord:
    content = json.dumps(value).encode()
    return parse(decode(content, "json"), content)


@pytest.mark.parametrize("name", docs.ALL)
def test_no_record_holds_nul(name: str) -> None:
    def with_nul(value: Any) -> Any:
        if isinstance(value, dict):
            maps = any(key in ("0", docs.NODE) for key in value)  # of structs: no texts here
            odd = {} if maps else {"odd\0key": "odd\0value"}
            return {k: with_nul(v) for k, v in value.items()} | odd
        if isinstance(value, list):
            return [with_nul(item) for item in value]
        return value

    content = json.dumps(with_nul(docs.ALL[name])).encode()
    record = parse(decode(content, "json"), content)
    assert "\\u0000" not in json.dumps(to_builtins(record, builtin_types=(bytes,)), default=str)
    assert "text.nul" in {finding.code for finding in record.findings}


def test_meta_with_nul_as_servers_store_it() -> None:
    """v1.1.6 and v1.6.5 accept `{"nul": "a\\u0000b"}` and give it back."""
    record = read(docs.CURRENT | {"Meta": {"nul": "a\0b", "k\0": "", "mark": "\uffff0"}})
    assert record.meta == {"nul": "a\uffff0b", "k\uffff0": "", "mark": "\uffff10"}
    assert [unescape_nul(value) for value in record.meta.values()] == ["a\0b", "", "\uffff0"]
    nul = [finding for finding in record.findings if finding.code == "text.nul"]
    assert [finding.detail for finding in nul] == ["$.Meta.nul", r"$.Meta.k\uffff0, the key"]


@pytest.mark.parametrize(
    "content",
    [
        b'ID: j\nTasks: []\nMeta: {"k": "a\\0b"}\n',
        b'ID: j\nTasks: []\nMeta: {"k": "a\\x00b"}\n',
        b'ID: j\nTasks: []\nMeta: {"k": "a\\u0000b"}\n',
        b'ID: j\nTasks: []\nMeta: {"k": "a\\U00000000b"}\n',
    ],
)
def test_every_way_in_which_yaml_writes_nul(content: bytes) -> None:
    record = parse(decode(content, "yaml"), content)
    assert record.meta == {"k": "a\uffff0b"}
    assert "text.nul" in {finding.code for finding in record.findings}


def test_the_digest_tells_texts_with_nul_apart() -> None:
    """A literal without a value is hashed after a NUL: a text must not pass for one."""
    texts = ["\0" + hex(2**70), "\uffff0" + hex(2**70), "\0", ""]
    values = [*texts, 2**70]
    digests = set()
    for value in values:
        params = {"Engine": {"Type": "docker", "Params": {"k": value}}}
        digests.add(read(docs.CURRENT | {"Tasks": [{"Name": "main"} | params]}).spec_sha256)
    assert len(digests) == len(values)
