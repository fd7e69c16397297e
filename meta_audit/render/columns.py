"""Rows in columns, a line each."""

from __future__ import annotations

from itertools import chain, islice
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
    return "".join(table_stream(header, body, screen, whole=whole))


def table_stream(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    screen: Screen,
    *,
    whole: Collection[int] = (),
) -> Iterator[str]:
    """Lay out rows as they come. Columns are as wide as the first `SAMPLE` rows need."""
    most = [None if n in whole else WIDEST for n in range(len(header))]
    rest = (list(map(shown, row, most)) for row in rows)
    first = list(islice(rest, SAMPLE))
    names = [shown(name, WIDEST) for name in header]
    widths = [max(map(cells, column)) for column in zip(names, *first, strict=True)]
    if screen.width is not None:
        widths = _fit(widths, screen.width, whole)
    yield screen.styled(_line(names, widths), "bold") + "\n"
    for row in chain(first, rest):
        if screen.width is None:
            widths = [max(w, cells(cell)) for w, cell in zip(widths, row, strict=True)]
        for n in whole:
            widths[n] = max(widths[n], cells(row[n]))
        yield _line(row, widths) + "\n"


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
