"""Answer queries that a person wrote in SQL from the tables of a lake, with DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from threading import Timer
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

from meta_audit.errors import UsageError
from meta_audit.lake.duck import asked
from meta_audit.lake.tables import NUMBERS, STORE, TABLES, columns
from meta_audit.query.sql import CONTRACT_FORMAT, SECONDS, Contract, View, ViewColumn, distinct
from meta_audit.query.texts import storable
from meta_audit.schema.contract import CONTRACT
from meta_audit.store.session import ROWS_PER_SELECT, Row, SelectedRows
from meta_audit.store.stopwatch import Stopwatch

if TYPE_CHECKING:
    import duckdb

    from meta_audit.lake.catalog import Lake

ADVICE: Final = (
    "Give one SELECT. `meta-audit lake sql` without a query lists the tables and their columns."
)
_MEANINGS: Final = {
    "entries": "A row per entry of the ledger (docs/ledger.md).",
    "documents": "A row per entry: the bytes that were kept, of rejections too.",
    "checkpoints": "A row per signed checkpoint of the ledger.",
    NUMBERS: "A row per job: its number, found by the beginning of the SHA-256 of its ID.",
}
_OWN_FAULT: Final = (
    *("BinderException", "CatalogException", "ConstraintException", "ConversionException"),
    *("InvalidInputException", "InvalidTypeException", "NotImplementedException"),
    *("OutOfRangeException", "ParserException", "PermissionException", "SequenceException"),
    *("SyntaxException", "TypeMismatchException"),
)
"""Errors of DuckDB that come from the query, not from the lake."""


def lake_contract() -> Contract:
    """Describe the tables of a lake."""
    of_store = ViewColumn(STORE, "store that the row is from: the origin of its checkpoints")
    views = [
        View(
            view,
            CONTRACT[view][0],
            (of_store, *(ViewColumn(one.column, one.meaning) for one in CONTRACT[view][1])),
        )
        for view in TABLES
        if view in CONTRACT
    ]
    views += [
        View(name, meaning, (of_store, *(ViewColumn(column, "") for column, _ in columns(name))))
        for name, meaning in _MEANINGS.items()
    ]
    return Contract(CONTRACT_FORMAT, tuple(views))


@contextmanager
def lake_select(lake: Lake, query: str, seconds: float = SECONDS) -> Iterator[SelectedRows]:
    """Run one query on one state of a lake, and give its rows as a stream.

    It reads nothing but the lake, and writes nothing. Raises `UsageError` for a query that DuckDB
    does not take, or works on for longer than `seconds`, and `StoreError`.
    """
    if not storable(query):
        raise UsageError("the query is not Unicode", advice="Write it as UTF-8.")
    said = query.lower()
    tables = [name for name in TABLES if name in said] or TABLES
    with asked(lake, tables, is_closed=True) as (duck, _):
        watch = Stopwatch(seconds)
        with _running(duck, watch):
            _check(duck, query)
            duck.execute(query)
        names = distinct(column[0] for column in duck.description or ())
        yield SelectedRows(names, _rows(duck, watch))


def _check(duck: duckdb.DuckDBPyConnection, query: str) -> None:
    """Raise `UsageError` for what is not one query."""
    found = duck.extract_statements(query)
    kinds = [statement.type.name for statement in found]
    if not kinds:
        raise UsageError("there is no query", advice=ADVICE)
    if len(kinds) > 1:
        raise UsageError("there are several statements", advice=ADVICE)
    if kinds[0] not in ("SELECT", "EXPLAIN"):
        raise UsageError("the lake can only be read", advice=ADVICE)


@contextmanager
def _running(duck: duckdb.DuckDBPyConnection, watch: Stopwatch) -> Iterator[None]:
    """Let DuckDB work in this block until the time is over. Raises `UsageError`."""
    import duckdb  # noqa: PLC0415 - an extra

    timer = Timer(watch.left, duck.interrupt)
    timer.daemon = True
    try:
        with watch.running():
            timer.start()
            yield
    except duckdb.InterruptException as error:
        raise watch.too_long() from error
    except duckdb.Error as error:
        said = " ".join(str(error).partition("\n\nLINE ")[0].split())
        if _is_of_query(type(error).__name__, said):
            raise UsageError(f"the query fails: {said}", advice=ADVICE) from error
        raise
    finally:
        timer.cancel()


def _is_of_query(kind: str, said: str) -> bool:
    """Tell whether an error of DuckDB comes from the query, not from a file."""
    return kind in _OWN_FAULT and not (kind == "InvalidInputException" and ".parquet" in said)


def _rows(duck: duckdb.DuckDBPyConnection, watch: Stopwatch) -> Iterator[Row]:
    while True:
        with _running(duck, watch):
            some = duck.fetchmany(ROWS_PER_SELECT)
        if not some:
            return
        yield from (tuple(map(_as_text, row)) for row in some)


def _as_text(value: Any) -> Any:
    """Return a value as `meta-audit sql` gives it: numbers, bytes and texts stay what they are."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat(sep=" ")
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | time | timedelta | UUID):
        return str(value)
    if isinstance(value, list | tuple | dict):
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return value
