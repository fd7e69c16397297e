"""Open and manage stores in SQLite files."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from meta_audit.errors import StoreError, UsageError
from meta_audit.store.sqlite.failures import failure
from meta_audit.store.sqlite.immutable import Immutable, uri
from meta_audit.store.sqlite.session import FITS, SqliteSession, fits_regex

if TYPE_CHECKING:
    from meta_audit.store.retry import Retry
    from meta_audit.store.session import Session

__all__ = [
    "backup",
    "begin_upgrade",
    "check_durability",
    "failure",
    "has_table",
    "is_auditor",
    "is_empty",
    "make_engine",
    "may_upgrade",
    "open_session",
    "role_statements",
]

WRITER_CACHE_KIB: Final = 65_536
READER_CACHE_KIB: Final = 8_192
AUTOCHECKPOINT_PAGES: Final = 16_384
PAGES_PER_STEP: Final = 4_096
"""Pages of a backup between which writers of the store get their turn."""
_RELATIONS: Final = "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view')"


def make_engine(url: sa.URL, retry: Retry, *, read_only: bool) -> sa.Engine:
    """Return an engine whose connections have the settings of a reader or a writer."""
    immutable = None
    if read_only:
        path = url.database or ""
        immutable = Immutable.needed_for(path)
        url = url.set(database=uri(path, immutable=immutable is not None), query={"uri": "true"})
    arguments = {"timeout": retry.busy_seconds, "isolation_level": None}
    engine = sa.create_engine(url, connect_args=arguments)
    if immutable:
        sa.event.listen(engine, "engine_disposed", immutable.check_unchanged)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: object) -> None:
        connection.create_function(FITS, 2, fits_regex, deterministic=True)
        with closing(connection.cursor()) as cursor:
            cursor.execute("PRAGMA trusted_schema = OFF")
            if read_only:
                cursor.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
                cursor.execute("PRAGMA query_only = ON")
            else:
                cursor.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
                cursor.execute("PRAGMA synchronous = FULL")
                cursor.execute(f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}")
                cursor.execute("PRAGMA foreign_keys = ON")

    return engine


def open_session(engine: sa.Engine, name: str, retry: Retry, *, writes: bool) -> SqliteSession:
    """Open a connection. A writer's connection changes the file to WAL mode."""
    session = SqliteSession(engine, name, retry)
    if writes:
        session.use_wal()
    return session


def check_durability(_: Session) -> None:
    """Do nothing: every connection that writes has `synchronous = FULL`."""


def begin_upgrade(connection: sa.Connection) -> None:
    """Begin a transaction that excludes every other writer. The file is in WAL mode already."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def has_table(session: Session, name: str) -> bool:
    """Return True if the store has a table or view of this name."""
    return bool(session.query(f"{_RELATIONS} AND name = ?", name))


def is_empty(session: Session) -> bool:
    """Return True if the file holds no table and no view."""
    return not session.query(f"{_RELATIONS} LIMIT 1")


def may_upgrade(_: Session) -> bool:
    """Return True: anyone who may write to the file may change the tables."""
    return True


def is_auditor(_: Session) -> bool:
    """Return False: SQLite has no roles."""
    return False


def role_statements(*_: object) -> list[str]:
    """Raise `UsageError`: SQLite has no roles."""
    raise UsageError(
        "SQLite has no roles",
        advice="Use file permissions: give write access only to those who import.",
    )


def backup(engine: sa.Engine, name: str, target: Path) -> None:
    """Copy the store into a new file, even while others write to it. Raises `StoreError`."""
    partial = target.with_name(target.name + ".partial")
    drafts = partial, partial.with_name(partial.name + "-journal")
    try:
        for draft in drafts:
            draft.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL, 0o600))
        with (
            closing(engine.raw_connection()) as source,
            closing(sqlite3.connect(partial)) as copy,
        ):
            source.driver_connection.backup(copy, pages=PAGES_PER_STEP)  # type: ignore[union-attr]
            (state,) = copy.execute("PRAGMA integrity_check").fetchone()
            copy.execute("PRAGMA journal_mode = DELETE")
        if state != "ok":
            raise StoreError(f"the copy of {name} is damaged: {state}", advice="Check the disk.")
        partial.rename(target)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"cannot back up to {target}: {error}",
            advice="Check the directory and the free space, or name another file.",
        ) from error
    finally:
        with suppress(OSError):
            for draft in drafts:
                draft.unlink(missing_ok=True)
