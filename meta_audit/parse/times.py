"""Read times: RFC 3339 text as Go's `time.Time` has it, and integers since 1970.

No clock, no locale.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

from meta_audit.decode.text import quote
from meta_audit.errors import RejectedError
from meta_audit.model import Finding
from meta_audit.parse.fields import MAX_INT64, MIN_INT64, integer, wrong_type

if TYPE_CHECKING:
    from meta_audit.parse.fields import Fields

_RFC3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH: Final = date(1970, 1, 1).toordinal()
_ZERO_DAY: Final = 1 - _EPOCH
"""Day of Go's zero time, 0001-01-01, which stands for "not set"."""


_UNITS: Final = (
    (10**9, 10**9, "seconds"),
    (10**12, 10**6, "milliseconds"),
    (10**15, 10**3, "microseconds"),
)
"""The first of its range, nanoseconds in one, name. Each range is the years 2001 - 2255."""
_LAST_OF_FIRST: Final = 9
_NANOSECONDS: Final = 10**17
"""The times of real jobs, in nanoseconds, are above it (1973)."""


def since_1970(value: int, where: str, findings: list[Finding]) -> int | None:
    """Return a time in nanoseconds, None for 0. Note one that is written in another unit."""
    if 0 < value < _NANOSECONDS:
        for first, factor, unit in _UNITS:
            if first <= value < _LAST_OF_FIRST * first:
                findings.append(Finding("time.unit", f"{where}: {value} is in {unit}"))
                return value * factor
    return value or None


def integer_moment(fields: Fields, name: str, label: str, findings: list[Finding]) -> int | None:
    """Return a field that holds integer nanoseconds, None when it is absent, null or 0."""
    return since_1970(integer(fields, name, label), f"{label}.{name}", findings)


def nanoseconds(text: str) -> int | None:
    """Return nanoseconds since 1970-01-01 UTC; None for Go's zero time and for no text.

    Digits beyond the ninth are cut off (RFC 3339 section 5.6 allows any number; Go keeps nine).
    Raises `ValueError` when the text is not RFC 3339, `OverflowError` outside of int64.
    """
    if not text:
        return None
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, sign, zone_h, zone_m = match.groups()
    days = date(int(year), int(month), int(day)).toordinal() - _EPOCH if year != "0000" else None
    clock = (int(hour), int(minute), int(second))
    zone = (int(zone_h or 0), int(zone_m or 0))
    if days is None or clock > (23, 59, 59) or max(clock[1:]) > 59 or zone[0] > 23 or zone[1] > 59:
        raise ValueError(text)
    seconds = days * 86_400 + clock[0] * 3_600 + clock[1] * 60 + clock[2]
    offset = zone[0] * 3_600 + zone[1] * 60
    seconds -= -offset if sign == "-" else offset
    if seconds == _ZERO_DAY * 86_400 and not (fraction or "").strip("0"):
        return None
    value = seconds * 1_000_000_000 + int(((fraction or "") + "000000000")[:9])
    if not MIN_INT64 <= value <= MAX_INT64:
        raise OverflowError(text)
    return value


def moment(fields: Fields, name: str, label: str) -> int | None:
    """Return a field that holds RFC 3339 text, in nanoseconds; None when absent, null or zero.

    Raises `RejectedError` (`field.type`, or `number.range` outside the years 1678-2261).
    """
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(f"{label}.{name}", "a time as RFC 3339 text", value)
    try:
        return nanoseconds(value)
    except OverflowError:
        raise RejectedError(
            "number.range", f"{label}.{name}: {quote(value)} is not between 1678 and 2261"
        ) from None
    except ValueError:
        raise wrong_type(f"{label}.{name}", "a time as RFC 3339 text", value) from None
