"""YAML: what is built, what is refused, and that nothing can crash it."""

from __future__ import annotations

import json
import time
import tracemalloc

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.catalogue import REASONS
from meta_audit.decode import decode, decode_yaml
from meta_audit.errors import RejectedError
from meta_audit.model import (
    MAX_ALIAS_NODES,
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    MAX_DUPLICATES,
    MAX_NODES,
    Decoded,
    Duplicate,
    Scalar,
)
from tests.decode.values import json_value, yaml_value


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
        ("\ufeffa: é\U0001f600\r\n".encode("utf-16-le"), {"a": "é\U0001f600"}),
        ("\ufeff{a: é}".encode("utf-16-be"), {"a": "é"}),
        (b'"a\\0": "\\x00"\nb: "\\u0000"', {"a\0": "\0", "b": "\0"}),
        (b"1: a\nyes: b\n1.50: c\n'2': d", {"1": "a", "true": "b", "1.5": "c", "2": "d"}),
        (b"<<: {a: 1, b: 2}\na: 3", {"a": 3, "b": 2}),
        (b"a: 3\n<<: {a: 1, b: 2}", {"a": 1, "b": 2}),  # As go-yaml v2; YAML 1.1 has a: 3.
        (b"x: &x {a: 1}\nz: {<<: [*x, {a: 2, c: 3}]}", {"x": {"a": 1}, "z": {"a": 1, "c": 3}}),
        (b"<<: a\nb: {<<: '1'}", {"<<": "a", "b": {"<<": "1"}}),
        (b'"<<": 1\nb: <<', {"<<": 1, "b": "<<"}),
        (b"a: &n 017\n*n : *n", {"a": Scalar("017", 15), "15": Scalar("017", 15)}),
        (b"a: &a 1\nb: &a 2\nc: *a", {"a": 1, "b": 2, "c": 2}),
        (b"- &a {x: &a 1}\n- *a", [{"x": 1}, 1]),
        (b"a: !!str 12\nb: ! 017\n!!str 1: x", {"a": "12", "b": "017", "1": "x"}),
        (b"a: !!binary |\n  aGVs\n  bG8=\n", {"a": "hello"}),
        (b"a: !!int '3'\nb: !!float 3", {"a": 3, "b": Scalar("3", 3.0)}),
        (
            b"a: !!bool on\nb: !!null ~\nc: !!timestamp 2024-1-2",
            {"a": Scalar("on", True), "b": None, "c": "2024-1-2"},
        ),
        (b"!!map {a: !!seq [1]}", {"a": [1]}),
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
    assert yaml_value(content) == value
    assert decode(content, "yaml") == Decoded(value, format="yaml")


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b"", "empty", 0),
        (b" \n# only a comment\n", "empty", 0),
        (b"---\n# only a comment\n...\n", "empty", 0),
        (b"a: 1\n---\nb: 2", "trailing_data", 2),
        (b'{"a": 1}\n}', "trailing_data", 2),
        (b"  a: 1\nb: 2", "trailing_data", 2),
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
        (b"a: !!binary aGVsbG8", "yaml.tag", 1),
        (b"a: !!binary aGV sbG8=", "yaml.tag", 1),
        (b"a: !!binary /w==", "text.encoding", 1),
        (b"a: !!binary YQA=", "yaml.tag", 1),
        (b"a: !!binary 77+/", "yaml.tag", 1),
        (b"a: !!int x", "yaml.tag", 1),
        (b"a: !!int 1.5", "yaml.tag", 1),
        (b"a: !!null x", "yaml.tag", 1),
        (b"a: !!timestamp x", "yaml.tag", 1),
        (b"a: !!set {x}", "yaml.tag", 1),
        (b"a: !!map [x]", "yaml.tag", 1),
        (b"a: !e!x y", "yaml.tag", 1),
        (b"&a [*a]", "yaml.alias_budget", 1),
        (b"a: &a\n  b: {c: *a}", "yaml.alias_budget", 2),
        (b"a: \0", "yaml.syntax", 1),
        (b"\0" * 4, "yaml.syntax", 1),
        (b'a: "\\ud83d\\ude00"', "text.encoding", 1),
        (b'a: "\\ud800"', "text.encoding", 1),
        (b'a: "\\U00110000"', "text.encoding", 1),
        (b"a: 1\nb: \xff", "text.encoding", 2),
        (b"a: \xed\xa0\x80", "text.encoding", 1),
        (b"\xef\xbb\xbf", "empty", 0),
        ("a: é".encode("utf-32"), "text.encoding", 1),
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


def test_tags_in_messages_are_escaped() -> None:
    error = rejection(b"a: !x%1B31m b")
    assert error.reason == "yaml.tag"
    assert "\x1b" not in str(error)


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
                assert orjson.dumps(yaml_value(content)).count(b"[") >= deepest - 1
            else:
                assert rejection(content).reason == "too_deep"


def test_depth_counts_what_aliases_stand_for() -> None:
    half = MAX_DEPTH // 2
    nested = b"[" * half + b"%s" + b"]" * half
    content = b"- &a " + nested % b"" + b"\n- " + nested % b"*a"
    assert rejection(content).reason == "too_deep"
    content = b"- &a " + nested % b"" + b"\n- " + (nested % b"*a")[1:-1]
    assert isinstance(yaml_value(content), list)


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
    value = yaml_value(content)
    assert len(orjson.dumps(value)) < 1_000_000
    assert rejection(content[:-1] + b"*a]").reason == "yaml.alias_budget"


def test_what_is_built_is_bounded_when_written_out() -> None:
    value = yaml_value(laughs(5, 9))
    assert len(orjson.dumps(value)) < 10 * MAX_ALIAS_NODES


@pytest.mark.parametrize("node", [b"a", b"{}", b"[]", b"{a: }", b"? a"])
def test_nodes_are_bounded(node: bytes) -> None:
    assert rejection(b"[" + (node + b",") * (MAX_NODES + 1) + b"]").reason == "too_large"


def test_many_nodes_are_refused_before_memory_is_used() -> None:
    content = b"- {}\n" * 1_900_000
    tracemalloc.start()
    try:
        assert rejection(content).reason == "too_large"
        assert tracemalloc.get_traced_memory()[1] < 6 * len(content)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "value", "duplicates"),
    [
        (b"a: 1\nb: 2\na: 3", {"a": 3, "b": 2}, [(("a",), 3)]),
        (b"a: 1\na: 2\na: 3", {"a": 3}, [(("a",), 2)]),
        (b"a: {1: w, 0x1: x}", {"a": {"1": "x"}}, [(("a", "1"), 1)]),
        (b"true: 1\nyes: 2", {"true": 2}, [(("true",), 2)]),
        (b"? &k a\n: 1\n? *k\n: 2", {"a": 2}, [(("a",), 3)]),
        (b"a: 1\n<<: {a: 2}\na: 3", {"a": 3}, [(("a",), 3)]),
        (b"a: 1\n<<: {a: 2}", {"a": 2}, []),
        (b"a:\n  <<: b\n  <<: c", {"a": {"<<": "c"}}, [(("a", "<<"), 3)]),
        (
            b"T:\n- x\n- M: {k: 1,\n   k: 2}",
            {"T": ["x", {"M": {"k": 2}}]},
            [(("T", 1, "M", "k"), 4)],
        ),
        (
            b"L: &m {k: 1, k: 2}\nM: *m",
            {"L": {"k": 2}, "M": {"k": 2}},
            [(("L", "k"), 1), (("M", "k"), 1)],
        ),
        (
            b"L: &m [{k: 1, k: 2}]\nM: {a: [*m]}",
            {"L": [{"k": 2}], "M": {"a": [[{"k": 2}]]}},
            [(("L", 0, "k"), 1), (("M", "a", 0, 0, "k"), 1)],
        ),
        (b"M:\n  <<: {k: 1, k: 2}", {"M": {"k": 2}}, [(("M", "k"), 2)]),
        (b"M:\n  <<: [{a: 1}, {k: 1, k: 2}]", {"M": {"a": 1, "k": 2}}, [(("M", "k"), 2)]),
        (b"x: &x {k: 1, k: 2}\nM: {<<: *x}", None, [(("x", "k"), 1), (("M", "k"), 1)]),
        (b"x: &x {k: 1, k: 2}\nM: {<<: [*x]}", None, [(("x", "k"), 1), (("M", "k"), 1)]),
    ],
)
def test_the_last_of_two_equal_keys_is_taken_and_both_are_told(
    content: bytes, value: object, duplicates: list[tuple[tuple[str | int, ...], int]]
) -> None:
    decoded = decode_yaml(content)
    assert value is None or decoded.value == value
    assert decoded.duplicates == tuple(Duplicate(*each) for each in duplicates)


def test_duplicate_keys_are_bounded() -> None:
    content = b"\n".join(b"a%d: 0\na%d: 1" % (n, n) for n in range(MAX_DUPLICATES))
    assert len(decode_yaml(content).duplicates) == MAX_DUPLICATES
    assert rejection(content + b"\nx: 0\nx: 1").reason == "duplicate_key"
    assert rejection(b"a: &a {x: 0, x: 1}\nb: [" + b"*a," * MAX_DUPLICATES + b"]").reason == (
        "duplicate_key"
    )


@pytest.mark.parametrize(
    "content", [b"a: {{ .x }}", b"{{.x}}", b"a: 1\n{{- if .x }}\nb: 2\n{{ end }}"]
)
def test_a_template_that_is_not_rendered_is_explained(content: bytes) -> None:
    assert "--template-vars" in str(rejection(content))


def test_other_keys_are_not_taken_for_templates() -> None:
    assert "template" not in str(rejection(b"a: '{{'\nc: d\n? [b]\n: 1"))


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
        yaml_value(content)
    except RejectedError as error:
        message = str(error)
    assert len(message) < 1000
    assert time.process_time() - started < 3


def test_python_parser_serves_where_libyaml_is_missing() -> None:
    assert decode_yaml(b"a: &a [017, 'x']\nb: *a", loader=yaml.SafeLoader).value == {
        "a": [Scalar("017", 15), "x"],
        "b": [Scalar("017", 15), "x"],
    }
    assert decode_yaml(b"\xef\xbb\xbfa: ! 12\nb: !!str 1", loader=yaml.SafeLoader).value == {
        "a": "12",
        "b": "1",
    }
    for content, reason in (
        (b"[" * 100_000, "too_deep"),
        (b'"\\ud800"', "text.encoding"),
        (b'"\\UFFFFFFFF"', "yaml.syntax"),
        (b"a: !foo b", "yaml.tag"),
        (b"a: b: c", "yaml.syntax"),
        (b"a: 1\n--- 2", "trailing_data"),
    ):
        with pytest.raises(RejectedError) as caught:
            decode_yaml(content, loader=yaml.SafeLoader)
        assert caught.value.reason == reason


YAML_SAFE = st.characters(
    exclude_categories=["Cs", "Cc", "Cn"],
    exclude_characters="\u2028\u2029",
    include_characters="".join(map(chr, range(32))),
)
"""Characters that YAML takes in double quotes, raw or escaped, and does not take for a break."""
TEXTS = st.text(YAML_SAFE, max_size=50)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@given(VALUES)
def test_json_is_read_alike_as_yaml(value: object) -> None:
    for content in (
        orjson.dumps(value),
        orjson.dumps(value, option=orjson.OPT_INDENT_2),
        json.dumps(value, indent="\t", ensure_ascii=False).encode(),
    ):
        assert yaml_value(content) == json_value(content)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_json_numbers_are_read_alike_as_yaml(value: float) -> None:
    content = json.dumps([value]).encode()
    assert yaml_value(content) == json_value(content)


class Pairs(list[tuple[str, object]]):
    """A mapping in which a key may stand twice."""

    def text(self) -> str:
        return "{" + ", ".join(f"{json.dumps(key)}: {written(item)}" for key, item in self) + "}"


def written(value: object) -> str:
    if isinstance(value, Pairs):
        return value.text()
    if isinstance(value, list):
        return "[" + ",\n".join(map(written, value)) + "]"
    return json.dumps(value)


def repeated(value: object, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """Find the paths of keys that stand twice in the plainest way."""
    pairs = (
        value if isinstance(value, Pairs) else enumerate(value if isinstance(value, list) else ())
    )
    found: set[tuple[str | int, ...]] = set()
    seen = set()
    for step, item in pairs:
        if step in seen:
            found.add((*path, step))
        seen.add(step)
        found |= repeated(item, (*path, step))
    return found


@given(
    st.recursive(
        st.integers(0, 9),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(st.tuples(st.sampled_from("abc"), inner), max_size=5).map(Pairs)
        ),
        max_leaves=30,
    )
)
def test_duplicates_are_found_alike_in_json_and_yaml(value: object) -> None:
    content = written(value).encode()
    as_json, as_yaml = decode(content, "json"), decode(content, "yaml")
    assert as_json.value == as_yaml.value == json.loads(content)
    assert set(as_json.duplicates) == set(as_yaml.duplicates)
    assert {each.path for each in as_json.duplicates} == repeated(value)
