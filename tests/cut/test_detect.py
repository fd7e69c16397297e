"""Told apart by content as well as by name."""

from __future__ import annotations

import json

import pytest

from meta_audit.cut.blocks import Blocks
from meta_audit.cut.detect import detect
from meta_audit.cut.records import cut_records
from meta_audit.cut.yaml import split_yaml
from meta_audit.decode import decode
from meta_audit.errors import RejectedError
from meta_audit.model import Rejection
from meta_audit.sources import Budget
from meta_audit.sources.content import open_content
from tests.sources.helpers import (
    assert_numbered,
    blocks,
    contents,
    good,
    gz,
    read,
    reasons,
    split,
)

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


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("x.json", b'{"Tasks": [{"Name": "x",}]}', "yaml"),
        ("x.json", b"{'Spec': {}}", "yaml"),
        ("x.json", b"{Tasks: [] # none\n}", "yaml"),
        ("x.json", b'{"a": 1,}', "json"),
        ("x.json", b'{"Tasks": [{"Name": "x",}', "json"),
        ("x.json", b'{"Tasks": [}', "json"),
        (
            "x.json",
            b'{"Tasks": "' + b"x" * 70_000 + b'", "a": [1 ' + b" " * 70_000 + b",\n]}",
            "yaml",
        ),
        ("x", b'{"a": 1,}', "yaml"),
        ("x.json", b'{"Tasks": ", ]", "a": [1]}', "json"),
        ("x.json", b'{"Tasks": [' + b"1," * 200_000 + b"1]}", "json"),
        ("x.json", b'{"Tasks": [' + b"1," * 200_000 + b"]}", "yaml"),
        ("x.json", b"{Tasks: " + b"[" * 200_000 + b"}", "json"),
    ],
)
def test_json_that_only_yaml_reads(name: str, data: bytes, kind: str) -> None:
    """Bacalhau's command line reads .json files with its YAML parser."""
    source = blocks(data)
    assert detect(source, name) == kind
    assert b"".join(source) == data


@pytest.mark.parametrize("name", ["job.json", "job.yaml", "-"])
@pytest.mark.parametrize(
    "text",
    [
        '# one line\n{"ID": "j", "Tasks": []}\n',
        '# one line\n{"ID": "j", "Tasks": []}\n# behind it\n',
        '# two\n\n  # comments\n{"ID": "j",\n  # and one inside\n  "Tasks": []}\n',
        '# a list\n[{"ID": "j", "Tasks": []}]\n',
    ],
)
def test_comments_before_a_document_are_comments(name: str, text: str) -> None:
    (document,) = read(text.encode(), name)
    assert decode(document.content, document.format).value == {"ID": "j", "Tasks": []}


def test_a_comma_at_the_end_of_a_window_is_seen() -> None:
    for size in range(65_536 - 12, 65_536 + 2):
        data = b'{"Tasks": [1' + b" " * (size - 12) + b",]}"
        assert detect(blocks(data), "x") == "yaml"
        assert detect(blocks(data.replace(b",]", b",1]")), "x") == "json"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("size", [1, 3, 1 << 18])
def test_wide_text_with_a_byte_order_mark_is_read(encoding: str, size: int) -> None:
    text = "\ufeff" * encoding.endswith("-be") + '{"ID":"\u00e9\U0001f600"}\n' * 3
    raw = text.encode(encoding)
    data = [raw[at : at + size] for at in range(0, len(raw), size)]
    line = '{"ID":"\u00e9\U0001f600"}'.encode()
    items = [i for batch in cut_records(open_content(data, Budget()), "x.ndjson") for i in batch]
    assert contents(items) == [line] * 3
    assert contents(read(gz(raw), "x.ndjson.gz")) == [line] * 3


def test_wide_text_that_is_damaged() -> None:
    raw = (LINE.decode() + "\n").encode("utf-16") * 1
    items = read(raw + b"x", "x.ndjson")
    assert (good(items), reasons(items)) == ([LINE], ["truncated"])
    items = read(b"\xff\xfe" + b'{\0"\0k\0"\0:\0"\0' + b'\x00\xd8"\0}\0\n\0' + raw[2:], "x.ndjson")
    assert good(items) == [b'{"k":"\xed\xa0\x80"}', LINE]


def test_wide_text_without_a_mark_is_one_document_for_decode_to_refuse() -> None:
    data = (LINE.decode() + "\n").encode("utf-16-le") * 1000
    assert contents(read(data, "x.ndjson")) == [data]


BOM = b"\xef\xbb\xbf"
NOTICES = (
    b"Migrating repo to latest version...\nMigrated 1 profiles: [127_0_0_1_1234]\n"
    b"Migration successful\n"
    b"Initializing repo at '/srv/x' for environment 'local'\r\n"
    b"23:28:45.155 | INF src/pkg/repo/fs.go:81 > Initializing repo at /x\n"
)
TWO = json.dumps({"Job": {"ID": "j-2"}}, indent=1).encode()
YAML = b"Job:\n  ID: j-1\n"


@pytest.mark.parametrize("size", [1, 3, 1 << 18])
@pytest.mark.parametrize("before", [BOM, BOM + BOM, NOTICES, BOM + NOTICES, NOTICES + BOM])
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("x.ndjson", [LINE + b"\n", LINE + b"\n", b'{"Items":[' + LINE + b"]}\n"]),
        ("x.json", [LINE]),
        ("x.json", [TWO + b"\n", TWO + b"\n"]),
        ("x", [LINE + b"\n", TWO + b"\n", LINE]),
        ("x", [YAML + b"---\n", YAML + b"---\r\n", YAML]),
        ("x.yaml", [b"- ID: j-1\n"]),
    ],
)
def test_byte_order_marks_and_notices_before_documents_are_no_part_of_them(
    name: str, parts: list[bytes], before: bytes, size: int
) -> None:
    data = before + before.join(parts)
    whole = [data[at : at + size] for at in range(0, len(data), size)]
    items = [i for batch in cut_records(Blocks(whole), name) for i in batch]
    wanted = [
        part.removesuffix(b"---\r\n").removesuffix(b"---\n").strip(b"\n").removesuffix(b"]}")
        for part in parts
    ]
    assert [c.strip(b"\n") for c in contents(items)] == [
        part.removeprefix(b'{"Items":[') for part in wanted
    ]
    lines = data.split(b"\n")
    assert all(item.content.split(b"\n")[0] in lines[item.line - 1] for item in items)


def test_a_mark_in_the_middle_of_yaml_begins_another_document() -> None:
    for size in (1, 3, 1 << 18):
        for data in (YAML + BOM + YAML, YAML + BOM + b"---\n" + YAML, BOM + YAML + BOM + YAML):
            assert contents(split(split_yaml, data, size)) == [YAML, YAML]
        assert contents(split(split_yaml, b"a: x" + BOM + b"y\n", size)) == [b"a: x" + BOM + b"y\n"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (b"ID            = j-1\nName          = x\n", "table"),
        (
            b"\x1b[92;100m CREATED  \x1b[0m\x1b[92;100m ID   \x1b[0m\x1b[92;100m JOB  \x1b[0m\n",
            "list",
        ),
        (b"$ bacalhau job describe j-1 --output json\n" + TWO, "prompt"),
        (b"root@host:~# bacalhau job describe j-1\n" + YAML, "prompt"),
        (b"PS C:\\Users\\x> bacalhau job describe j-1\n" + YAML, "prompt"),
        (b"curl -X PUT localhost:1234 -d '{\n" + TWO[2:], "command"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + LINE, "headers"),
        (b"Job successfully submitted. Job ID: j-1\nChecking job status...\n", "job run"),
        (b"<!DOCTYPE html>\n<html></html>\n", "web page"),
    ],
)
def test_what_is_no_document_is_said_to_be_what_it_is(text: bytes, word: str) -> None:
    for name in ("x", "x.json", "x.yaml"):
        (item,) = read(NOTICES + text, name)
        assert isinstance(item, Rejection)
        assert item.content == NOTICES + text
        assert item.reason == ("json.syntax" if name == "x.json" else "yaml.syntax")
        assert word in item.message


def test_a_prompt_between_lines_of_ndjson_spares_its_neighbours() -> None:
    items = read(b"$ bacalhau job list\n" + (LINE + b"\n") * 3, "x")
    assert good(items) == [LINE] * 3
    assert isinstance(items[0], Rejection)
    assert "prompt" in items[0].message


@pytest.mark.parametrize(
    "text", [b"# bacalhau job run x\nName: x\n", b"curl: 1\n", b"ID: j-1\n", b"> folded\n"]
)
def test_yaml_that_begins_like_a_prompt_is_yaml(text: bytes) -> None:
    assert contents(read(text)) == [text]


JOB = {"ID": "j-1", "Tasks": [{"Name": "m", "Engine": {"Type": "x"}}]}
PRETTY_JOB = json.dumps(JOB, indent=2).encode()
YAML_JOB = b"ID: j-1\nTasks:\n- Name: m\n  Engine: {Type: x}\n"


@pytest.mark.parametrize("name", ["x", "x.json", "x.yaml"])
@pytest.mark.parametrize(
    ("before", "kinds"),
    [
        (b"[INFO] starting up\n", "json yaml"),
        (b"{x}\n", "json yaml"),
        (b"\x1b[32mINFO\x1b[0m ok\n", "json yaml"),
        (b"\x1b[0m", "json yaml"),
        (b"WARN[0000] none\n\nFetching the job...\n", "json yaml"),
        (b"[2024-01-02 10:00:00] [INFO] job ", "json"),
        (b"2024-01-02 INFO: job j-1\n", "json"),
        (b"job = ", "json"),
        (NOTICES + b">>> ", "json"),
        # What may be the beginning of the document is none of this.
        (b'{"Job": ', ""),
        (b'"Job": ', ""),
        (b"{ID: j-0, Job:\n", ""),
        (b"[1, 2\n", ""),
        (b"Name: x\n", ""),
        (b"- x\n", ""),
    ],
)
def test_a_document_behind_other_text_is_taken_where_it_must_begin_there(
    name: str, before: bytes, kinds: str
) -> None:
    """The text is rejected by itself: nothing is lost, and no part of a document is dropped."""
    for kind, document in (("json", PRETTY_JOB), ("yaml", YAML_JOB)):
        items = read(before + document, name)
        assert_numbered(items)
        if kind not in kinds:
            assert "leading_text" not in reasons(items)
            assert document not in good(items)
            continue
        (text,) = [item for item in items if isinstance(item, Rejection)]
        assert (text.reason, text.content, good(items)) == ("leading_text", before, [document])
        assert items[1].line == 1 + before.count(b"\n")
    torn = read(before + PRETTY_JOB[:-1], name)
    assert "leading_text" not in reasons(torn)


def test_what_stands_before_a_document_is_said() -> None:
    for data in (b"{x} " + YAML_JOB, b"INFO: x\n" + PRETTY_JOB, b">>> " + YAML_JOB):
        (item,) = read(data)
        with pytest.raises(RejectedError, match="before the document stands '"):
            decode(item.content, item.format)
