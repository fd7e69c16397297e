"""Look-alike keys, and characters that cannot be seen."""

import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.identity import confusables
from meta_audit.identity.confusables import (
    MAX_FOLDED_CHARS,
    has_invisible,
    imitates_reserved,
    is_reserved,
    skeleton,
)
from meta_audit.model import RESERVED_PREFIX

ANY_TEXT = st.text(st.characters(), max_size=60)
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))

# Format characters (Cf) that can be seen: number and pound signs, and hieroglyph joiners.
VISIBLE_FORMAT = {
    *range(0x600, 0x606),
    0x6DD,
    0x70F,
    0x890,
    0x891,
    0x8E2,
    0x110BD,
    0x110CD,
    *range(0x13430, 0x13456),
}


def test_every_control_and_format_character_is_invisible() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        category = unicodedata.category(char)
        if category in {"Cc", "Cf", "Zl", "Zp"}:
            expected = char not in "\t\n\r" and code not in VISIBLE_FORMAT
            assert has_invisible(f"a{char}b") == expected, f"U+{code:04X}"
            if expected:
                assert skeleton(f"a{char}b") == "ab", f"U+{code:04X}"


def test_what_can_be_seen_is_not_invisible() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        # Letters (Hangul fillers) and marks (grapheme joiner, Khmer and Mongolian selectors)
        # that are ignorable by Unicode's own list are not expected to be visible.
        if unicodedata.category(char)[0] in "NPS" and char != "\u2800":
            assert not has_invisible(char), f"U+{code:04X}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "team",
        "a\tb\r\nc",
        "ü ñ 日本語 Ελληνικά русский",
        "no\u00a0break",
        "❤️",
        "👩‍💻 and 👩🏽‍🚀 and ❤️‍🔥",
        "می‌خواهم",
        "क्‍ष",
    ],
)
def test_honest_text_is_visible(text: str) -> None:
    assert not has_invisible(text)


@pytest.mark.parametrize(
    "text",
    [
        "a\0b",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\x9b31m",
        "cli\u200bent",
        "cli\u200cent",
        "cli\u200dent",
        "кли\u200dент",
        "\u200d",
        "👩\u200d\u200d💻",
        "\ufeffkey",
        "a\u00adb",
        "\u202egnp.exe",
        "\u2066x\u2069",
        "\u061c",
        "x\U000e0041",
        "x\U000e0101",
        "\u3164",
        "\u2028",
    ],
)
def test_hidden_characters_are_found(text: str) -> None:
    assert has_invisible(text)


@given(PRINTABLE)
def test_printable_ascii_is_visible_and_folds_by_case_alone(text: str) -> None:
    assert not has_invisible(text)
    assert skeleton(text) == text.casefold()


@given(ANY_TEXT)
def test_no_text_raises(text: str) -> None:
    has_invisible(text)
    imitates_reserved(text)
    is_reserved(text)
    assert skeleton(text) == skeleton(text + "\u200b")


@given(st.text(st.characters(max_codepoint=0x24FF), max_size=30))
def test_a_skeleton_is_its_own_skeleton(text: str) -> None:
    assert skeleton(skeleton(text)) == skeleton(text)


@given(ANY_TEXT)
def test_unicode_forms_of_a_key_look_alike(text: str) -> None:
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    assert len({skeleton(form) for form in forms}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Team", "team"),
        ("team", "t\u0435am"),
        ("café", "cafe\u0301"),
        ("ｔｅａｍ", "team"),
        ("𝐭𝐞𝐚𝐦", "team"),
        ("te\u00adam", "team"),
        ("te\u200bam", "team"),
        ("team\n", "team"),
        ("ΝΑΜΕ", "name"),
        ("ТОМ", "tom"),
        ("ѕсоре", "scope"),
        ("\u03f2ost", "cost"),
        ("a\u2010b", "a-b"),
        ("straße", "STRASSE"),
    ],
)
def test_keys_that_look_alike(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("team", "teams"), ("v0", "vo"), ("l1", "ll"), ("café", "cafe"), ("a b", "ab")],
)
def test_keys_that_do_not(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


def test_the_table_knows_every_letter_of_unicodes() -> None:
    """Unicode 18 lists 6,712 characters, without those that nobody sees."""
    table = confusables._to_lookalike()
    assert len(table) > 6_600
    assert not [code for code in table if code < 0x80]
    assert not [code for code, text in table.items() if chr(code) in text]
    for char, imitations in confusables._MORE.items():
        assert char.isascii()
        assert all(table[ord(imitation)] == char for imitation in imitations)


@pytest.mark.parametrize(
    "key",
    [
        "ꓐacalhau.org/client.id",  # Lisu
        "ꓐꓮꓚꓮꓡꓧꓮꓴ.ꓳꓣꓖ/client.id",
        "Ᏼacalhau.org/client.id",  # Cherokee
        "Ꮟacalhau.org/client.id",
        "ⲃaⲥalhau.org/client.id",  # Coptic
        "bⲁcⲁlhⲁu.ⲟrg/client.id",
        "𝕓𝕒𝕔𝕒𝕝𝕙𝕒𝕦.𝕠𝕣𝕘/client.id",  # mathematical
        "bacalhau.оrg⁄client.id",  # Cyrillic o, fraction slash
        "bacalhau․org/client.id",  # one dot leader
    ],
)
def test_no_script_is_missing(key: str) -> None:
    assert imitates_reserved(key)
    assert skeleton(key).startswith(RESERVED_PREFIX)


def test_what_ascii_needs_does_not_load_the_table() -> None:
    confusables._to_lookalike.cache_clear()
    assert not imitates_reserved("team")
    assert skeleton("Team") == "team"
    assert confusables._to_lookalike.cache_info().currsize == 0


@pytest.mark.parametrize("name", ["requester.id", "client.id", "", "anything"])
def test_reserved_keys_are_reserved_and_imitate_nothing(name: str) -> None:
    assert is_reserved(RESERVED_PREFIX + name)
    assert not imitates_reserved(RESERVED_PREFIX + name)


@pytest.mark.parametrize(
    "key",
    [
        "Bacalhau.org/client.id",
        "BACALHAU.ORG/client.id",
        "bacaIhau.org/client.id",
        "baca1hau.0rg/client.id",
        "bаcalhau.org/client.id",  # Cyrillic a
        "Βacalhau.org/client.id",  # Greek Beta
        "bacalhau．org/client.id",
        "bacalhau.org∕client.id",
        "bacalhau.org\\client.id",
        "bacal\u200bhau.org/client.id",
        "\ufeffbacalhau.org/client.id",
        " bacalhau.org/client.id",
        "\tbacalhau.org/client.id",
        "\u00a0bacalhau.org/client.id",
        "bacalháu.org/client.id",
        "bacalha\u0323u.org/client.id",
        "ｂａｃａｌｈａｕ.org/client.id",
        "𝖻𝖺𝖼𝖺𝗅𝗁𝖺𝗎.org/client.id",
        "ЬАСАL\u04bbАU.org/client.id",
        "\u202ebacalhau.org/x",
    ],
)
def test_imitations_are_found(key: str) -> None:
    assert not is_reserved(key)
    assert imitates_reserved(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "b",
        "bacalhau",
        "bacalhau.org",
        "bacalhau_org/x",
        "bacalhau.organic/x",
        "my.bacalhau.org/x",
        "example.org/bacalhau.org/",
        "branch",
        "日本",
    ],
)
def test_honest_keys_imitate_nothing(key: str) -> None:
    assert not imitates_reserved(key)


@pytest.mark.parametrize(
    "char", ["a", "\u0301\u0316", "\u200b", "\ufdfa", "\u0390", "\u0430", " ", "\ud800", "\n"]
)
def test_a_megabyte_is_folded_in_no_time(char: str) -> None:
    """Normalising all of 500,000 combining marks takes minutes."""
    key = "b" + char * (1_000_000 // len(char))
    begin = time.process_time()
    has_invisible(key)
    imitates_reserved(key)
    assert len(skeleton(key)) >= 1
    assert time.process_time() - begin < 2


def test_beyond_the_bound_only_case_is_folded() -> None:
    assert skeleton("x" * MAX_FOLDED_CHARS + "É\u0435") == "x" * MAX_FOLDED_CHARS + "é\u0435"
