"""Run a statement that a person wrote on PostgreSQL, so that it can only read.

The statement becomes a cursor's (`DECLARE … CURSOR FOR`), which takes one SELECT and nothing
else, in a transaction that is read-only and undone at its end.
"""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format

from meta_audit.errors import MetaAuditError, UsageError
from meta_audit.store.postgresql.failures import failure
from meta_audit.store.session import ROWS_PER_SELECT, SELECT_ADVICE, Row, SelectedRows
from meta_audit.store.stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHORTEST: Final = 0.5
"""Seconds of `statement_timeout`, at least, so that it does not cut off the undoing."""
_LONGEST: Final = 2_000_000
"""Seconds that it can hold, about."""
_DIRECT: Final = re.compile(
    r"(?:\s|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)*(?:EXPLAIN|SHOW)\b", re.IGNORECASE
)
"""Statements that give rows, but that a cursor does not take."""
PLAN_JOINS_OF_VIEWS: Final = (
    "SET LOCAL join_collapse_limit = 20; SET LOCAL from_collapse_limit = 20;"
    " SET LOCAL geqo_threshold = 20"
)
"""Two views together have more tables than the 8 that PostgreSQL orders as a whole. Beyond them it
plans each view on its own, and reads one of them from end to end."""
_NATIVE: Final = ("bool", "int2", "int4", "int8", "oid", "float4", "float8", "bytea")
"""Types that become Python's own; the others stay text as PostgreSQL writes it."""
_OWN_FAULT: Final = (
    *("0A", "21", "22", "25", "26", "2F", "34", "38", "39", "42", "54", "55000", "P0"),
)
"""Beginnings of SQLSTATEs that come from the statement, not from the store."""
_READ_ONLY: Final = ("25006", "42501")
_CANCELED: Final = "57014"
_TIME: Final = re.compile(r"(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00")


class PlainText(Loader):
    """Load any value as text."""

    def load(self, data: Buffer) -> Any:
        """Decode one value."""
        return bytes(data).decode()


class Number(PlainText):
    """Load a `numeric`: as an integer if it is one, so that sums are the same on each engine."""

    def load(self, data: Buffer) -> Any:
        """Decode one value."""
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdecimal() else float(Decimal(text))


class UtcTime(PlainText):
    """Load a time as RFC 3339."""

    def load(self, data: Buffer) -> Any:
        """Decode one value; the server writes UTC."""
        return _TIME.sub(r"\1T\2Z", bytes(data).decode())


@contextmanager
def selection(
    driver: psycopg.Connection[Any],
    name: str,
    sql: str,
    parameters: Sequence[object],
    *,
    seconds: float,
) -> Iterator[SelectedRows]:
    """Run one statement in the present transaction, which is read-only. Raises `UsageError`."""
    watch = Stopwatch(seconds)
    is_direct = _DIRECT.match(sql) is not None
    text = sql.replace("%", "%%").replace("?", "%s") if parameters else sql
    cursor: psycopg.Cursor[Any] = (
        driver.cursor(binary=True)  # so that it is one statement
        if is_direct
        else driver.cursor("meta_audit_select")
    )
    _load_as_text(cursor)
    try:
        try:
            driver.execute("SAVEPOINT meta_audit_select")
            driver.execute("SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'")
            driver.execute(PLAN_JOINS_OF_VIEWS)
            with watch.running():
                _limit(driver, watch)
                cursor.execute(text, parameters or None)
        except psycopg.Error as error:
            raise _explained(name, error, watch) from error
        if not cursor.description:
            raise UsageError("there is no query", advice=SELECT_ADVICE)
        names = tuple(column.name for column in cursor.description)
        yield SelectedRows(names, _rows(driver, cursor, name, watch))
    finally:
        with suppress(psycopg.Error):
            cursor.close()
        _undo(driver)


def _rows(
    driver: psycopg.Connection[Any], cursor: psycopg.Cursor[Any], name: str, watch: Stopwatch
) -> Iterator[Row]:
    while True:
        try:
            with watch.running():
                _limit(driver, watch)
                some = cursor.fetchmany(ROWS_PER_SELECT)
        except (psycopg.Error, UnicodeDecodeError) as error:
            raise _explained(name, error, watch) from error
        if not some:
            return
        yield from some


def _limit(driver: psycopg.Connection[Any], watch: Stopwatch) -> None:
    """Set the server's own limit, each time: the statement may have changed it."""
    milliseconds = ceil(min(max(watch.left, _SHORTEST), _LONGEST) * 1_000)
    driver.execute(f"SET LOCAL statement_timeout = {milliseconds}".encode())


def _undo(driver: psycopg.Connection[Any]) -> None:
    """Undo settings that the statement made, and go on after an error."""
    with suppress(psycopg.Error):
        driver.execute("ROLLBACK TO SAVEPOINT meta_audit_select")


def _load_as_text(cursor: psycopg.Cursor[Any]) -> None:
    adapters = cursor.adapters
    for info in adapters.types:
        for oid in (info.oid, info.array_oid):
            if oid and not (oid == info.oid and info.name in _NATIVE):
                loader = {"numeric": Number, "timestamptz": UtcTime}.get(info.name, PlainText)
                adapters.register_loader(oid, loader if oid == info.oid else PlainText)
                adapters.register_loader(oid, _binary(PlainText))


def _binary(loader: type[PlainText]) -> type[PlainText]:
    return type(f"Binary{loader.__name__}", (loader,), {"format": Format.BINARY})


def _explained(name: str, error: Exception, watch: Stopwatch) -> MetaAuditError:
    """Turn an error of the driver into one for a person."""
    state = getattr(error, "sqlstate", None) or ""
    if state == _CANCELED:
        return watch.too_long()
    if not isinstance(error, psycopg.Error) or not state.startswith(_OWN_FAULT):
        return failure(name, error)
    said = error.diag.message_primary or str(error)
    if state in _READ_ONLY:
        return UsageError(f"the store can only be read: {said}", advice=SELECT_ADVICE)
    hint = error.diag.message_hint
    return UsageError(
        f"the query fails: {said}",
        advice=hint or SELECT_ADVICE,
    )
