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
    "08001": "The URL says something that libpq does not take: correct it.",
    "08004": "There is no such host: check the URL.",
    "08P01": "The URL and the server do not agree about SSL: see sslmode, and the certificates.",
    "25006": "That is a standby, or a database that is read-only: name the primary, or all hosts.",
    "28": "Check the user and the password in the URL or in ~/.pgpass; and pg_hba.conf there.",
    "3D": "Make the database first, as with `createdb`.",
    "42501": "The role may not do that: see docs/postgresql.md.",
    "40001": "On a standby, see max_standby_streaming_delay; run the same command again.",
    "53100": "The server's disk is full: make room, then run the same command again.",
    "53300": "The server has too many connections: run the same command again later.",
    "55P03": "Somebody else holds the store: wait, then run the same command again.",
    "57014": "The server took too long, or was told to stop: run the same command again.",
    "other": "Is the server up? What was written before stands; run the same command again.",
}
"""By the beginning of the SQLSTATE."""
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
"""SQLSTATE of a failed connection, by the English text; of others there is none."""
_PERMANENT: Final = ("08001", "08004", "08P01")
"""Of those beginnings, what does not pass."""


def is_transient(error: BaseException) -> bool:
    """Whether an error of the driver passes, so that the same may work a while later."""
    state = _state(error)
    return (state.startswith(TRANSIENT) and state not in _PERMANENT) or (
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
