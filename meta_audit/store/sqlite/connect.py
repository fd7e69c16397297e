"""SQLite: how it is opened, and how rows enter it in bulk.

One statement inserts some hundred rows: measured, this takes half the time of
`executemany` and less than `json_each` over packed integers (docs/adr/0005).
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from meta_audit.errors import StoreError
from meta_audit.store.retry import Patience
from meta_audit.store.sqlite.immutable import Still, uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from meta_audit.store.engine import Values

BUSY_SECONDS: Final = 600
"""How long a writer waits for its turn; another ingest holds the lock for one batch."""
VALUES_PER_STATEMENT: Final = 600
KEYS_PER_QUERY: Final = 500
ADVICE: Final = {
    "FULL": "The disk is full: make room, then run the same command again.",
    "IOERR": "The disk failed, or is full: see the system's log. What was written before stands;"
    " run the same command again when that is mended.",
    "BUSY": "Another program holds the store: wait for it, then run the same command again.",
    "READONLY": "May you write to it, and in its directory? Else name another store with --db.",
    "READONLY_ROLLBACK": "An import was cut off: run it again, which mends the store.",
    "CANTOPEN": "Does its directory exist, may you write in it, and is there room? After an import"
    " that was cut off, reading needs that too: run the import again.",
    "CORRUPT": "The file is damaged, or the disk cannot be read: run `meta-audit verify`, and where"
    " that fails too, restore the file from a backup.",
    "NOTADB": "That is no SQLite file: name another store with --db.",
    "other": "What was written before stands; run the same command again when that is mended.",
}
"""By SQLite's error name, whole or its first word."""
_RELATIONS: Final = "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view')"
CACHE_KIB: Final = 65_536
AUTOCHECKPOINT_PAGES: Final = 16_384


def make_engine(url: sa.URL, *, read_only: bool) -> sa.Engine:
    """An engine for an SQLite file, with the settings that every connection has."""
    still = None
    if read_only:
        path = url.database or ""
        still = Still.of(path)
        url = url.set(database=uri(path, immutable=still is not None), query={"uri": "true"})
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None})
    if still:
        sa.event.listen(engine, "engine_disposed", still.must_be_unchanged)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        cursor.execute("PRAGMA trusted_schema = OFF")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        else:
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute(f"PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES}")
            cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    return engine


def make_bulk(engine: sa.Engine) -> SqliteBulk:
    """A connection to write through."""
    return SqliteBulk(engine)


def must_be_safe(_: sa.Connection) -> None:
    """Every connection that writes has `synchronous = FULL`."""


def begin_upgrade(connection: sa.Connection) -> None:
    """Begin a transaction that nobody else's upgrade or import runs beside."""
    _use_wal(connection.exec_driver_sql)
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _use_wal(execute: Callable[[str], object]) -> None:
    """Change the file, which has to be a store or to become one, to WAL mode.

    SQLite does not wait here where another does the same at once.
    """
    patience = Patience()
    while True:
        try:
            execute("PRAGMA journal_mode = WAL")
            return
        except (sqlite3.OperationalError, sa.exc.OperationalError) as error:
            cause = getattr(error, "orig", error)
            is_busy = getattr(cause, "sqlite_errorname", "") == "SQLITE_BUSY"
            if not is_busy or not patience.wait(error):
                raise


def has_revision(connection: sa.Connection) -> bool:
    """Whether there is a table `alembic_version`."""
    return (
        connection.exec_driver_sql(f"{_RELATIONS} AND name = 'alembic_version'").first() is not None
    )


def is_empty(connection: sa.Connection) -> bool:
    """Whether there is nothing where the tables shall be made."""
    return connection.exec_driver_sql(_RELATIONS).first() is None


def is_transient(_: BaseException) -> bool:
    """Nothing: where another program holds the store, SQLite itself has waited."""
    return False


def advice(error: BaseException) -> str:
    """What a person can do about an error of the driver."""
    name = getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_")
    return ADVICE.get(name) or ADVICE.get(name.split("_")[0], ADVICE["other"])


class SqliteBulk:
    """`engine.Bulk` for SQLite."""

    def __init__(self, engine: sa.Engine) -> None:
        self._pooled = engine.raw_connection()
        driver = self._pooled.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise StoreError(f"not an SQLite connection: {driver!r}")
        self._driver = driver
        self._name = engine.url.database
        try:
            _use_wal(driver.execute)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def begin(self) -> None:
        """Take the write lock; waits for another writer's batch."""
        self._execute("BEGIN IMMEDIATE", ())

    def commit(self) -> None:
        """Make the transaction durable."""
        try:
            self._driver.commit()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def rollback(self) -> None:
        """Undo the transaction."""
        with suppress(sqlite3.Error):  # SQLite has rolled back already where it had to
            self._driver.rollback()

    def close(self) -> None:
        """Give the connection back."""
        self._pooled.close()

    def _execute(self, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        try:
            return self._driver.execute(sql, parameters).fetchall()  # a step may fail as well
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> StoreError:
        name = getattr(error, "sqlite_errorname", "")
        return StoreError(
            f"the store {self._name} failed: {error}" + (f" ({name})" if name else ""),
            advice=advice(error),
        )

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of one statement; parameters are written `?`."""
        return self._execute(sql, parameters)

    def among(self, sql: str, keys: Sequence[object]) -> Iterable[tuple[Any, ...]]:
        """Rows of a query whose `AMONG KEYS` stands for `IN (keys)`, any number of them."""
        for some in _batched(keys, KEYS_PER_QUERY):
            marks = ",".join("?" * len(some))
            yield from self._execute(sql.replace("AMONG KEYS", f"IN ({marks})"), some)

    def insert(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows."""
        self._insert("INSERT", table, columns, values)

    def insert_missing(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows, leaving out those whose key is there already."""
        self._insert("INSERT OR IGNORE", table, columns, values)

    def _insert(self, verb: str, table: str, columns: tuple[str, ...], values: Values) -> None:
        if not values:
            return
        width, count = len(columns), len(values[0])
        flat: list[Any] = [None] * (width * count)
        for number, column in enumerate(values):
            flat[number::width] = column
        step = VALUES_PER_STATEMENT // width * width
        for start in range(0, len(flat), step):
            some = flat[start : start + step]
            self._execute(_insert_sql(verb, table, columns, len(some) // width), some)


def _batched(keys: Sequence[object], size: int) -> Iterator[list[object]]:
    iterator = iter(keys)
    while some := list(islice(iterator, size)):
        yield some


@lru_cache
def _insert_sql(verb: str, table: str, columns: tuple[str, ...], rows: int) -> str:
    row = f"({','.join('?' * len(columns))})"
    names = ",".join(f'"{c}"' for c in columns)
    return f"{verb} INTO {table} ({names}) VALUES {','.join([row] * rows)}"
