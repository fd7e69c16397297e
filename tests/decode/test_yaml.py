"""YAML: what is built, what is refused, and that nothing can crash it."""

from __future__ import annotations

import json
import time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_audit.catalogue import REASONS
from meta_audit.decode import decode, decode_json, decode_yaml
from meta_audit.errors import RejectedError
from meta_audit.model import MAX_ALIAS_NODES, MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_NODES, Scalar


def rejection(content: bytes) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        decode_yaml(content)
    assert caught.value.reason in REASONS
    return caught.value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (
            b"a: 1\nb: [x, NO, 1.20, '1.20', ~]",
            {"a": 1, "b": ["x", Scalar("NO", False), Scalar("1.20", 1.2), "1.20", None]},
        ),
        (b"{'a': None, 'b': [True, 'x']}", {"a": "None", "b": [Scalar("True", True), "x"]}),
        (b"# c\n--- # d\na: |\n  x\n  y\nb: >-\n  p\n  q\n...\n", {"a": "x\ny\n", "b": "p q"}),
        (b"\xef\xbb\xbfa: b", {"a": "b"}),
        (b"1: a\nyes: b\n1.50: c\n'2': d", {"1": "a", "true": "b", "1.5": "c", "2": "d"}),
        (b"<<: {a: 1, b: 2}\na: 3", {"a": 3, "b": 2}),
        (b"a: 3\n<<: {a: 1, b: 2}", {"a": 1, "b": 2}),  # As go-yaml v2; YAML 1.1 has a: 3.
        (b"x: &x {a: 1}\nz: {<<: [*x, {a: 2, c: 3}]}", {"x": {"a": 1}, "z": {"a": 1, "c": 3}}),
        (b'"<<": 1\nb: <<', {"<<": 1, "b": "<<"}),
        (b"a: &n 017\n*n : *n", {"a": Scalar("017", 15), "15": Scalar("017", 15)}),
        (b"a: &a 1\nb: &a 2\nc: *a", {"a": 1, "b": 2, "c": 2}),
        (b"- &a {x: &a 1}\n- *a", [{"x": 1}, 1]),
        (b"a: !!str 12\nb: ! 017\n!!str 1: x", {"a": "12", "b": "017", "1": "x"}),
        (b"%YAML 1.1\n---\na: 2024-01-01", {"a": "2024-01-01"}),
        (b"null", None),
        (b"~", None),
        (b"''", ""),
        (b"a:", {"a": None}),
        (b'{\n\t"a":1,\n\t"b":"\\u00e9\\/\\x41"}', {"a": 1, "b": "é/A"}),
        (b'a: "\\U0001F600"', {"a": "\U0001f600"}),
    ],
)
def test_accepts(content: bytes, value: object) -> None:
    assert decode_yaml(content) == value
    assert decode(content, "yaml") == value


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b"", "empty", 0),
        (b" \n# only a comment\n", "empty", 0),
        (b"---\n# only a comment\n...\n", "empty", 0),
        (b"a: 1\n---\nb: 2", "trailing_data", 2),
        (b'{"a": 1}\n}', "trailing_data", 2),
        (b"  a: 1\nb: 2", "trailing_data", 2),
        (b"a: 1\nb: 2\na: 3", "duplicate_key", 3),
        (b"a: {1: x, 0x1: y}", "duplicate_key", 1),
        (b"true: 1\nyes: 2", "duplicate_key", 2),
        (b"? &k a\n: 1\n? *k\n: 2", "duplicate_key", 3),
        (b"a: 1\n<<: {a: 2}\na: 3", "duplicate_key", 3),
        (b"a: b: c", "yaml.syntax", 1),
        (b"a: [1,\n2}", "yaml.syntax", 2),
        (b"a: 'x", "yaml.syntax", 1),
        (b"a: *b", "yaml.syntax", 1),
        (b"a: 1\nb: x\x1by", "yaml.syntax", 2),
        ("a: x\x80y".encode(), "yaml.syntax", 1),
        (b'a: "\\q"', "yaml.syntax", 1),
        (b"a: `x`", "yaml.syntax", 1),
        (b"~: 1", "yaml.key", 1),
        (b"?\n: 1", "yaml.key", 1),
        (b"18446744073709551615: 1", "yaml.key", 1),
        (b"? [a, 017]\n: 1", "yaml.key", 1),
        (b"a: &a {b: 017}\n? *a\n: 1", "yaml.key", 2),
        (b"<<: 1", "yaml.merge", 1),
        (b"<<: [{a: 1}, b]", "yaml.merge", 1),
        (b"a: &a [{b: 1}]\n<<: *a", "yaml.merge", 2),
        (b"a: !!python/object/apply:os.system [x]", "yaml.tag", 1),
        (b"a: 1\nb: !foo x", "yaml.tag", 2),
        (b"a: !!binary aGVsbG8=", "yaml.tag", 1),
        (b"a: !!int '3'", "yaml.tag", 1),
        (b"!!map {a: 1}", "yaml.tag", 1),
        (b"a: !e!x y", "yaml.tag", 1),
        (b"&a [*a]", "yaml.alias_budget", 1),
        (b"a: &a\n  b: {c: *a}", "yaml.alias_budget", 2),
        (b'a: "\\0"', "text.nul", 1),
        (b'a: x\n"\\x00": 1', "text.nul", 2),
        (b'"\\u0000"', "text.nul", 1),
        (b"a: \0", "text.nul", 1),
        (b'a: "\\ud800"', "text.encoding", 1),
        (b'a: "\\U00110000"', "text.encoding", 1),
        (b"a: 1\nb: \xff", "text.encoding", 2),
        (b"a: \xed\xa0\x80", "text.encoding", 1),
        ("a: é".encode("utf-16"), "text.encoding", 1),
        ("a: é".encode("utf-16-le"), "text.encoding", 1),
        (b" " * (MAX_DOCUMENT_BYTES + 1), "too_large", 0),
    ],
)
def test_rejects(content: bytes, reason: str, line: int) -> None:
    error = rejection(content)
    assert (error.reason, error.line) == (reason, line), str(error)


def test_a_tab_for_indentation_is_explained() -> None:
    error = rejection(b"a:\n  b: 1\n\tc: 2")
    assert (error.reason, error.line) == ("yaml.syntax", 3)
    assert "tab" in str(error)


def test_keys_in_messages_are_escaped() -> None:
    message = str(rejection(b'"\\e[31m": 1\n"\\e[31m": 2'))
    assert "\x1b" not in message


@pytest.mark.parametrize(
    "piece",
    [
        b"[",
        b"{",
        b"- ",
        b"? ",
        b"[a: ",
        b"{a: ",
        b"{? ",
        b"[{? - ",
        b"{[",
        b"- - ? ",
        b'["',
        b"&a [",
    ],
)
@pytest.mark.parametrize("count", [1_000, 25_000, 1_000_000])
def test_deep_nesting_is_refused_at_once(piece: bytes, count: int) -> None:
    started = time.process_time()
    assert rejection(piece * count).reason in {"too_deep", "yaml.syntax"}
    assert time.process_time() - started < 5


def test_deep_block_mappings_are_refused() -> None:
    content = "".join(f"{' ' * depth}a:\n" for depth in range(1000)).encode()
    error = rejection(content)
    assert (error.reason, error.line) == ("too_deep", MAX_DEPTH + 1)


def test_depth_is_exact_and_the_same_as_for_json() -> None:
    for deepest in range(MAX_DEPTH - 1, MAX_DEPTH + 3):
        flow = b"[" * deepest + b"]" * deepest
        block = b"- " * (deepest - 1) + b"{}"
        for content in (flow, block):
            if deepest <= MAX_DEPTH:
                assert orjson.dumps(decode_yaml(content)).count(b"[") >= deepest - 1
            else:
                assert rejection(content).reason == "too_deep"


def test_depth_counts_what_aliases_stand_for() -> None:
    half = MAX_DEPTH // 2
    nested = b"[" * half + b"%s" + b"]" * half
    content = b"- &a " + nested % b"" + b"\n- " + nested % b"*a"
    assert rejection(content).reason == "too_deep"
    content = b"- &a " + nested % b"" + b"\n- " + (nested % b"*a")[1:-1]
    assert isinstance(decode_yaml(content), list)


def laughs(levels: int, width: int) -> bytes:
    lines = ["a0: &a0 [" + ",".join(["lol"] * width) + "]"]
    for level in range(1, levels):
        aliases = ",".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    return "\n".join(lines).encode()


def merges(levels: int, width: int) -> bytes:
    lines = ["a0: &a0 {k: v}"]
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} {{<<: [{aliases}]}}")
    return "\n".join(lines).encode()


def test_bombs_are_refused_at_once() -> None:
    started = time.process_time()
    for content in (laughs(9, 9), laughs(30, 2), merges(9, 9), merges(30, 2)):
        assert rejection(content).reason == "yaml.alias_budget"
    long_scalar = b"a: &a " + b"x" * 1_000_000 + b"\nb: [" + b"*a," * 11 + b"]"
    assert rejection(long_scalar).reason == "yaml.alias_budget"
    assert time.process_time() - started < 2


def test_alias_budget_is_exact() -> None:
    content = b"a: &a [x]\nb: [" + b"*a," * (MAX_ALIAS_NODES // 2) + b"]"
    value = decode_yaml(content)
    assert len(orjson.dumps(value)) < 1_000_000
    assert rejection(content[:-1] + b"*a]").reason == "yaml.alias_budget"


def test_what_is_built_is_bounded_when_written_out() -> None:
    value = decode_yaml(laughs(5, 9))
    assert len(orjson.dumps(value)) < 10 * MAX_ALIAS_NODES


def test_nodes_are_bounded() -> None:
    assert rejection(b"[" + b"a," * (MAX_NODES + 1) + b"]").reason == "too_large"


@pytest.mark.parametrize(
    "content",
    [
        b"".join(b"%%TAG !a%d! b\n" % number for number in range(100_000)) + b"--- a",
        "\u2028".join(f"%TAG !a{number}! b" for number in range(100_000)).encode(),
        b"a: " + b"1" * 5_000_000 + b"x",
        b"a: ." + b"1_" * 2_500_000,
        b"a: 0x" + b"f" * 5_000_000,
        b"a: " + b"1" * 5_000_000,
        b'"' + b"a" * 5_000_000 + b'": 1',
        b"a" * 5_000_000 + b": 1",
        b"#" * 5_000_000,
        b"\n" * 5_000_000,
        b"&" + b"a" * 5_000_000 + b" x",
        b"!" + b"a" * 1_000_000 + b" x",
        b"'" * 1_000_001,
        b"a: |" + b"\n" * 1_000_000 + b"x",
        b"- " + b"\\" * 1_000_000,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_long_things_take_linear_time(content: bytes) -> None:
    started = time.process_time()
    message = ""
    try:
        decode_yaml(content)
    except RejectedError as error:
        message = str(error)
    assert len(message) < 1000
    assert time.process_time() - started < 3


def test_python_parser_serves_where_libyaml_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    import meta_audit.decode.yaml as module

    monkeypatch.setattr(module, "_Loader", yaml.SafeLoader)
    assert decode_yaml(b"a: &a [017, 'x']\nb: *a") == {
        "a": [Scalar("017", 15), "x"],
        "b": [Scalar("017", 15), "x"],
    }
    assert decode_yaml(b"a: ! 12\nb: !!str 1") == {"a": "12", "b": "1"}
    for content, reason in (
        (b"[" * 100_000, "too_deep"),
        (b'"\\ud800"', "text.encoding"),
        (b'"\\UFFFFFFFF"', "yaml.syntax"),
        (b'"\\0"', "text.nul"),
        (b"a: !foo b", "yaml.tag"),
        (b"a: b: c", "yaml.syntax"),
        (b"a: 1\n--- 2", "trailing_data"),
    ):
        assert rejection(content).reason == reason


YAML_SAFE = st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="\u2028\u2029")
"""Characters that YAML takes raw in double quotes and does not fold as a line break."""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(YAML_SAFE, max_size=50),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(YAML_SAFE, max_size=50), inner),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES)
def test_json_is_read_alike_as_yaml(value: object) -> None:
    for content in (
        orjson.dumps(value),
        orjson.dumps(value, option=orjson.OPT_INDENT_2),
        json.dumps(value, indent="\t", ensure_ascii=False).encode(),
    ):
        assert decode_yaml(content) == decode_json(content)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_json_numbers_are_read_alike_as_yaml(value: float) -> None:
    content = json.dumps([value]).encode()
    assert decode_yaml(content) == decode_json(content)
