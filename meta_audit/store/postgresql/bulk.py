"""PostgreSQL: how rows enter it in bulk.

One writer at a time, as on SQLite: a transaction begins by taking an advisory lock, so that
numbers are the last one plus one, nothing conflicts, and the ledger has no gaps. Rows go by
binary COPY straight into their tables, in a thread: the server works on the rows of one table
while those of the next are made.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus

from meta_audit.errors import StoreError, TransientStoreError
from meta_audit.schema.tables import metadata
from meta_audit.store.opening import shown
from meta_audit.store.postgresql.copy_rows import encode
from meta_audit.store.postgresql.failures import advice, is_transient
from meta_audit.store.retry import on_its_own, patiently

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meta_audit.store.engine import Values
    from meta_audit.store.postgresql.copy_rows import Kind

LOCK: Final = 0x4D457461
"""First number of the advisory lock of writers; the second one stands for the schema."""
LOCK_STATEMENT: Final = f"SELECT pg_advisory_xact_lock({LOCK}, hashtext(current_schema()))"
BUSY_SECONDS: Final = 600
"""How long a writer waits for its turn; another ingest holds the lock for one batch."""
KEYS_PER_QUERY: Final = 50_000
MOST_UNSENT: Final = 64_000_000
"""Bytes of rows that wait to be sent: more than most batches have."""
_NOT_AVAILABLE: Final = "55P03"
_OPEN: Final = TransactionStatus.INTRANS, TransactionStatus.INERROR
_KINDS: Final[dict[type[sa.types.TypeEngine[Any]], Kind]] = {
    sa.BigInteger: "int8",
    sa.Text: "text",
    sa.LargeBinary: "bytea",
}
_Row = tuple[str, tuple[str, ...], list[Any]]
"""Table, columns, values."""
_ARRAYS: Final = {int: "bigint[]", str: "text[]", bytes: "bytea[]"}


class PostgresBulk:
    """`engine.Bulk` for PostgreSQL. Outside of a transaction a lost connection is made again."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._name = shown(engine.url)
        self._pooled: sa.PoolProxiedConnection | None = None
        self._inside = False
        self._sender = ThreadPoolExecutor(1, "COPY")
        self._sending: list[Future[None]] = []
        self._unsent = 0
        """Bytes of what is being sent, or waits for it."""
        self._first_rows: list[_Row] = []
        """Of each insertion of the transaction."""
        self._committed: list[_Row] = []
        """Those of the last transaction that was committed."""
        self._is_new = False
        """Whether nobody has looked yet if the server behind the connection has them."""

    def begin(self) -> None:
        """Take the lock of writers; waits for another writer's batch."""
        self._first_rows.clear()
        ends = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                driver = self._connected()
                driver.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                self._inside = True
                driver.execute(LOCK_STATEMENT)
            except psycopg.Error as error:
                failed = self._failed(error)
                self.rollback()
                if error.sqlstate != _NOT_AVAILABLE or time.monotonic() > ends:
                    raise failed from error
            else:
                break
        if self._is_new:
            self._must_have_committed()
            self._is_new = False

    def commit(self) -> None:
        """Make the transaction durable.

        Where the connection is lost meanwhile, a new one finds out what became of it.
        """
        self._finish_sending()
        rows = self._first_rows.copy()
        try:
            self._connected().execute("COMMIT")
        except psycopg.Error as error:
            failed = self._failed(error)
            self._inside = False
            if not isinstance(failed, TransientStoreError) or not self._was_committed(rows):
                raise failed from error
        self._inside = False
        self._committed = rows or self._committed

    def rollback(self) -> None:
        """Undo the transaction."""
        for sending in self._sending:
            sending.cancel()
        wait(self._sending)
        self._sending.clear()
        self._unsent = 0
        if self._status() in _OPEN:
            with suppress(psycopg.Error):
                self._connected().execute("ROLLBACK")
        self._inside = False
        if self._status() != TransactionStatus.IDLE:
            self._disconnect()

    def close(self) -> None:
        """Give the connection back."""
        self.rollback()
        self._sender.shutdown()
        if self._pooled is not None:
            self._pooled.close()
            self._pooled = None

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of one statement; parameters are written `?`."""
        return self._read(_translated(sql), parameters)

    def among(self, sql: str, keys: Sequence[object]) -> Iterable[tuple[Any, ...]]:
        """Rows of a query whose `AMONG KEYS` stands for `IN (keys)`, any number of them."""
        for start in range(0, len(keys), KEYS_PER_QUERY):
            some = list(keys[start : start + KEYS_PER_QUERY])
            yield from self._read(_with_array(sql, _ARRAYS[type(some[0])]), (some,))

    def insert(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows."""
        if not values or not values[0]:
            return
        self._first_rows.append((table, columns, [column[0] for column in values]))
        pieces = list(encode(_kinds(table, columns), values))
        size = sum(map(len, pieces))
        if self._unsent + size > MOST_UNSENT:
            self._finish_sending()
        self._unsent += size
        self._sending.append(self._sender.submit(self._copy, _copy(table, columns), pieces))

    def _copy(self, sql: str, pieces: list[bytes]) -> None:
        try:
            with self._connected().cursor() as cursor, cursor.copy(sql) as copy:
                for piece in pieces:
                    copy.write(piece)
        except psycopg.Error as error:
            raise self._failed(error) from error

    def _finish_sending(self) -> None:
        wait(self._sending)
        sent, self._sending, self._unsent = self._sending, [], 0
        for sending in sent:
            sending.result()

    def insert_missing(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows, leaving out those whose key is there already."""
        if not values or not values[0]:
            return
        self._finish_sending()
        by_column = [list(column) for column in values]
        try:
            self._connected().execute(_insert_missing(table, columns), by_column)
        except psycopg.Error as error:
            raise self._failed(error) from error

    def _read(self, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        self._finish_sending()

        def read() -> list[tuple[Any, ...]]:
            try:
                with self._connected().cursor(binary=True) as cursor:
                    return cursor.execute(sql, parameters).fetchall()
            except psycopg.Error as error:
                raise self._failed(error) from error

        return read() if self._inside else patiently(read)

    def _must_have_committed(self) -> None:
        """Raise `StoreError` where a standby took over that had not received everything.

        Its numbers are not those that this process remembers.
        """
        if not all(self._has(*row) for row in self._committed):
            raise StoreError(
                f"the store {self._name} has lost what it had said was written: a standby took"
                " over that had not received it",
                advice="Run the same command again: it brings in what is missing.",
            )

    def _was_committed(self, rows: list[_Row]) -> bool:
        """Whether a transaction whose COMMIT was not answered was committed, by its first rows.

        Its successor has the lock only when it is over. Each one inserts something that bears
        the number of its import or source, which nobody else's rows do: all of its first rows
        are there, or it was undone.
        """

        def are_there() -> bool:
            self.begin()
            return all(self._has(*row) for row in rows)

        try:
            with on_its_own():
                found = patiently(are_there, undo=self.rollback)
        except TransientStoreError as error:
            raise StoreError(
                f"{error}; whether the last batch was committed is not known",
                advice="When the server is back, run the same command again.",
            ) from error
        self.rollback()
        return found

    def _has(self, table: str, columns: tuple[str, ...], row: list[Any]) -> bool:
        given = [(column, v) for column, v in zip(columns, row, strict=True) if v is not None]
        where = " AND ".join(f'"{column}" = ?' for column, _ in given)
        return bool(self.query(f"SELECT 1 FROM {table} WHERE {where}", *(v for _, v in given)))  # noqa: S608

    def _connected(self) -> psycopg.Connection[Any]:
        """The connection; a new one where it was lost, or left in the middle of something."""
        if not self._inside and self._pooled and self._status() != TransactionStatus.IDLE:
            self._disconnect()
        if self._pooled is None:
            self._pooled = self._engine.raw_connection()
            self._is_new = True
        driver = self._pooled.driver_connection
        if not isinstance(driver, psycopg.Connection):
            raise StoreError(f"not a connection of psycopg: {driver!r}")
        return driver

    def _status(self) -> TransactionStatus:
        driver = self._pooled.driver_connection if self._pooled else None
        if not isinstance(driver, psycopg.Connection) or driver.closed:
            return TransactionStatus.UNKNOWN
        return driver.info.transaction_status

    def _is_lost(self) -> bool:
        return self._status() == TransactionStatus.UNKNOWN

    def _disconnect(self) -> None:
        if self._pooled is not None:
            with suppress(psycopg.Error):
                self._pooled.invalidate()
            self._pooled = None

    def _failed(self, error: psycopg.Error) -> StoreError:
        passes = is_transient(error) or self._is_lost()
        kind = TransientStoreError if passes else StoreError
        state = f" ({error.sqlstate})" if error.sqlstate else ""
        text = " ".join(str(error).split())
        return kind(f"the store {self._name} failed: {text}{state}", advice=advice(error))


@lru_cache
def _translated(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


@lru_cache
def _with_array(sql: str, array: str) -> str:
    return _translated(sql).replace("AMONG KEYS", f"= ANY(%b::{array})")


@lru_cache
def _kinds(table: str, columns: tuple[str, ...]) -> tuple[Kind, ...]:
    types = [metadata.tables[table].c[column].type for column in columns]
    return tuple(next(kind for of, kind in _KINDS.items() if isinstance(t, of)) for t in types)


@lru_cache
def _copy(table: str, columns: tuple[str, ...]) -> str:
    return f"COPY {table} ({_quoted(columns)}) FROM STDIN (FORMAT BINARY)"


@lru_cache
def _insert_missing(table: str, columns: tuple[str, ...]) -> str:
    arrays = ", ".join(f"%b::{kind}[]" for kind in _kinds(table, columns))
    return (
        f"INSERT INTO {table} ({_quoted(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608
        " ON CONFLICT DO NOTHING"
    )


def _quoted(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
