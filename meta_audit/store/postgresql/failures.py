"""Classify errors of psycopg: find those that pass, and advise about the others."""

from __future__ import annotations

import re
from typing import Final

import psycopg

from meta_audit.errors import DamagedStoreError, StoreError, TransientStoreError

TRANSIENT: Final = (
    "08",  # connection exception
    "40",  # serialization failure, deadlock
    "53300",  # too many connections
    "55P03",  # lock not available
    "57P",  # admin shutdown, crash shutdown, cannot connect now
    "25P03",  # idle in transaction
    "25006",  # read-only: connected to a standby, while another server takes over
)
"""Beginnings of SQLSTATEs of errors that pass."""
DAMAGED: Final = (
    *("XX", "22", "42", "58"),  # corrupted data, bad value, no such relation, system error
    *("0A", "21", "55000"),  # what our tables and views allow, another object does not
    *("38", "39", "54", "P0"),  # a function that someone added raises, or has no end
)
"""Beginnings of SQLSTATEs that only damage can cause, or a change of the schema."""
FORBIDDEN: Final = "42501"
HIDES_ROWS: Final = "check_enable_rls"
"""Function of the server that raises where row security would hide rows. We have it off."""
ADVICE: Final = {
    "08001": "Correct the URL: libpq does not accept a part of it.",
    "08004": "Check the host in the URL: there is no such host.",
    "08P01": "Check sslmode and the certificates: the URL and the server do not agree about SSL.",
    "25006": "Name the primary or all hosts, if this is a standby. If it is none, turn off"
    " default_transaction_read_only, which the server, the database or the role has on.",
    "28": "Check user and password in the URL or in ~/.pgpass, and pg_hba.conf on the server.",
    "3D": "Create the database first, for example with `createdb`.",
    "42501": "Use a role with the right to do this: see docs/postgresql.md.",
    "40001": "Run the same command again. On a standby, see max_standby_streaming_delay.",
    "42": "Run `meta-audit verify`: a part of the store is missing or was changed.",
    "53100": "Make room on the server's disk, then run the same command again.",
    "53300": "Run the same command again later: the server has too many connections.",
    "55P03": "Wait, then run the same command again: another program holds the store.",
    "57014": "Run the same command again: the server took too long or was told to stop.",
    "other": "Check that the server is up. Completed work is saved; run the same command again.",
}
"""Advice by the beginning of the SQLSTATE."""
_HINTS: Final = (
    ("08001", re.compile("invalid connection option|invalid .* value:|bad value for|port number")),
    ("08P01", re.compile("SSL was required|certificate")),
    ("08004", re.compile("not known|No address associated")),
    ("53300", re.compile("too many connections|too many clients|connection slots are reserved")),
    ("28000", re.compile("role .* does not exist|not permitted to log in|pg_hba|authentication")),
    ("28P01", re.compile("password")),
    ("3D000", re.compile("database .* does not exist")),
    ("42501", re.compile("permission denied for database")),
)
"""SQLSTATE of a failed connection by its English text, since libpq gives no code."""
_PERMANENT: Final = ("08001", "08004", "08P01")
"""Those of the transient codes that do not pass."""


def failure(name: str, error: Exception, *, lost: bool = False) -> StoreError:
    """Turn an error of the driver into one for a person; `name` is the store.

    With `lost`, the connection is gone, so the same work may succeed on a new one.
    """
    state = _state(error)
    kind = StoreError
    if lost or _is_transient(error, state):
        kind = TransientStoreError
    elif isinstance(error, UnicodeDecodeError) or (
        state.startswith(DAMAGED) and state != FORBIDDEN
    ):
        kind = DamagedStoreError
    if _hides_rows(error):
        kind, state = DamagedStoreError, "42"
    advice = next((text for code, text in ADVICE.items() if state.startswith(code)), "")
    own = getattr(error, "sqlstate", None)
    code = f" ({own})" if own else ""
    text = " ".join(str(error).split())
    return kind(f"the store {name} failed: {text}{code}", advice=advice or ADVICE["other"])


def _is_transient(error: Exception, state: str) -> bool:
    return (state.startswith(TRANSIENT) and state not in _PERMANENT) or (
        not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    )


def _hides_rows(error: Exception) -> bool:
    return isinstance(error, psycopg.Error) and error.diag.source_function == HIDES_ROWS


def _state(error: Exception) -> str:
    """Return the SQLSTATE. Libpq gives none for a failed connection: see `_HINTS`."""
    state = getattr(error, "sqlstate", None)
    if state:
        return str(state)
    return next((code for code, hint in _HINTS if hint.search(str(error))), "")
