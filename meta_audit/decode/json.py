"""JSON, as fast as the fast parsers and as strict as the slow ones.

The fast road decodes with orjson and encodes again. If that gives the bytes that came in, the
document is its value's own form, so it cannot hold a duplicate key (the form would be
shorter), junk, or a number written in another way. Everything else takes the strict road.
"""

from __future__ import annotations

import json
from typing import Final, NoReturn

import orjson

from meta_audit.decode.json_text import (
    check_escapes,
    check_structure,
    constant_line,
    find_duplicate_key,
)
from meta_audit.decode.scalars import json_float, json_int
from meta_audit.decode.text import check_size, line_at, quote, to_text
from meta_audit.errors import RejectedError
from meta_audit.model import MAX_DEPTH, MAX_NODES

MOST_ESCAPES: Final = 10_000
"""Of the fast road: each one takes memory."""
_SPACE: Final = " \t\r\n"
_SPACE_BYTES: Final = _SPACE.encode()
_DEEP_INDENT: Final = b"\n" + b" " * (2 * MAX_DEPTH)
"""Stands before the children of a container `MAX_DEPTH` deep, when indented by 2."""

_GO_ESCAPES: Final = {
    b"u%04x" % ord(character): character.encode() for character in "<>&\u2028\u2029"
}
"""What Go's encoder escapes and orjson does not: the escape after its backslash, and UTF-8."""
_ESCAPED_NUL: Final = b"u0000"


def decode_json(content: bytes) -> object:
    """Decode one JSON text (RFC 8259). Raises `RejectedError`.

    A number comes as `model.Scalar` unless it is written as orjson writes its value.
    """
    check_size(content)
    bare = content.strip(_SPACE_BYTES)
    option = orjson.OPT_INDENT_2 if b"\n" in bare else None
    try:
        value: object = orjson.loads(bare)
        form = orjson.dumps(value, option=option)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _decode_strictly(content)
    escapes = bare.split(b"\\", MOST_ESCAPES)
    if (
        (form == bare or form == _without_go_escapes(*escapes))
        and (bare.count(b"{") + bare.count(b"[") <= MAX_DEPTH or not _may_be_deep(value))
        and len(bare) <= 2 * MAX_NODES  # A node takes two bytes at least.
        and len(escapes) <= MOST_ESCAPES
        and not any(escape.startswith(_ESCAPED_NUL) for escape in escapes)
    ):
        return value
    return _decode_strictly(content)


def _may_be_deep(value: object) -> bool:
    return _DEEP_INDENT in orjson.dumps(value, option=orjson.OPT_INDENT_2)


def _without_go_escapes(first: bytes, *escapes: bytes) -> bytes:
    r"""Undo Go's own escapes in a text that was split at its backslashes.

    This may also hit the tail of an escaped backslash (`\\u003c`), but what it leaves there
    (`\<`) is in no form that orjson writes, so equality still proves what it should.
    """
    undone = [_GO_ESCAPES.get(e[:5], b"\\" + e[:5]) + e[5:] for e in escapes]
    return first + b"".join(undone)


class _DuplicateKeyError(Exception):
    """An object has a key twice; where, is looked up in the text."""


class _ConstantError(Exception):
    """NaN or Infinity, which Python's parser takes and JSON does not have."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _DuplicateKeyError
    return value


def _constant(name: str) -> NoReturn:
    raise _ConstantError(name)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=json_int,
    parse_float=json_float,
    parse_constant=_constant,
)


def _decode_strictly(content: bytes) -> object:
    """Apply every rule, one after the other, with line numbers."""
    text = to_text(content)
    if text.startswith("\ufeff"):
        raise RejectedError(
            "text.encoding",
            "the document begins with a byte order mark, which JSON does not allow "
            "(RFC 8259, section 8.1)",
            line=1,
        )
    start = len(text) - len(text.lstrip(_SPACE))
    if start == len(text):
        raise RejectedError("empty", "there is nothing but white space")
    check_structure(text)
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise RejectedError(
            "json.syntax", f"{error.msg}, at column {error.colno}", line=error.lineno
        ) from error
    except _ConstantError as error:
        raise RejectedError(
            "json.syntax", f"{error} is not a JSON number", line=constant_line(text)
        ) from None
    except _DuplicateKeyError:
        key, path, line = find_duplicate_key(text)
        raise RejectedError(
            "duplicate_key", f"the key {quote(key)} stands twice in {path}", line=line
        ) from None
    rest = text[end:].lstrip(_SPACE)
    if rest:
        raise RejectedError(
            "trailing_data",
            f"after the end of the document comes {quote(rest)}",
            line=line_at(text, len(text) - len(rest)),
        )
    check_escapes(text)
    return value
