"""Turn damage met on the way into a finding, so that the run goes on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import zstandard

from meta_audit.errors import DamagedStoreError, LedgerError
from meta_audit.verify.outcome import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.store.session import Session
    from meta_audit.verify.outcome import Damages

UNREADABLE: Final = (
    DamagedStoreError,
    LedgerError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    zstandard.ZstdError,
)
"""Raised by work on values that nobody but a tamperer can have written."""


@contextmanager
def guarded(session: Session, damages: Damages, check: Check, what: str) -> Iterator[None]:
    """Note what cannot be read within this block as damage, and go on behind it."""
    try:
        yield
    except UNREADABLE as error:
        damages.add(check, "bytes", f"{what}: {said(error)}")
        go_on_after(error, session)


def go_on_after(error: Exception, session: Session) -> None:
    """Begin a transaction where an error has ended it: on PostgreSQL every one of the server."""
    if isinstance(error, DamagedStoreError):
        session.begin_snapshot()


def said(error: Exception) -> str:
    """Tell of an error what a person can use."""
    if isinstance(error, UnicodeError):
        return "a text that is not UTF-8"
    text = " ".join(str(error).split())
    return text if isinstance(error, DamagedStoreError | LedgerError) else f"wrong values ({text})"


def octets(value: object) -> bytes:
    """Give bytes as they are. `bytes` alone would make a million of them of the number."""
    if not isinstance(value, bytes | memoryview):
        raise TypeError(f"{type(value).__name__} instead of bytes")
    return bytes(value)
