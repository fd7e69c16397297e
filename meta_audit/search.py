r"""Searches, and how they are written.

A term is `KEY=VALUE`, exactly, in any version of a job, in the job's Meta or a task's; all
terms must match. It is split at its first `=`. For a key that holds one: `\=` in the key is
`=`, and `\\` is a backslash (`a\=b=c`: key `a=b`, value `c`); any other backslash is itself.
The value is taken as it stands.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from meta_audit.errors import UsageError

_TERM: Final = re.compile(r"((?:[^=\\]|\\[\\=]|\\(?![\\=]))*)=(.*)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\([\\=])")


class Pair(Struct, frozen=True):
    """A Meta pair, exactly."""

    key: str
    value: str


class Search(Struct, frozen=True):
    """Jobs that match all of it; an empty search is matched by every job."""

    pairs: tuple[Pair, ...] = ()
    client: str | None = None
    """A client's ID, whatever its trust."""
    requester: str | None = None
    """A requester node's ID."""
    namespace: str | None = None

    def texts(self) -> tuple[str, ...]:
        """Return every text that must be in the store for a job to match."""
        texts = [text for pair in self.pairs for text in (pair.key, pair.value)]
        return (*texts, *filter(None, (self.client, self.requester, self.namespace)))


def parse_term(text: str) -> Pair:
    """Read one term. Raises `UsageError` for a text without a `=` that ends a key."""
    match = _TERM.fullmatch(text)
    if match is None:
        raise UsageError(
            f"not KEY=VALUE: {text}",
            advice=r"Use KEY=VALUE; write \= for = in the key.",
        )
    return Pair(_ESCAPED.sub(r"\1", match[1]), match[2])


def format_term(pair: Pair) -> str:
    """Write a term so that `parse_term` reads the same pair."""
    key = pair.key.replace("\\", "\\\\").replace("=", "\\=")
    return f"{key}={pair.value}"
