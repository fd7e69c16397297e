"""Told apart by content as well as by name."""

from __future__ import annotations

import json

import pytest

from meta_audit.cut.detect import detect
from tests.sources.helpers import blocks, contents, good, read

LINE = b'{"ID":"j-1","Meta":{"k":"v"}}'
PRETTY = json.dumps([{"ID": "j-1"}, {"ID": "j-2"}], indent=2).encode()


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("x", LINE + b"\n" + LINE + b"\n", "ndjson"),
        ("x.json", LINE + b"\n" + LINE + b"\n", "ndjson"),
        ("x.yaml", LINE + b"\n" + LINE + b"\n", "ndjson"),
        ("x.json", LINE + b"\n", "json"),
        ("x", LINE, "json"),
        ("x", PRETTY, "json"),
        ("x.yaml", PRETTY, "json"),
        ("x.ndjson", PRETTY, "json"),
        ("x.jsonl", b"broken\n" + LINE + b"\n", "ndjson"),
        ("x.ndjson.gz", b'{"a":\n' + LINE + b"\n", "ndjson"),
        ("x", b"a log line\n" + (LINE + b"\n") * 3, "ndjson"),
        ("x", b"\xef\xbb\xbf" + LINE, "json"),
        ("x", b"[" + LINE + b",\n" + LINE + b"]", "json"),
        ("x.json", b"[\n" + LINE + b",\n" + LINE + b"\n]", "json"),
        ("x", PRETTY[:-10], "json"),
        ("x", b'{"a": NaN}', "json"),
        ("x.json", b"{'a': None}", "json"),
        ("x", b"{'a': None}", "yaml"),
        ("x.txt", b'{"a": None}', "yaml"),
        ("x.yaml", b"{a: 1}", "yaml"),
        ("x.yaml", b'{"a": 1}\n---\n{"b": 2}\n', "yaml"),
        ("x.yaml", b"Name: x\n", "yaml"),
        ("x.json", b"Name: x\n", "yaml"),
        ("x.json", b"# c\n---\nName: x\n", "yaml"),
        ("x.json", b"true", "json"),
        ("x.json", b"\xe5", "json"),
        ("x", b"Name: x\n", "yaml"),
        ("x.json.zst", b"", "json"),
        ("x.yml", b"  \n", "yaml"),
        ("x", LINE.decode().encode("utf-16"), "utf-16"),
        ("x", LINE.decode().encode("utf-16-le"), "utf-16"),
        ("x", b'{"k":"' + b"x" * 200_000 + b'"}', "json"),
        ("x", b'{"k":"' + b"\\n" * 200_000 + b'", "b": nul}', "yaml"),
        ("x", b'{"k":"' + b"x" * 200_000, "json"),
        ("x.ndjson", b'{"Items":[' + LINE * 4000, "json"),
        ("x.ndjson", b'{"ID":"' + b"x" * 100_000, "ndjson"),
        ("x", b'{"a": bad' + b" " * 10_000_000, "json"),
    ],
)
def test_detect(name: str, data: bytes, kind: str) -> None:
    source = blocks(data)
    assert detect(source, name) == kind
    assert b"".join(source) == data


def test_utf_16_is_one_document_for_decode_to_refuse() -> None:
    data = (LINE.decode() + "\n").encode("utf-16") * 1000
    assert contents(read(data, "x.ndjson")) == [data]


def test_a_byte_order_mark_stays_with_the_document_but_not_with_elements() -> None:
    assert contents(read(b"\xef\xbb\xbf" + LINE, "x.json"))[0].startswith(b"\xef\xbb\xbf")
    assert good(read(b"\xef\xbb\xbf[" + LINE + b"]", "x.json")) == [LINE]
