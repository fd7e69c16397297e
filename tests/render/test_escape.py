import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.render.escape import escape, escape_lines, is_safe
from meta_audit.render.json import to_json

ANY = st.text(st.characters(codec=None, exclude_categories=()))
STORED = st.text()
ESC, CSI, RLO = "\x1b", "\x9b", "\u202e"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ~ text", "plain ~ text"),
        ("back\\slash", "back\\slash"),
        (f"{ESC}[2J", "\\x1b[2J"),
        (f"{CSI}2J\x7f", "\\x9b2J\\x7f"),
        ("a\tb\r\nc\0", "a\\tb\\r\\nc\\x00"),
        (f"{RLO}gpj.exe\u2066", "\\u202egpj.exe\\u2066"),
        ("zero\u200bwidth\ufeff\u2060\u00ad", "zero\\u200bwidth\\ufeff\\u2060\\xad"),
        ("lines\u2028\u2029", "lines\\u2028\\u2029"),
        ("\udcff", "\\udcff"),
        ("\ue000\U000f0000\u0378", "\\ue000\\U000f0000\\u0378"),
        ("nobreak\u00a0space", "nobreak\\xa0space"),
        ("tags\U000e0041", "tags\\U000e0041"),
        ("hidden\ufe0f\U000e0101\u3164\u2800", "hidden\\ufe0f\\U000e0101\\u3164\\u2800"),
        ("é ü 田中 🎉 Ω", "é ü 田中 🎉 Ω"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_is_written_out(text: str, shown: str) -> None:
    assert escape(text) == shown


@given(ANY)
def test_nothing_that_controls_survives(text: str) -> None:
    shown = escape(text)
    assert is_safe(shown)
    bad = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not {unicodedata.category(char) for char in shown} & bad
    assert escape(shown) == shown


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_ascii_stays(text: str) -> None:
    assert escape(text) == text


@given(ANY)
def test_lines_stay_lines(text: str) -> None:
    shown = escape_lines(text)
    assert shown.count("\n") == text.count("\n")
    assert is_safe(shown.replace("\n", ""))


@given(st.recursive(STORED, lambda v: st.lists(v) | st.dictionaries(STORED, v), max_leaves=8))
def test_json_is_exact_and_safe(value: object) -> None:
    written = to_json(value).decode()
    assert json.loads(written) == value
    assert is_safe(written.replace("\n", ""))
    line = to_json(value, indent=0)
    assert json.loads(line) == value
    assert is_safe(line.decode().removesuffix("\n"))


def test_every_code_point_is_safe_in_json_and_comes_back() -> None:
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]))
    written = to_json({every: every}).decode()
    assert json.loads(written) == {every: every}
    assert is_safe(written.replace("\n", ""))
