"""Read the dates and times that people write, as the periods that they mean.

A date means all of its time: `2024` the year, `2024-03` the month, `2024-03-01T10:00` the
minute. `-7d` is a moment, so long before now. Times are UTC unless an offset says otherwise.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from meta_audit.errors import UsageError

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
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Period(NamedTuple):
    """Hold a period in nanoseconds since 1970-01-01 UTC."""

    start: int
    end: int
    """The first nanosecond after it."""


def is_moment(text: str) -> bool:
    """Tell whether a text is a date, a time or a time before now."""
    try:
        read_period(text, now=0)
    except ValueError:
        return False
    return True


def is_date(text: str) -> bool:
    """Tell whether a text is a date or time that does not depend on now."""
    return _AGO.fullmatch(text) is None and is_moment(text)


def read_period(text: str, *, now: int) -> Period:
    """Return the period that a text means. Raises `ValueError` for any other text."""
    ago = _AGO.fullmatch(text)
    if ago:
        moment = max(now - int(ago[1]) * _UNITS[ago[2]] * _SECOND, FIRST)
        return Period(moment, moment + 1)
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
        return Period(begin, begin + 10 ** (9 - len(fraction)))
    if second or minute:
        return Period(begin, begin + (1 if second else 60) * _SECOND)
    if day:
        return Period(begin, begin + _UNITS["d"] * _SECOND)
    next_month = start.replace(month=1 if not month else start.month % 12 + 1)
    is_next_year = not month or start.month == 12
    return Period(begin, _nanoseconds(next_month.replace(year=start.year + is_next_year)))


def parse_period(text: str, *, now: int) -> Period:
    """Return the period that a text means. Raises `UsageError` for any other text."""
    try:
        return read_period(text.strip(), now=now)
    except ValueError as error:
        match = _DATE.fullmatch(text.strip())
        if match and not FIRST_YEAR <= int(match[1]) <= LAST_YEAR:
            said = f"the year of {text[:40]} is out of range"
            raise UsageError(said, advice=f"Give one from {FIRST_YEAR} to {LAST_YEAR}.") from error
        raise UsageError(
            f"not a time: {text[:40]}",
            advice="Write 2024, 2024-03, 2024-03-31, 2024-03-31T14:30:00Z (UTC without a zone), "
            "or -7d for 7 days ago.",
        ) from error


def _nanoseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1) * 1_000
