"""Whole corpora through the decoders, and mutations of real documents."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import orjson

from meta_audit.catalogue import REASONS
from meta_audit.decode import decode
from meta_audit.errors import RejectedError
from meta_audit.model import Format
from tests.decode.values import json_value, yaml_value


def outcome(content: bytes, format: Format) -> str:  # noqa: A002
    """`""` where it decodes, or the reason; any other exception is a failure of the test."""
    try:
        decode(content, format)
    except RejectedError as error:
        rejection = error
    else:
        return ""
    assert rejection.reason in REASONS
    assert 0 <= rejection.line <= len(content) + 1
    return rejection.reason


def test_json_test_suite(corpus: Path) -> None:
    files = sorted((corpus / "json-test-suite/test_parsing").glob("*.json"))
    assert len(files) == 318
    for file in files:
        reason = outcome(file.read_bytes(), "json")
        if file.name.startswith("n_"):
            assert reason, file.name
        if file.name.startswith("y_"):
            assert not reason, (file.name, reason)
        outcome(file.read_bytes(), "yaml")


def test_naughty_strings_in_json(naughty_strings: list[str]) -> None:
    for text in naughty_strings:
        value = {text: [text], "Meta": {text: text}} if text != "Meta" else {text: text}
        for content in (
            orjson.dumps(value),
            orjson.dumps(value, option=orjson.OPT_INDENT_2),
            json.dumps(value).encode(),
            json.dumps(value, indent=4, ensure_ascii=False).encode(),
        ):
            assert json_value(content) == value


def test_naughty_strings_in_yaml(naughty_strings: list[str]) -> None:
    for text in naughty_strings:
        quoted = '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'
        # A longer key needs a question mark in YAML 1.1 (section 9.2.1).
        key = quoted if len(quoted) < 1000 else "k"
        value = {text if key == quoted else "k": text}
        assert yaml_value(f"{key}: {quoted}".encode()) == value
        assert yaml_value(f"{{{key}: {quoted}}}".encode()) == value
        assert yaml_value(f"? {quoted}\n: x".encode()) == {text: "x"}


def test_corpus_decodes_wherever_its_index_says_it_can(corpus: Path) -> None:
    with (corpus / "bacalhau/INDEX.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) == 294
    refused = {}
    for row in rows:
        content = (corpus / "bacalhau" / row["file"]).read_bytes()
        outcomes = {"json": outcome(content, "json"), "yaml": outcome(content, "yaml")}
        reason = outcomes["json" if row["format"] == "json" else "yaml"]
        if row["format"] != "text" and reason:
            refused[row["file"]] = reason
    assert refused == {}


def test_mutated_documents_decode_or_are_rejected(corpus: Path) -> None:
    seeded = random.Random(20240101)
    files = sorted((corpus / "bacalhau").iterdir())
    pieces = [b"\0", b"\xff", b'"', b"\\", b"\\u0000", b"\\ud800", b"[", b"}", b"&a ", b"*a", b"\t"]
    pieces += [b"<<: ", b"!x ", b"---\n", b"1e999", b"\r", "\u2028".encode(), b"'", b"\n- ", b"? "]
    for _ in range(1500):
        content = bytearray(seeded.choice(files).read_bytes()[:3000])
        for _ in range(seeded.randint(1, 5)):
            position = seeded.randrange(len(content) + 1)
            change = seeded.random()
            if change < 0.4:
                content[position : position + 1] = seeded.randbytes(1)
            elif change < 0.8:
                content[position:position] = seeded.choice(pieces)
            else:
                del content[position : position + seeded.randint(1, 40)]
        for format_ in ("json", "yaml"):
            outcome(bytes(content), format_)


def test_random_bytes_are_rejected_or_decoded() -> None:
    seeded = random.Random(1)
    for _ in range(2000):
        content = seeded.randbytes(seeded.randint(0, 20))
        outcome(content, "json")
        outcome(content, "yaml")
