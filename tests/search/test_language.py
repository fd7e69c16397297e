"""The language as docs/find.md defines it: what it reads, writes and refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit import period
from meta_audit.errors import ExpressionError
from meta_audit.search import parser
from meta_audit.search.arguments import read_arguments
from meta_audit.search.expression import EVERYTHING, All, Contains, Equals, terms
from meta_audit.search.normal_form import as_text
from meta_audit.search.parser import parse
from tests.search.conformance import EXPRESSIONS, errors
from tests.search.expressions import expressions

ANY = (
    st.text()
    | st.text("ab= \"\\()!~<>:,'.*?\n\0\u200b", max_size=6)
    | st.sampled_from(["and", "In", "has", "job", "created"])
)
SECOND = 1_000_000_000
DAY = 86_400 * SECOND


@pytest.mark.parametrize(("text", "normal"), EXPRESSIONS)
def test_an_expression_has_one_normal_form(text: str, normal: str) -> None:
    assert as_text(parse(text)) == normal
    assert parse(normal) == parse(text)


@pytest.mark.parametrize(("text", "position", "message"), errors())
def test_an_error_shows_the_place_and_what_to_do(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError) as found:
        parse(text)
    assert f"{found.value}. {found.value.advice}".rstrip() == message
    assert (found.value.text, found.value.position) == (text, position)


def test_quotes_hold_characters_as_pages_show_them() -> None:
    assert parse(r'"k\x00"="a\n\u202e\U0001f4a5\"\\"') == Equals("k\0", ('a\n\u202e\U0001f4a5"\\',))
    assert parse(r'"\\x00"') == Contains(r"\x00")
    for wrong in (r'"\x0"', r'"\q"', r'"\U00110000"', r'"\X00"'):
        with pytest.raises(ExpressionError, match="a backslash alone"):
            parse(wrong)


@given(expressions(ANY, ANY))
def test_what_is_written_is_read_again(expression) -> None:
    assert parse(as_text(expression)) == expression
    assert read_arguments([as_text(expression)]) == expression


@given(st.text('aAnDoR=!~<>:(),"\\ \t\n*-2\0\ud800é') | st.text())
def test_any_text_is_an_expression_or_an_error_at_a_place_in_it(text: str) -> None:
    try:
        expression = parse(text)
    except ExpressionError as error:
        place = error.position
    else:
        assert parse(as_text(expression)) == expression
        place = 0
    assert 0 <= place <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 1_000_000,
        "not " * 100_000 + "a",
        "(" * 200 + "a" + ")" * 200,
        "a=b and " * 100_000 + "a=b",
        " or ".join(["a"] * 201),
        f"a in ({', '.join('b' * 201)})",
        '"' + "x" * 1_000_000,
        "x" * 1_000_000,
        "a=\0b",
        "a\0=b",
        "a\x1b[2J",
        "a=b\u202e",
        "a=\ud800",
        "\u00a0a=b",
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_hostile_text_is_refused_at_once(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_what_is_not_too_much_is_read() -> None:
    deep = "(" * parser.DEEPEST + "a" + ")" * parser.DEEPEST
    assert parse(deep) == Contains("a")
    wide = parse(" or ".join(["a=b"] * parser.MOST_TERMS))
    assert len(list(terms(wide))) == parser.MOST_TERMS
    assert parse('"a\0"="\0"') == Equals("a\0", ("\0",))


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("team=a", "team", "a"),
        ("team=", "team", ""),
        ("=a", "", "a"),
        ("a==b", "a", "=b"),
        (r"a\=b=c=d", "a=b", "c=d"),
        (r"C:\dir=x\y", "C:\\dir", "x\\y"),
        (r"end\\=v", "end\\", "v"),
        ("note=a fine job (2nd try)", "note", "a fine job (2nd try)"),
        ("text=a\nb", "text", "a\nb"),
        ("a=salt-and-pepper", "a", "salt-and-pepper"),
        ("a=and", "a", "and"),
        ("acme:team=x", "acme:team", "x"),
        ('say=he said "hi"', "say", 'he said "hi"'),
        ("k='x'", "k", "'x'"),
        ("k=\udcff", "k", "\udcff"),
        ("100%_=' O'R 1 --", "100%_", "' O'R 1 --"),
    ],
)
def test_a_plain_pair_is_taken_as_it_stands(text: str, key: str, value: str) -> None:
    assert read_arguments([text]) == Equals(key, (value,))


@pytest.mark.parametrize(
    "text",
    [
        "a=b and c=d",
        "a=b OR (c=d)",
        'a="b c"',
        "label:a=b",
        "client:a=b",
        "(a=b)",
        "not a=b",
        "a!=b=c",
    ],
)
def test_anything_else_is_an_expression(text: str) -> None:
    assert read_arguments([text]) == parse(text)
    assert read_arguments([text]) != Equals(*text.split("=", 1)[:1], (text.split("=", 1)[1],))


@pytest.mark.parametrize("text", ["a=b && c~d", "a=b andd c=d", "100%_=' OR 1=1 --"])
def test_a_slip_is_no_plain_pair(text: str) -> None:
    with pytest.raises(ExpressionError):
        read_arguments([text])


def test_arguments_are_joined_by_and() -> None:
    assert read_arguments([]) == EVERYTHING
    assert read_arguments(["a=b and c", "d or e"]) == All(
        (Equals("a", ("b",)), Contains("c"), parse("d or e"))
    )
    with pytest.raises(ExpressionError):
        read_arguments([""])


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        ("1970", 0, 365 * DAY),
        ("1972-02", 761 * DAY, 29 * DAY),
        ("1970-12", 334 * DAY, 31 * DAY),
        ("1970-01-02", DAY, DAY),
        ("1970-01-01T00:01", 60 * SECOND, 60 * SECOND),
        ("1970-01-01T01:00:01+01:00", SECOND, SECOND),
        ("1969-12-31T23:59:59.5Z", -SECOND // 2, SECOND // 10),
        ("1970-01-01T00:00:00.000000001", 1, 1),
        ("-2d", 8 * DAY, 1),
        ("-1w", 3 * DAY, 1),
    ],
)
def test_a_date_means_all_of_its_time(text: str, start: int, length: int) -> None:
    assert period.read_period(text, now=10 * DAY) == (start, start + length)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "24",
        "1677",
        "2262",
        "2024-1",
        "2024-02-30",
        "2024-03-01T25:00",
        "-7",
        "-7y",
        "2024-03-01T10:00+99:00",
        "٢٠٢٤",
    ],
)
def test_other_texts_are_no_moment(text: str) -> None:
    assert not period.is_moment(text)
