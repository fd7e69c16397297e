import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.render.columns import NARROWEST, table
from meta_audit.render.escape import escape, is_safe
from meta_audit.render.layout import LONGEST, Screen, cells, cut, fields, shown


@given(st.text().map(escape), st.integers(1, 40))
def test_what_is_cut_fits(text: str, width: int) -> None:
    short = cut(text, width)
    assert cells(short) <= width
    assert short == text or short.endswith("…")
    if cells(text) <= width:
        assert short == text


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    assert cells("田中") == 4
    assert cells("e\u0301") == 1
    assert cut("田中さん", 4) == "田…"


def test_a_long_value_says_how_long_it_is() -> None:
    value = shown("x" * (LONGEST + 5), None)
    assert value.startswith("x" * LONGEST + "…")
    assert f"({LONGEST + 5:,} characters)" in value


@given(st.lists(st.tuples(st.text(), st.text())), st.none() | st.integers(20, 100))
def test_fields_are_a_safe_line_each(pairs: list[tuple[str, str]], width: int | None) -> None:
    lines = fields(pairs, Screen(width))
    assert len(lines) == len(pairs)
    assert all(map(is_safe, lines))


@given(
    st.integers(1, 5).flatmap(lambda n: st.lists(st.tuples(*[st.text()] * n), max_size=5)),
    st.integers(60, 120),
)
def test_tables_fit_the_screen(rows: list[tuple[str, ...]], width: int) -> None:
    header = [f"c{n}" for n in range(len(rows[0]) if rows else 2)]
    lines = table(header, rows, Screen(width)).splitlines()
    assert len(lines) == len(rows) + 1
    assert all(cells(line) <= max(width, len(header) * (NARROWEST + 2)) for line in lines)
    assert all(map(is_safe, lines))


def test_columns_that_must_stay_whole_do() -> None:
    job_id, name = "j" * 38, "n" * 60
    text = table(("id", "name"), [(job_id, name)], Screen(60), whole=(0,))
    assert job_id in text
    assert name not in text


@pytest.mark.parametrize("color", [True, False])
def test_colour_is_the_only_escape_sequence(color: bool) -> None:
    text = table(("a",), [("\x1b[31m[bold]x[/bold]",)], Screen(80, color=color))
    assert text.count("\x1b[") == (2 if color else 0)
    assert "\\x1b[31m[bold]x[/bold]" in text
