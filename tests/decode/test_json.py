"""JSON: every rule, on both roads."""

from __future__ import annotations

import json
import math
import tracemalloc

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.catalogue import REASONS
from meta_audit.decode import decode, decode_json
from meta_audit.decode.json import MOST_ESCAPES
from meta_audit.decode.text import show_path
from meta_audit.errors import RejectedError
from meta_audit.model import (
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    MAX_DUPLICATES,
    MAX_NODES,
    Decoded,
    Duplicate,
    Scalar,
)
from tests.decode.values import json_value, plainly


def rejection(content: bytes) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        decode_json(content)
    assert caught.value.reason in REASONS
    return caught.value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"WARNING: odd\x7f\n[]", r"'WARNING: odd\x7f' is no JSON, at column 1"),
        (b"[1, tru]", "'tru]' is no JSON, at column 5"),
        (b"[1,\n", "Expecting value, at column 1"),
    ],
)
def test_what_is_no_json_is_quoted(content: bytes, message: str) -> None:
    assert str(rejection(content)).startswith(message)


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b"", "empty", 0),
        (b" \n\t\r ", "empty", 0),
        (b"NaN", "json.syntax", 1),
        (b'["NaN",\n -Infinity]', "json.syntax", 2),
        (b"{'a': None}", "json.syntax", 1),
        (b"[1,]", "json.syntax", 1),
        (b'{"a":\n tru}', "json.syntax", 2),
        (b'{"a":1', "json.syntax", 1),
        (b'"a', "json.syntax", 1),
        (b'["a\nb"]', "json.syntax", 1),
        (b"[01]", "json.syntax", 1),
        (b"\x0c[]", "json.syntax", 1),
        (b"{}\n{}", "trailing_data", 2),
        (b"[] x", "trailing_data", 1),
        (b"1 2", "trailing_data", 1),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "json.syntax", 1),
        (b"\xef\xbb\xbf", "empty", 0),
        ('{"a":"é"}'.encode("utf-32"), "text.encoding", 1),
        (b"\xff\xfe[\0\x00\xd8]\0", "text.encoding", 1),
        (b"\xff\xfe[\0]", "text.encoding", 1),
        ('{"a":"é"}'.encode("utf-16-le"), "text.encoding", 1),
        ('{"a":"é"}'.encode("utf-16-be"), "text.encoding", 1),
        ('{"a":"é"}'.encode("utf-32-le"), "text.encoding", 1),
        (b'["a",\n"\xff"]', "text.encoding", 2),
        (b'"\xc0\xaf"', "text.encoding", 1),
        (b'"\xed\xa0\x80"', "text.encoding", 1),
        (b'\n"\\ud800"', "text.encoding", 2),
        (b'"\\uDC00\\uD800"', "text.encoding", 1),
        (b'{"\\ud83d":1}', "text.encoding", 1),
        (b'"\\ud83d\\u0041"', "text.encoding", 1),
        (b'"\\ud83d\\\\ude00"', "text.encoding", 1),
        (b'["a",\n"\0"]', "json.syntax", 2),
        (b"\0" * 4, "json.syntax", 1),
        (b"{}\0", "trailing_data", 1),
        (b'{"a": {{ .x }}}', "json.syntax", 1),
        (b"[" * 129 + b"]" * 129, "too_deep", 1),
        (b'[\n{"a":' * 60_000, "too_deep", 65),
        (b'{"a":' * 129 + b"[]" + b"}" * 129, "too_deep", 1),
    ],
)
def test_rejects(content: bytes, reason: str, line: int) -> None:
    error = rejection(content)
    assert (error.reason, error.line) == (reason, line), str(error)


@pytest.mark.parametrize("indent", [None, 2, 4])
def test_depth_is_exact(indent: int | None) -> None:
    for innermost in (b"[]", b"1", b"{}"):
        for deepest in range(MAX_DEPTH - 2, MAX_DEPTH + 3):
            opened = deepest - (innermost != b"1")
            content = b'[{"a":' * (opened // 2) + b"[" * (opened % 2) + innermost
            content += b"]" * (opened % 2) + b"}]" * (opened // 2)
            content = json.dumps(json.loads(content), indent=indent).encode()
            if deepest <= MAX_DEPTH:
                assert json_value(content) == json.loads(content)
            else:
                assert rejection(content).reason == "too_deep"


def test_brackets_in_strings_and_side_by_side_are_not_deep() -> None:
    for value in ("[" * 500, [[]] * 500, {"{" * 300: [{"]": 1}] * 300}):
        assert json_value(orjson.dumps(value)) == value
        assert json_value(json.dumps(value).encode()) == value


def test_size_and_nodes_are_bounded() -> None:
    content = b'"' + b"a" * (MAX_DOCUMENT_BYTES - 2) + b'"'
    assert json_value(content) == content[1:-1].decode()
    assert rejection(content + b" ").reason == "too_large"
    for separator in (b",", b", "):
        content = b"[" + separator.join([b"1"] * (MAX_NODES - 2)) + b"]"
        assert json_value(content) == [1] * (MAX_NODES - 2)
        content = b"[" + separator.join([b"1"] * (MAX_NODES + 2)) + b"]"
        assert rejection(content).reason == "too_large"


@pytest.mark.parametrize("count", [MOST_ESCAPES - 2, MOST_ESCAPES, 3 * MOST_ESCAPES])
def test_any_number_of_escapes_is_taken_and_looked_through(count: int) -> None:
    content = b'"' + b"\\u003c\\n" * (count // 2) + b'"'
    assert json_value(content) == "<\n" * (count // 2)
    assert json_value(content[:-1] + b'\\u0000"') == "<\n" * (count // 2) + "\0"
    assert rejection(content[:-1] + b'\\ud800"').reason == "text.encoding"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.20", 1.2),
        ("1.0e2", 100.0),
        ("1E5", 100000.0),
        ("-0", 0),
        ("1e400", None),
        ("-1e400", None),
        ("18446744073709551616", None),
        ("-9223372036854775809", None),
        ("9" * 5000, None),
        ("0.1000000000000000055511151231257827", 0.1),
    ],
)
def test_number_in_another_form_keeps_its_text(text: str, value: float | None) -> None:
    assert json_value(f'{{"a":{text}}}'.encode()) == {"a": Scalar(text, value)}


@pytest.mark.parametrize(
    "text",
    ["0", "1.5", "-0.0", "9223372036854775807", "18446744073709551615", "-9223372036854775808"],
)
def test_number_in_its_own_form_is_plain(text: str) -> None:
    for content in (f"[{text}]", f"[ {text} ]"):
        (value,) = json_value(content.encode())
        assert json.dumps(value) == text


@pytest.mark.parametrize("text", ["1e16", "1e+16", "1e-7", "1e-07", "123456789012345680.0"])
def test_both_roads_agree_on_exponents(text: str) -> None:
    assert json_value(f"[{text}]".encode()) == json_value(f"[ {text} ]".encode())


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'"\\u003ca\\u003e \\u0026 \\u2028"', "<a> & \u2028"),
        (b'"\\\\u003c"', "\\u003c"),
        (b'"\\\\\\u003c"', "\\<"),
        (b'"\\\\u0000 \\\\ud800"', "\\u0000 \\ud800"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'{"a\\u0000":"\\u0000b"}', {"a\0": "\0b"}),
        (b'{ "a\\u0000":"\\uffff"}', {"a\0": "\uffff"}),
        (b'\xef\xbb\xbf{"a":1}\n', {"a": 1}),
        ('\ufeff{"a":"é\U0001f600"}\r\n'.encode("utf-16-le"), {"a": "é\U0001f600"}),
        ('\ufeff{"a":"é\U0001f600"}'.encode("utf-16-be"), {"a": "é\U0001f600"}),
        (b'{"a":"<",\r\n"b":[ ]}', {"a": "<", "b": []}),
        (b'\n{\n  "a": [\n    1\n  ],\n  "b": {}\n}\n', {"a": [1], "b": {}}),
    ],
)
def test_accepts(content: bytes, value: object) -> None:
    assert json_value(content) == value
    assert decode(content, "json") == Decoded(value)


@pytest.mark.parametrize(
    ("content", "value", "duplicates"),
    [
        (b'{"a":1,"a":2}', {"a": 2}, [(("a",), 1)]),
        (b'{"a":1,"a":2,\n"a":{}}', {"a": {}}, [(("a",), 1)]),
        (
            b'{"a":1,\n"b":[{}, {"c": {"x":1,\n"\\u0078":2}}],"a":[]}',
            {"a": [], "b": [{}, {"c": {"x": 2}}]},
            [(("b", 1, "c", "x"), 3), (("a",), 3)],
        ),
        (b'{"<":1,"\\u003c":2}', {"<": 2}, [(("<",), 1)]),
        (b'{"":0,"":0}', {"": 0}, [(("",), 1)]),
        (b'{"k":{"v":1,"v":2},"k":1}', {"k": 1}, [(("k", "v"), 1), (("k",), 1)]),
        (b'{"a":"a","b":{"a":"b"},"A":"}{,"}', {"a": "a", "b": {"a": "b"}, "A": "}{,"}, []),
    ],
)
def test_the_last_of_two_equal_keys_is_taken_and_both_are_told(
    content: bytes, value: object, duplicates: list[tuple[tuple[str | int, ...], int]]
) -> None:
    assert decode_json(content) == Decoded(value, tuple(Duplicate(*each) for each in duplicates))


def test_duplicate_keys_are_bounded() -> None:
    content = b",".join(b'"%d":0,"%d":1' % (n, n) for n in range(MAX_DUPLICATES))
    assert len(decode_json(b"{%s}" % content).duplicates) == MAX_DUPLICATES
    assert rejection(b'{%s,"x":0,"x":1}' % content).reason == "duplicate_key"


def test_what_follows_a_duplicate_key_is_still_checked() -> None:
    assert rejection(b'{"a":1,"a":2').reason == "json.syntax"
    assert rejection(b'{"a":1,"a":NaN}').reason == "json.syntax"
    assert rejection(b'{"a":1,"a":2}{').reason == "trailing_data"
    assert rejection(b'{"a":1,"a":"\\ud800"}').reason == "text.encoding"


def test_a_path_is_shown_escaped() -> None:
    assert show_path(("T", 2, "Meta", "a b")) == "$.T[2].Meta.a b"
    shown = show_path(("\x1b[31m" + "x" * 500, "\u202e"))
    assert shown.isascii() or "\u202e" not in shown
    assert "\x1b" not in shown
    assert len(shown) < 200


def test_a_template_that_is_not_rendered_is_explained() -> None:
    assert "--template-vars" in str(rejection(b'{\n"a": {{ .x }}\n}'))
    assert "--template-vars" not in str(rejection(b'{\n"a": "{{",\n"b": 1,\nx}'))


def test_many_nodes_are_refused_before_memory_is_used() -> None:
    content = b"[" + b"{}," * 1_900_000 + b"{}]"
    tracemalloc.start()
    try:
        assert rejection(content).reason == "too_large"
        assert tracemalloc.get_traced_memory()[1] < 6 * len(content)
    finally:
        tracemalloc.stop()


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('ab<&\\"\u2028é '), inner),
    max_leaves=20,
)


def go_escapes(content: bytes) -> bytes:
    for character in "<>&\u2028\u2029":
        content = content.replace(character.encode(), b"\\u%04x" % ord(character))
    return content


@given(JSON_VALUES)
def test_decodes_what_encoders_write(value: object) -> None:
    for option in (None, orjson.OPT_INDENT_2):
        content = orjson.dumps(value, option=option)
        assert json_value(content) == value
        assert json_value(go_escapes(content)) == value
    for options in ({}, {"indent": 4}, {"ensure_ascii": False}, {"separators": (",", ":")}):
        assert plainly(json_value(json.dumps(value, **options).encode())) == value


@given(st.text('{}[]:,"\\u0d8ab1.e-+ \n\t<é', max_size=30))
def test_accepts_only_what_the_standard_library_accepts(text: str) -> None:
    try:
        value = json_value(text.encode())
    except RejectedError:
        return
    assert plainly(value) == finite(json.loads(text))


def finite(value: object) -> object:
    """What is out of range has no value for us, and is infinite for Python's parser."""
    if isinstance(value, float) and math.isinf(value):
        return None
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return None
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return value
