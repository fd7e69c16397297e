"""Texts and times as queries take them and give them back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from meta_audit.nul import MARK, unescape_nul

_Result = TypeVar("_Result", bound=msgspec.Struct)

_EPOCH: Final = datetime(1970, 1, 1)
_MARK: Final = MARK.encode()
LAST: Final = "\U0010ffff"
"""The last character: texts that begin with `p` lie from `p` to `p + LAST`."""


def storable(text: str) -> bool:
    """Return whether the store could hold a text.

    It holds no lone surrogates, which stand for bytes of a command line that are not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def exact(result: _Result) -> _Result:
    """Return a result with every text as its document has it: NUL is stored escaped."""
    if _MARK not in msgspec.json.encode(result):
        return result
    return msgspec.convert(_unescaped(msgspec.to_builtins(result)), type(result))


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
