"""RFC 3339 to nanoseconds, against `datetime` where that is exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.parse.times import nanoseconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(
    st.datetimes(
        min_value=datetime(1678, 1, 1),
        max_value=datetime(2261, 12, 31),
        timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
    ),
    st.integers(0, 999),
)
def test_as_datetime(moment: datetime, beyond: int) -> None:
    text = moment.isoformat(timespec="microseconds")
    text = f"{text[:26]}{beyond:03}{text[26:]}"
    expected = (moment - EPOCH) // timedelta(microseconds=1) * 1000 + beyond
    assert nanoseconds(text) == expected
    assert nanoseconds(text.replace("+00:00", "Z")) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00.000Z", None),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("2022-10-02T11:01:31.607336716Z", 1664708491607336716),
        ("2022-10-02T11:01:31.6073367169Z", 1664708491607336716),
        ("2022-10-02T13:01:31+02:00", 1664708491000000000),
    ],
)
def test_examples(text: str, value: int | None) -> None:
    assert nanoseconds(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "2022-10-02",
        "2022-10-02 11:01:31Z",
        "2022-10-02T11:01:31",
        "2022-10-02T11:01:31z",
        "2022-02-30T11:01:31Z",
        "2022-10-02T24:00:00Z",
        "2022-10-02T23:60:00Z",
        "2022-10-02T23:59:60Z",
        "2022-10-02T23:59:00+24:00",
        "2022-10-02T23:59:00.Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٢-10-02T11:01:31Z",
        "2022-10-02T11:01:31Z\n",
    ],
)
def test_not_a_time(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        nanoseconds(text)


def test_out_of_range() -> None:
    for text in ("1600-01-01T00:00:00Z", "0001-01-01T00:00:01Z", "2300-01-01T00:00:00Z"):
        with pytest.raises(OverflowError):
            nanoseconds(text)
