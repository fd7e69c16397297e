"""Encodings of a document."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.decode.text import to_text
from meta_audit.errors import RejectedError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS.filter(lambda text: "\0" not in text and not text.startswith("\ufeff")))
def test_to_text_undoes_encoding(text: str) -> None:
    content = text.encode()
    assert to_text(content) == text
    assert to_text(codecs.BOM_UTF8 + content) == text
    assert to_text(codecs.BOM_UTF16_LE + text.encode("utf-16-le")) == text
    assert to_text(codecs.BOM_UTF16_BE + text.encode("utf-16-be")) == text


@given(TEXTS.map(lambda text: "{" + text))
def test_utf32_is_never_taken_for_something_else(text: str) -> None:
    for content in (text.encode("utf-32"), text.encode("utf-32-be")):
        with pytest.raises(RejectedError) as caught:
            to_text(content)
        assert caught.value.reason == "text.encoding"
