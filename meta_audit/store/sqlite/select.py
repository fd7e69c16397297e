"""Run a statement that a person wrote on SQLite, so that it can only read."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from meta_audit.errors import MetaAuditError, UsageError
from meta_audit.store.session import ROWS_PER_SELECT, SELECT_ADVICE, Row, SelectedRows
from meta_audit.store.sqlite.failures import failure
from meta_audit.store.stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STEPS: Final = 20_000
"""Steps of SQLite's machine between looks at the clock."""
_READING: Final = sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE
_FORBIDDEN: Final = "load_extension", "fts3_tokenizer"
_PRAGMAS: Final = (
    *("table_list", "table_info", "table_xinfo", "index_list", "index_info", "index_xinfo"),
    *("foreign_key_list", "database_list", "function_list", "compile_options"),
)
"""Those that only tell something."""
_OWN_FAULT: Final = (None, "ERROR", "AUTH", "READONLY", "RANGE", "TOOBIG", "MISMATCH", "NOMEM")
"""Names of errors that come from the statement, not from the store."""


@contextmanager
def selection(
    driver: sqlite3.Connection,
    name: str,
    sql: str,
    parameters: Sequence[object],
    *,
    seconds: float,
) -> Iterator[SelectedRows]:
    """Run one statement. An authorizer refuses all but reading. Raises `UsageError`."""
    watch = Stopwatch(seconds)
    cursor = driver.cursor()
    try:
        driver.set_authorizer(_authorize)
        driver.set_progress_handler(watch.is_over, STEPS)
        try:
            with watch.running():
                cursor.execute(sql, parameters)
        except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
            raise _explained(name, error, watch) from error
        if cursor.description is None:
            raise UsageError("there is no query", advice=SELECT_ADVICE)
        names = tuple(column[0] for column in cursor.description)
        yield SelectedRows(names, _rows(cursor, name, watch))
    finally:
        cursor.close()
        driver.set_progress_handler(None, 0)
        driver.set_authorizer(None)


def _rows(cursor: sqlite3.Cursor, name: str, watch: Stopwatch) -> Iterator[Row]:
    while True:
        try:
            with watch.running():
                some = cursor.fetchmany(ROWS_PER_SELECT)
        except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
            raise _explained(name, error, watch) from error
        if not some:
            return
        yield from some


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Allow to read, to call functions, and to ask for the schema."""
    allowed = (
        action in _READING
        or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FORBIDDEN)
        or (action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _PRAGMAS)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _explained(name: str, error: Exception, watch: Stopwatch) -> MetaAuditError:
    """Turn an error of the driver into one for a person. Raises `KeyboardInterrupt`."""
    code = getattr(error, "sqlite_errorname", None)
    code = code.removeprefix("SQLITE_").split("_")[0] if code else None
    if code == "INTERRUPT":
        if watch.is_over():
            return watch.too_long()
        raise KeyboardInterrupt  # SQLite swallowed it
    if code not in _OWN_FAULT:
        return failure(name, error)
    if code in ("AUTH", "READONLY"):
        return UsageError(f"the store can only be read: {error}", advice=SELECT_ADVICE)
    return UsageError(
        f"the query fails: {error}",
        advice=SELECT_ADVICE,
    )
