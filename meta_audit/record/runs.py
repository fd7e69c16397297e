"""The rows that begin and end an import. Rows are only ever added."""

from __future__ import annotations

import getpass
import os
import socket
import time
from typing import TYPE_CHECKING

from meta_audit.schema.tables import columns
from meta_audit.store.session import row

if TYPE_CHECKING:
    from meta_audit.record.sealing import Sealed, Sealer
    from meta_audit.store.session import Session


def actor() -> str:
    """Return user@host of this process; the user's number where it has no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    name = f"{user}@{socket.gethostname()}"
    return name.encode(errors="backslashreplace").decode()


def now() -> int:
    """Return nanoseconds since 1970 UTC."""
    return time.time_ns()


def begin_import(session: Session, actor: str, tool_version: str, arguments: str) -> int:
    """Record that an import begins, and return its number."""

    def work() -> int:
        number = int(session.query("SELECT coalesce(max(import_id), 0) + 1 FROM imports")[0][0])
        values = row(number, now(), actor, tool_version, arguments)
        session.insert("imports", columns("imports"), values)
        return number

    return session.transaction(work)


def end_import(
    session: Session,
    import_id: int,
    status: str,
    counts: dict[str, int],
    sealer: Sealer,
    *,
    seconds: float | None = None,
) -> Sealed:
    """Record how an import ended, and sign the checkpoint that covers it: both, or neither.

    `counts` are the columns of import_results; `seconds` limit the waiting for the store.
    """
    names = ("import_id", "finished_at", "status", *counts)

    def work() -> Sealed:
        session.insert("import_results", names, row(import_id, now(), status, *counts.values()))
        return sealer.seal(import_id)

    sealer.advance()  # so that the lock is held for what is left alone
    return session.transaction(work, seconds=seconds)
