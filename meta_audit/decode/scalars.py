"""Resolve the text of one scalar: numbers of JSON, plain scalars and keys of YAML.

Bacalhau (all versions) turns a YAML job into JSON with ghodss/yaml or sigs.k8s.io/yaml, both
on go-yaml v2 (`resolve.go`, v2.4.0). Its rules differ from YAML 1.1 and from PyYAML: `y` and
`n` are booleans, `08` is the float 8, `0o17` is an octal, dates are strings, and so are
base-60 numbers and anything that overflows a float.
"""

from __future__ import annotations

import math
import re
import struct
from base64 import b64decode
from decimal import Decimal
from typing import Final

import orjson

from meta_audit.model import Scalar

_MIN_INT: Final = -(2**63)
_MAX_INT: Final = 2**63 - 1
_MAX_UINT: Final = 2**64 - 1
_MAX_INT_CHARS: Final = 20
"""A longer decimal literal is beyond 64 bits (or starts with zeros, which JSON forbids)."""

_WORDS: Final[dict[str, bool | float | None]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_KINDS: Final = {"bool": bool, "int": int, "float": float, "null": type(None), "timestamp": str}
"""YAML's tags for scalars, except `!!str`, which takes any text: what `_resolve` gives for them."""
_TIMESTAMP: Final = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9:.]+(?:[Zz]|[ ]?[+-][0-9:]+)?)?"
)
"""A date or time; whether there is such a day is for nobody to say here."""
_HIDDEN: Final = re.compile("[\0\uffff]")
"""Refused in `!!binary`: elsewhere the bytes of a document show whether it holds them."""
_NOT_FINITE: Final = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}
"""Names of Go: names of YAML."""
_FIRST_WITH_EXPONENT: Final = 1e21
_NUMBER_STARTS: Final = frozenset("+-.0123456789")
_INT: Final = re.compile(
    r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))"
)
_LATE_BINARY: Final = re.compile(r"0b([+-][01]+)")
"""`0b-1` is -1: `resolve` cuts the prefix off and lets `ParseInt` read a sign."""
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DOT_FLOAT: Final = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
"""`ParseFloat` takes underscores between digits; only a leading dot gets to it with them."""


def json_int(text: str) -> int | Scalar:
    """Decode an integer literal of JSON; `Scalar(text, None)` beyond 64 bits."""
    if len(text) <= _MAX_INT_CHARS:
        value = int(text)
        if _MIN_INT <= value <= _MAX_UINT:
            return Scalar(text, value) if text == "-0" else value
    return Scalar(text, None)


def json_float(text: str) -> float | Scalar:
    """Decode a literal with fraction or exponent; `Scalar` unless JSON writes it the same way."""
    value = float(text)
    if not math.isfinite(value):
        return Scalar(text, None)
    return value if orjson.dumps(value).decode() == text else Scalar(text, value)


def plain(text: str) -> str | int | float | Scalar | None:
    """Resolve a plain (unquoted, untagged) scalar of YAML, as go-yaml v2 does.

    Infinite and not-a-number give `Scalar(text, None)`: JSON has no form for them, and
    Bacalhau fails on them. So does an integer beyond 64 bits, which go-yaml rounds.
    """
    if text not in _WORDS and text[0] not in _NUMBER_STARTS:
        return text
    value = _resolve(text)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value) or _is_long_int(text):
            return Scalar(text, None)
        form = orjson.dumps(value).decode()
    else:
        form = str(value).lower()
    return value if form == text else Scalar(text, value)


def plain_key(text: str) -> str | None:
    """Give the string that a plain scalar becomes as a mapping key; None where it cannot be one.

    As `convertToJSONableObject` of sigs.k8s.io/yaml v1.6.0 (`yaml.go`) has it: null and
    integers above int64 are refused; a float is written as the nearest *float32*.
    """
    if text not in _WORDS and text[:1] not in _NUMBER_STARTS:
        return text
    value = _resolve(text)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value <= _MAX_INT else None
    written = _format_float32(value)
    return _NOT_FINITE.get(written, written)


def tagged(kind: str, text: str) -> str | int | float | Scalar | None:
    """Resolve a scalar with the tag `!!kind`, as go-yaml v2 does whether it is quoted or not.

    Raises `ValueError` where the text is none of that kind, and `UnicodeDecodeError`, which is
    one, where `!!binary` holds anything but UTF-8.
    """
    if kind == "binary":
        content = b64decode(text.replace("\n", "").replace("\r", ""), validate=True).decode()
        if _HIDDEN.search(content):
            raise ValueError(kind)
        return content
    value = _resolve(text)
    if kind == "float" and type(value) is int:
        return Scalar(text, float(value))
    if kind not in _KINDS or type(value) is not _KINDS[kind]:
        raise ValueError(kind)
    if kind == "timestamp" and not _TIMESTAMP.fullmatch(text):
        raise ValueError(kind)
    return plain(text)


def stored_text(value: bool | float | Scalar) -> str:
    """Give the text that Bacalhau v1.0.4-v1.3.2 stored where a number or boolean stood for text.

    As `convertToJSONableObject` of ghodss/yaml has it for a target of type string: `0x1F` is
    `31`, `on` is `true`, and a float is written as the nearest *float32*, so that `3.14159265`
    is `3.1415927`. v1.4 and later refuse such a value.
    """
    resolved: object = value
    if isinstance(value, Scalar):
        resolved = _resolve(value.text) if value.value is None else value.value
    if isinstance(resolved, bool):
        return "true" if resolved else "false"
    return _format_float32(resolved) if isinstance(resolved, float) else str(resolved)


def whole(value: float) -> int | None:
    """Give the integer that Bacalhau reads where YAML has a float: 2 for `2.0`, 100 for `1e2`.

    None where the JSON that the float becomes (`encoding/json`, `floatEncoder`) is no integer.
    """
    if not value.is_integer() or abs(value) >= _FIRST_WITH_EXPONENT:
        return None
    return int(Decimal(repr(value)))  # The shortest digits: 4611686018427388000 for 2.0**62.


def _resolve(text: str) -> str | bool | int | float | None:
    """Do as `resolve` of go-yaml v2.4.0 without a tag. Timestamps are strings."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        return _float(text.replace("_", ""), text) if _DOT_FLOAT.fullmatch(text) else text
    bare = text.replace("_", "")
    match = _INT.fullmatch(bare)
    if match:
        value = _int(match)
        if value is not None:
            return value
    if _FLOAT.fullmatch(bare):
        return _float(bare, text)
    match = _LATE_BINARY.fullmatch(bare)
    if match:
        value = int(match[1], 2)
        if _MIN_INT <= value <= _MAX_INT:
            return value
    return text


def _int(match: re.Match[str]) -> int | None:
    """Do as `strconv.ParseInt` or, without a sign, `ParseUint`; None out of range."""
    sign, hexadecimal, binary, octal, decimal = match.groups()
    if decimal:
        # int() refuses more than 4,300 digits; 20 are enough for 64 bits.
        value = int(decimal[: _MAX_INT_CHARS + 1])
    elif hexadecimal:
        value = int(hexadecimal, 16)
    else:
        value = int(binary, 2) if binary else int(octal, 8)
    if sign == "-":
        return -value if value <= -_MIN_INT else None
    return value if value <= (_MAX_INT if sign else _MAX_UINT) else None


def _float(bare: str, text: str) -> float | str:
    """Do as `strconv.ParseFloat`; what overflows stays a string."""
    value = float(bare)
    return value if math.isfinite(value) else text


def _is_long_int(text: str) -> bool:
    """Tell a decimal integer that became a float only because 64 bits do not hold it."""
    match = _INT.fullmatch(text.replace("_", ""))
    return match is not None and match[5] is not None


def _format_float32(value: float) -> str:
    """Do as `strconv.FormatFloat(value, 'g', -1, 32)`."""
    if math.isnan(value):
        return "NaN"
    try:
        packed = struct.pack("f", value)
    except OverflowError:
        packed = struct.pack("f", math.copysign(math.inf, value))
    single = struct.unpack("f", packed)[0]
    if math.isinf(single):
        return "+Inf" if single > 0 else "-Inf"
    # Nine digits tell any two float32 apart; the fewest that do are the shortest form.
    digits = next(n for n in range(9) if n == 8 or _packs_to(f"{single:.{n}e}", packed))
    mantissa, exponent = f"{single:.{digits}e}".split("e")
    if -4 <= int(exponent) < 6:
        return f"{single:.{max(digits - int(exponent), 0)}f}"
    return f"{mantissa}e{exponent}"


def _packs_to(text: str, packed: bytes) -> bool:
    try:
        return struct.pack("f", float(text)) == packed
    except OverflowError:
        return False
