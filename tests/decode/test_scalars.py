"""Plain scalars and keys of YAML; each value was checked against sigs.k8s.io/yaml v1.6.0."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.decode.scalars import json_float, json_int, plain, plain_key, stored_text, whole
from meta_audit.model import Scalar


@pytest.mark.parametrize("text", ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "True", "TRUE"])
def test_true(text: str) -> None:
    assert plain(text) == Scalar(text, True)
    assert plain_key(text) == "true"


@pytest.mark.parametrize(
    "text", ["n", "N", "no", "No", "NO", "off", "Off", "OFF", "False", "FALSE"]
)
def test_false(text: str) -> None:
    assert plain(text) == Scalar(text, False)
    assert plain_key(text) == "false"


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null(text: str) -> None:
    assert plain(text) is None
    assert plain_key(text) is None


@pytest.mark.parametrize("text", [".inf", "+.Inf", "-.INF", ".nan", ".NaN"])
def test_not_finite_has_no_value(text: str) -> None:
    assert plain(text) == Scalar(text, None)


@pytest.mark.parametrize(
    "text",
    [
        "yES",
        "tRUE",
        "oN",
        "nULL",
        "None",
        "NaN",
        "inf",
        ".Inf.",
        "2024-01-01",
        "2001-12-14t21:59:43.10-05:00",
        "12:30:45",
        "190:20:30",
        "=",
        "<<",
        "1.2.3",
        "v1",
        "0x",
        "0b",
        "0o",
        "0xg",
        "1e",
        "1e+",
        "1e400",
        "-1e400",
        ".",
        "..",
        "._5",
        ".5_",
        ".5__5",
        "++1",
        "+_",
        "-b_c",
        "50cent",
        "0x1p4",
        "0x1FFFFFFFFFFFFFFFFF",
        "1_e_x",
        "-0b-1",
        "_1",
        "é",
        "true\xa0",
    ],
)
def test_strings(text: str) -> None:
    assert plain(text) == text
    assert plain_key(text) == text


def test_a_number_too_large_for_a_float_is_a_string() -> None:
    assert plain("1" * 5000) == "1" * 5000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("017", 15),
        ("-017", -15),
        ("00", 0),
        ("0o17", 15),
        ("0x1F", 31),
        ("0X1f", 31),
        ("-0x1F", -31),
        ("0x_0A_74_AE", 685230),
        ("0b101", 5),
        ("+0B101", 5),
        ("0b-1", -1),
        ("1_000", 1000),
        ("0_", 0),
        ("+12", 12),
        ("-0", 0),
        ("0xFFFFFFFFFFFFFFFF", 2**64 - 1),
        ("-0x8000000000000000", -(2**63)),
        ("08", 8.0),
        ("029985606250", 29985606250.0),
        ("1.20", 1.2),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        (".5_5", 0.55),
        (".1e1_0", 1e9),
        ("685_230.15", 685230.15),
        ("1e3", 1000.0),
        ("+1E-3", 0.001),
        ("02777777777777777777777", 2777777777777777777777.0),
        ("18446744073709551616", None),
        ("-9223372036854775809", None),
        ("+18446744073709551615", None),
        ("1" * 300, None),
    ],
)
def test_numbers_in_another_form(text: str, value: float | None) -> None:
    resolved = plain(text)
    assert resolved == Scalar(text, value)
    assert isinstance(resolved, Scalar)
    assert type(resolved.value) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("false", False), ("0", 0), ("-7", -7), ("1.5", 1.5), ("1.0", 1.0)],
)
def test_what_json_writes_the_same_way_is_plain(text: str, value: object) -> None:
    resolved = plain(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1.20", "1.2"),
        ("0x10", "16"),
        ("017", "15"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", None),
        ("18446744073709551616", "1.8446744e+19"),
        ("1234567.891", "1.2345679e+06"),
        ("100000.0", "100000"),
        ("1e6", "1e+06"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("-0.0", "-0"),
        ("0.1", "0.1"),
        ("3.40282346638528859811704183484516925440e+38", "3.4028235e+38"),
        ("1e300", ".inf"),
        ("-1e300", "-.inf"),
        (".nan", ".nan"),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_keys(text: str, key: str | None) -> None:
    assert plain_key(text) == key


@given(st.integers(-(2**63), 2**64 - 1))
def test_integers_round_trip(number: int) -> None:
    assert plain(str(number)) == json_int(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_round_trip(number: float) -> None:
    for resolved in (plain(repr(number)), json_float(repr(number))):
        assert (resolved.value if isinstance(resolved, Scalar) else resolved) == number


@given(st.text("0123456789+-_.eExXobBy~", max_size=12))
def test_any_text_resolves(text: str) -> None:
    resolved = plain(text)
    plain_key(text)
    if isinstance(resolved, (str, Scalar)):
        assert (resolved.text if isinstance(resolved, Scalar) else resolved) == text


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("3.14159265358979", "3.1415927"),
        ("16777217", "16777217"),
        ("16777217.0", "1.6777216e+07"),
        ("1234567.0", "1.234567e+06"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744e+19"),
        ("1e300", "+Inf"),
        ("-.inf", "-Inf"),
        (".nan", "NaN"),
        ("-0.0", "-0"),
        ("1e-50", "0"),
        ("off", "false"),
    ],
)
def test_stored_text(text: str, stored: str) -> None:
    value = plain(text)
    assert isinstance(value, int | float | Scalar)
    assert stored_text(value) == stored


@given(st.integers(-(2**63), 2**64 - 1))
def test_stored_integers_are_exact(number: int) -> None:
    assert int(stored_text(number)) == number


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_stored_floats_are_exact_to_32_bits(number: float) -> None:
    (single,) = struct.unpack("f", struct.pack("f", float(stored_text(number))))
    assert single == number


@pytest.mark.parametrize(
    ("value", "integer"),
    [
        (1.0, 1),
        (100.0, 100),
        (-0.0, 0),
        (2.0**62, 4611686018427388000),
        (1e20, 10**20),
        (1e21, None),
        (1.5, None),
        (1e-7, None),
    ],
)
def test_whole(value: float, integer: int | None) -> None:
    assert whole(value) == integer


@given(st.integers(-(2**53), 2**53))
def test_whole_gives_back_what_a_float_holds(number: int) -> None:
    assert whole(float(number)) == number
