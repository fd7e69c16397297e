"""Texts and times as queries take them and give them back."""

from __future__ import annotations

import time
from typing import Final

LAST: Final = "\U0010ffff"
"""The last character: texts that begin with `p` lie from `p` to `p + LAST`."""


def storable(text: str) -> bool:
    """Return whether the store could hold a text.

    It holds no NUL and no lone surrogates. The latter stand for bytes of a command line that
    are not UTF-8.
    """
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def rfc3339(nanoseconds: int | None) -> str | None:
    """Return a time of the store as RFC 3339 in UTC, to the nanosecond."""
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"
