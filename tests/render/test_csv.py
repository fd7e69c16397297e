import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.render.csv import FORMULA_STARTS, neutralise, to_csv

CELL = st.text(st.characters(exclude_characters="\0"))


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "=cmd|'/C calc'!A0", "=\u202ex"]
)
def test_formulas_are_neutralised(cell: str) -> None:
    assert neutralise(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=1", " =1", "'=1", "1", "ü", "\n=1", '"'])
def test_all_else_is_exact(cell: str) -> None:
    assert neutralise(cell) == cell


@given(st.lists(st.tuples(CELL, CELL | st.integers() | st.none()), min_size=1))
def test_what_is_written_reads_back(rows: list[tuple[str, str | int | None]]) -> None:
    text = "".join(to_csv(("a", "b"), rows))
    header, *read = csv.reader(io.StringIO(text, newline=""))
    assert header == ["a", "b"]
    for cells, row in zip(read, rows, strict=True):
        for cell, value in zip(cells, row, strict=True):
            if isinstance(value, str):
                assert not cell.startswith(FORMULA_STARTS)
                assert cell.removeprefix("'") == value.removeprefix("'")
            else:
                assert cell == ("" if value is None else str(value))


def test_a_row_is_a_line_ended_by_crlf() -> None:
    assert "".join(to_csv(("a",), [("x",), (None,), ("q,\n",)])) == 'a\r\nx\r\n""\r\n"q,\n"\r\n'
