"""Rows in columns, a line each."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from meta_audit.render.layout import cells, cut, padded, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from meta_audit.render.layout import Screen

GAP: Final = 2
SAMPLE: Final = 1_000
"""Rows of a stream that say how wide its columns are."""
WIDEST: Final = 100
"""Columns of a cell, also where there is no terminal."""
NARROWEST: Final = 8
"""Columns are not made narrower than this: then lines become longer than the screen."""


def table(
    header: Sequence[str],
    body: Sequence[Sequence[str]],
    screen: Screen,
    *,
    whole: Collection[int] = (),
) -> str:
    """Lay out rows below a header. Cells are escaped here.

    Cells are cut at `WIDEST`, and on a terminal until lines fit; those in `whole` never.
    """
    most = [None if n in whole else WIDEST for n in range(len(header))]
    rows = [list(map(shown, row, most)) for row in body]
    widths = [max(map(cells, column)) for column in zip(header, *rows, strict=True)]
    if screen.width is not None:
        widths = _fit(widths, screen.width, whole)
    lines = [screen.styled(_line(header, widths), "bold")]
    lines += [_line(row, widths) for row in rows]
    return "\n".join(lines) + "\n"


def table_stream(
    header: Sequence[str], rows: Iterable[Sequence[str]], screen: Screen
) -> Iterator[str]:
    """Lay out rows as they come. Columns are as wide as the first rows need."""
    rest = iter(rows)
    first = [[shown(cell, WIDEST) for cell in row] for row in islice(rest, SAMPLE)]
    names = [shown(name, WIDEST) for name in header]
    widths = [max(map(cells, column)) for column in zip(names, *first, strict=True)]
    if screen.width is not None:
        widths = _fit(widths, screen.width, ())
    yield screen.styled(_line(names, widths), "bold") + "\n"
    for row in first:
        yield _line(row, widths) + "\n"
    for row_ in rest:
        more = [shown(cell, WIDEST) for cell in row_]
        if screen.width is None:
            widths = [max(w, cells(cell)) for w, cell in zip(widths, more, strict=True)]
        yield _line(more, widths) + "\n"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    parts = [padded(cut(cell, width), width) for cell, width in zip(row, widths, strict=True)]
    return (" " * GAP).join(parts).rstrip()


def _fit(widths: list[int], screen: int, whole: Collection[int]) -> list[int]:
    """Narrow the widest columns, one after the other, to the next width below them."""
    widths = list(widths)
    able = [n for n in range(len(widths)) if n not in whole]
    excess = sum(widths) + GAP * (len(widths) - 1) - screen
    while excess > 0 and able:
        widest = max(widths[n] for n in able)
        if widest <= NARROWEST:
            break
        at_widest = [n for n in able if widths[n] == widest]
        below = max([widths[n] for n in able if widths[n] < widest] + [NARROWEST])
        step = max(1, min(widest - below, -(-excess // len(at_widest))))
        for n in at_widest:
            widths[n] -= step
        excess -= step * len(at_widest)
    return widths
