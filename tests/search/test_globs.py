"""Patterns as regular expressions: of texts, and of texts as they are stored."""

from __future__ import annotations

import re
from fnmatch import translate

from hypothesis import given
from hypothesis import strategies as st

from meta_audit.nul import escape_nul
from meta_audit.search.globs import contains, pieces, small, stored_regex, text_regex

TEXTS = st.text(st.sampled_from("ab01AB.*?\\[%_\n\0\uffffé"), max_size=8)
SHORT = st.text(st.sampled_from("a0?*\0\uffff"), max_size=5)


@given(SHORT | TEXTS, SHORT | TEXTS)
def test_a_text_fits_a_pattern_as_in_a_shell(pattern: str, text: str) -> None:
    plain = pattern.replace("\\", "/")
    wanted = re.match(translate(plain.replace("[", "[[]")), text) is not None
    found = pieces(plain)
    assert (re.fullmatch(text_regex(found, ignore_case=False), text) is not None) == wanted
    stored = stored_regex(pieces(escape_nul(plain)), ignore_case=False)
    assert (re.search(rf"(?s){stored[:-1]}\Z", escape_nul(text)) is not None) == wanted


@given(SHORT | TEXTS, TEXTS)
def test_a_text_contains_another(part: str, text: str) -> None:
    wanted = small(part) in small(text)
    assert bool(re.fullmatch(text_regex(contains(part), ignore_case=True), text)) == wanted
    stored = stored_regex(contains(escape_nul(part)), ignore_case=True)
    assert bool(re.search(rf"(?s){stored[:-1]}\Z", escape_nul(text))) == wanted


def test_a_text_made_to_take_long_does_not() -> None:
    regex = text_regex(pieces("*a" * 30 + "*b"), ignore_case=False)
    assert re.fullmatch(regex, "a" * 20_000) is None
