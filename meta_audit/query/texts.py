"""Convert texts and times between queries and the store."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from meta_audit.nul import MARK, escape_nul, shorten_name, unescape_nul
from meta_audit.typed import built

_Result = TypeVar("_Result", bound=msgspec.Struct)

_EPOCH: Final = datetime(1970, 1, 1)
_MARK: Final = MARK.encode()
_SHOWN: Final = re.compile(r"\\(?:[tnr]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_SHORT: Final = {r"\t": "\t", r"\n": "\n", r"\r": "\r"}
LAST: Final = "\U0010ffff"
"""The last character: texts that begin with `p` lie from `p` to `p + LAST`."""


def storable(text: str) -> bool:
    """Return True if the store could hold this text.

    It never holds lone surrogates, which stand for bytes of a command line that are not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unescape_shown(text: str) -> str:
    """Return what a text stands for that was copied from a page (`meta_audit.render.escape`)."""
    try:
        return _SHOWN.sub(_character, text)
    except (ValueError, OverflowError):  # no character has this number
        return text


def stored_names(text: str) -> list[str]:
    """Return the names that a text may stand for, as the store has them; it may be copied."""
    meant = dict.fromkeys((text, unescape_shown(text)))
    return [shorten_name(escape_nul(name)) for name in meant if storable(name)]


def _character(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or chr(int(match[0][2:], 16))


def exact(result: _Result) -> _Result:
    """Return a result with every text as in its document. The store holds NUL escaped."""
    if _MARK not in msgspec.json.encode(result):
        return result
    return msgspec.convert(_unescaped(msgspec.to_builtins(result)), built(type(result)))


def _unescaped(value: Any) -> Any:
    if isinstance(value, str):
        return unescape_nul(value)
    if isinstance(value, dict):
        return {_unescaped(key): _unescaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_unescaped(item) for item in value]
    return value


def rfc3339(nanoseconds: int | None) -> str | None:
    """Return a time of the store as RFC 3339 in UTC, to the nanosecond."""
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat()}.{rest:09d}Z"
