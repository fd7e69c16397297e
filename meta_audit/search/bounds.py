"""Say which nanoseconds a comparison with a moment means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_audit.period import read_period

if TYPE_CHECKING:
    from meta_audit.search.expression import Comparison


def bounds(comparison: Comparison, moment: str, *, now: int) -> tuple[int | None, int | None]:
    """Return the first nanosecond that fits a comparison, and the first one that is too late."""
    start, end = read_period(moment, now=now)
    return {
        "<": (None, start),
        "<=": (None, end),
        ">": (end, None),
        ">=": (start, None),
        ":": (start, end),
    }[comparison]
