"""A whole store into an empty one, of the same engine or the other, numbers and all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from meta_audit.errors import StoreError, UsageError
from meta_audit.schema.tables import FACT_TABLES, metadata
from meta_audit.store.engine import rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from meta_audit.store.opening import Store

ROWS_AT_ONCE: Final = 500
"""Few, because a document may have megabytes."""
PAGES_AT_ONCE: Final = 4_096
"""Between these, writers of the store have their turn."""


def copy(source: Store, target: Store, copied: Callable[[str, int], None]) -> dict[str, int]:
    """Copy every fact in one transaction; rows by table.

    `copied` is told a table and how many more of its rows were copied. Raises `UsageError`
    where the target holds anything, `StoreError` where a store fails; then nothing is copied.
    """
    counts = dict.fromkeys(FACT_TABLES, 0)
    bulk = target.bulk()
    try:
        bulk.begin()
        for name in FACT_TABLES:
            if bulk.query(f"SELECT 1 FROM {name} LIMIT 1"):  # noqa: S608 - own names
                raise UsageError(
                    f"{target.shown} is not empty: it has {name}",
                    advice="Copy into a new store.",
                )
        try:
            with source.engine.connect() as connection:
                _hold_still(connection)
                for name in FACT_TABLES:
                    table = metadata.tables[name]
                    columns = tuple(table.columns.keys())
                    query = sa.select(table).order_by(*table.primary_key.columns)
                    streaming = connection.execution_options(yield_per=ROWS_AT_ONCE)
                    with streaming.execute(query) as result:
                        for partition in result.partitions():
                            bulk.insert(name, columns, rows(partition))
                            counts[name] += len(partition)
                            copied(name, len(partition))
        except sa.exc.DBAPIError as error:
            raise source.failed(error) from error
        bulk.commit()
    except BaseException:
        bulk.rollback()
        raise
    finally:
        bulk.close()
    return counts


def _hold_still(connection: sa.Connection) -> None:
    """See one state of the source, while others write to it."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.execution_options(isolation_level="REPEATABLE READ")


def backup(source: Store, path: str) -> int:
    """Copy an SQLite store into a new file while others may write to it; the bytes of the copy.

    Raises `UsageError` where the store is no SQLite file or the copy exists, `StoreError` where
    the copy fails or is damaged.
    """
    if not source.is_sqlite:
        raise UsageError(
            f"{source.shown} is no SQLite file",
            advice="Use pg_dump, or `meta-audit db copy`, which verifies the copy.",
        )
    target = Path(path)
    if target.exists():
        raise UsageError(f"{target} exists", advice="Name a new file.")
    partial = target.with_name(target.name + ".partial")
    try:
        with (
            closing(source.engine.raw_connection()) as old,
            closing(sqlite3.connect(partial)) as new,
        ):
            old.driver_connection.backup(new, pages=PAGES_AT_ONCE)  # type: ignore[union-attr]
            (state,) = new.execute("PRAGMA integrity_check").fetchone()
            new.execute("PRAGMA journal_mode = DELETE")
        if state != "ok":
            raise StoreError(f"the copy is damaged: {state}", advice="Check the disk.")
        partial.rename(target)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"cannot back up to {target}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target.stat().st_size
