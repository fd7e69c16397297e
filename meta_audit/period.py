"""Read a day, month or year, or an instant, as the period that it means.

No clock, no locale: what has no time zone is UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from meta_audit.errors import UsageError

_FORM: Final = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?"
    r"\s?(Z|[+-]\d{2}:\d{2})?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_SECOND: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_YEAR: Final = 2261
"""The last whole year that nanoseconds since 1970 can hold in 64 bits."""


class Period(NamedTuple):
    """Hold a period in nanoseconds since 1970-01-01 UTC."""

    start: int
    end: int
    """The first nanosecond after it."""


def parse_period(text: str) -> Period:
    """Read `2024`, `2024-03`, `2024-03-31`, or a time of a day (RFC 3339). Raises `UsageError`."""
    match = _FORM.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError(text)
        return _period(match)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"not a time: {text}",
            advice="Use 2024, 2024-03, 2024-03-31, or 2024-03-31T14:30:00Z; without a zone it is"
            " UTC.",
        ) from error


def _period(match: re.Match[str]) -> Period:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if not 1678 <= int(year) <= _LAST_YEAR:
        raise ValueError(year)
    date = int(year), int(month or 1), int(day or 1)
    begin = datetime(*date, int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    start = _nanoseconds(begin) - _offset(zone)
    if fraction is not None:
        length = 10 ** (9 - len(fraction))
        start += int(fraction) * length
    elif hour is not None:
        length = _SECOND * (1 if second is not None else 60)
    elif day is not None:
        length = 86_400 * _SECOND
    else:
        after = (date[0], date[1] + 1) if month and date[1] < 12 else (date[0] + 1, 1)
        length = _nanoseconds(datetime(*after, 1, tzinfo=UTC)) - start
    return Period(start, start + length)


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def _offset(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(zone)
    return (hours * 3_600 + minutes * 60) * _SECOND * (-1 if zone[0] == "-" else 1)
