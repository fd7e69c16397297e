"""Decode JSON, fast where the document allows it and strictly everywhere.

The fast road decodes with orjson and encodes again. If that gives the bytes that came in, then
the document holds no duplicate key (the encoded form would be shorter), no junk, and no number
written in another way. Every other document takes the strict road.
"""

from __future__ import annotations

import json
from typing import Final, NoReturn

import orjson

from meta_audit.decode.json_text import (
    check_structure,
    check_surrogates,
    constant_line,
    find_duplicates,
)
from meta_audit.decode.scalars import json_float, json_int
from meta_audit.decode.text import (
    check_size,
    control_error,
    leading_hint,
    line_at,
    quote,
    template_hint,
    to_text,
)
from meta_audit.errors import RejectedError
from meta_audit.model import MAX_DEPTH, MAX_NODES, Decoded, Duplicate

MOST_ESCAPES: Final = 10_000
"""Most escapes of a document on the fast road: each one takes memory."""
_SPACE: Final = " \t\r\n"
_SPACE_BYTES: Final = _SPACE.encode()
_DEEP_INDENT: Final = b"\n" + b" " * (2 * MAX_DEPTH)
"""Stands before the children of a container `MAX_DEPTH` deep, when indented by 2."""

_GO_ESCAPES: Final = {
    b"u%04x" % ord(character): character.encode() for character in "<>&\u2028\u2029"
}
"""Escapes, without the backslash, that Go's encoder writes and orjson does not, and their UTF-8."""


def decode_json(content: bytes) -> Decoded:
    """Decode one JSON text (RFC 8259). Raises `RejectedError`.

    A number comes as `model.Scalar` unless it is written as orjson writes its value. A byte
    order mark is skipped, and UTF-16 that has one is taken.
    """
    check_size(content)
    bare = content.strip(_SPACE_BYTES)
    if _may_have_many_nodes(bare):
        return _decode_strictly(content)
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
        and len(escapes) <= MOST_ESCAPES
    ):
        return Decoded(value)
    return _decode_strictly(content)


def _may_have_many_nodes(bare: bytes) -> bool:
    """Tell whether the punctuation, that in strings too, allows for `MAX_NODES` nodes."""
    # A node takes two bytes at least.
    return len(bare) > 2 * MAX_NODES and sum(map(bare.count, (b",", b":", b"[", b"{"))) >= MAX_NODES


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
    """An object has a key twice."""


class _ConstantError(Exception):
    """NaN or Infinity, which Python's parser takes and JSON does not have."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _DuplicateKeyError
    return value


def _constant(name: str) -> NoReturn:
    raise _ConstantError(name)


_LAST_WINS: Final = json.JSONDecoder(
    parse_int=json_int, parse_float=json_float, parse_constant=_constant
)
_UNIQUE: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=json_int,
    parse_float=json_float,
    parse_constant=_constant,
)


def _decode_strictly(content: bytes) -> Decoded:
    """Apply every rule, one after the other, with line numbers."""
    text = to_text(content)
    start = len(text) - len(text.lstrip(_SPACE))
    if start == len(text):
        raise RejectedError("empty", "there is nothing but white space")
    check_structure(text)
    duplicates: tuple[Duplicate, ...] = ()
    try:
        value, end = _raw_decode(_UNIQUE, text, start)
    except _DuplicateKeyError:
        value, end = _raw_decode(_LAST_WINS, text, start)
        duplicates = find_duplicates(text[:end])
    rest = text[end:].lstrip(_SPACE)
    if rest:
        raise RejectedError(
            "trailing_data",
            f"after the end of the document comes {quote(rest)}{leading_hint(text)}",
            line=line_at(text, len(text) - len(rest)),
        )
    check_surrogates(text)
    return Decoded(value, duplicates)


def _raw_decode(decoder: json.JSONDecoder, text: str, start: int) -> tuple[object, int]:
    """Decode the value that begins at `start`; return it and where it ends."""
    try:
        return decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        character = text[error.pos : error.pos + 1]
        if character and character < " " and character not in _SPACE[1:]:
            raise control_error(character, error.lineno, language="json") from error
        said = text[error.pos :].partition("\n")[0].rstrip()
        here = f"{quote(said)} is no JSON" if said and error.msg == "Expecting value" else error.msg
        message = f"{here}, at column {error.colno}"
        message += template_hint(text, error.lineno) or leading_hint(text)
        raise RejectedError("json.syntax", message, line=error.lineno) from error
    except _ConstantError as error:
        raise RejectedError(
            "json.syntax", f"{error} is not a JSON number", line=constant_line(text)
        ) from None
