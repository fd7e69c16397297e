"""Read the dates and times of expressions.

A date means all of its time: `2024` the year, `2024-03` the month, `2024-03-01T10:00` the
minute. `-7d` is a moment, so long before now. Times are UTC unless an offset says otherwise.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from meta_audit.search.expression import Comparison

FIRST_YEAR: Final = 1678
LAST_YEAR: Final = 2261
"""Whole years that nanoseconds since 1970 reach in 64 bits."""
FIRST: Final = -(1 << 63)
"""The first nanosecond that 64 bits reach."""
_SECOND: Final = 1_000_000_000
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
"""Seconds of each unit of a time before now."""
_AGO: Final = re.compile(r"-([0-9]{1,6})([smhdw])")
_DATE: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Span(NamedTuple):
    """Hold a span of time, in nanoseconds since 1970."""

    start: int
    end: int
    """The first nanosecond after it."""


def is_moment(text: str) -> bool:
    """Tell whether a text is a date, a time or a time before now."""
    try:
        span(text, now=0)
    except ValueError:
        return False
    return True


def is_date(text: str) -> bool:
    """Tell whether a text is a date or time that does not depend on now."""
    return _AGO.fullmatch(text) is None and is_moment(text)


def span(text: str, *, now: int) -> Span:
    """Return the time that a text means. Raises `ValueError` for any other text."""
    ago = _AGO.fullmatch(text)
    if ago:
        moment = max(now - int(ago[1]) * _UNITS[ago[2]] * _SECOND, FIRST)
        return Span(moment, moment + 1)
    match = _DATE.fullmatch(text)
    if match is None or not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    start = datetime.fromisoformat(
        f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
        f"{offset or 'Z'}"
    )
    begin = _nanoseconds(start)
    if fraction:
        begin += int(fraction.ljust(9, "0"))
        return Span(begin, begin + 10 ** (9 - len(fraction)))
    if second or minute:
        return Span(begin, begin + (1 if second else 60) * _SECOND)
    if day:
        return Span(begin, begin + _UNITS["d"] * _SECOND)
    next_month = start.replace(month=1 if not month else start.month % 12 + 1)
    is_next_year = not month or start.month == 12
    return Span(begin, _nanoseconds(next_month.replace(year=start.year + is_next_year)))


def bounds(comparison: Comparison, moment: str, *, now: int) -> tuple[int | None, int | None]:
    """Return the first nanosecond that fits a comparison, and the first one that is too late."""
    start, end = span(moment, now=now)
    return {
        "<": (None, start),
        "<=": (None, end),
        ">": (end, None),
        ">=": (start, None),
        ":": (start, end),
    }[comparison]


def _nanoseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1) * 1_000
