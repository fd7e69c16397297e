import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.errors import UsageError
from meta_audit.search import Pair, Search, format_term, parse_term


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
        ("two\nlines=a\nb", "two\nlines", "a\nb"),
        ("100%_=' OR 1=1 --", "100%_", "' OR 1=1 --"),
    ],
)
def test_a_term_is_split_at_its_first_equals_sign(text: str, key: str, value: str) -> None:
    assert parse_term(text) == Pair(key, value)


@pytest.mark.parametrize("text", ["", "team", r"a\=b", "a\\"])
def test_what_is_no_term_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not KEY=VALUE"):
        parse_term(text)


@given(st.builds(Pair, st.text("a=\\\n") | st.text(), st.text("a=\\") | st.text()))
def test_terms_round_trip(pair: Pair) -> None:
    assert parse_term(format_term(pair)) == pair


def test_a_search_names_all_its_texts() -> None:
    search = Search((Pair("k", "v"),), "c", None, "n")
    assert set(search.texts()) == {"k", "v", "c", "n"}
