"""Errors of psycopg: which of them pass, and what a person can do about the others."""

from __future__ import annotations

import re
from typing import Final

import psycopg

TRANSIENT: Final = (
    "08",  # connection exception
    "40",  # serialization failure, deadlock
    "53300",  # too many connections
    "55P03",  # lock not available
    "57P",  # admin shutdown, crash shutdown, cannot connect now
    "25P03",  # idle in transaction
    "25006",  # read-only: connected to a standby, while another server takes over
)
"""Beginnings of SQLSTATEs that pass."""
ADVICE: Final = {
    "28": "Check the user and the password in the URL, or in the file ~/.pgpass.",
    "3D": "Make the database first, as with `createdb`.",
    "42501": "The role may not do that: see docs/postgresql.md.",
    "53100": "The server's disk is full: make room, then run the same command again.",
    "other": "Is the server up? What was written before stands; run the same command again.",
}
"""By the beginning of the SQLSTATE."""
_HINTS: Final = (
    ("28000", re.compile(r'role ".*" does not exist|pg_hba\.conf|authentication')),
    ("28P01", re.compile("password")),
    ("3D000", re.compile(r'database ".*" does not exist')),
)
"""SQLSTATE of a failed connection, by the English text; of others there is none."""


def is_transient(error: BaseException) -> bool:
    """Whether an error of the driver passes, so that the same may work a while later."""
    state = _state(error)
    return state.startswith(TRANSIENT) or (
        not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    )


def advice(error: BaseException) -> str:
    """What a person can do about an error of the driver."""
    state = _state(error)
    return next((text for code, text in ADVICE.items() if state.startswith(code)), ADVICE["other"])


def _state(error: BaseException) -> str:
    """The SQLSTATE; libpq keeps it to itself where it could not connect."""
    state = getattr(error, "sqlstate", None)
    if state:
        return str(state)
    return next((code for code, hint in _HINTS if hint.search(str(error))), "")
