"""Run SQL on PostgreSQL.

There is one writer at a time, as on SQLite: a transaction begins by locking a row. So
each new number is the last one plus one, nothing conflicts, and the ledger has no gaps. A thread
sends rows by binary COPY straight into their tables: the server works on one table while the
rows of the next are made (docs/adr/0007).
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import psycopg
import sqlalchemy as sa
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format, TransactionStatus

from meta_audit.errors import DamagedStoreError, StoreError, TransientStoreError
from meta_audit.nul import MARK
from meta_audit.schema.tables import DATA_TABLES, DERIVED_TABLES, metadata
from meta_audit.search.globs import like_pattern, small, stored_regex
from meta_audit.store.postgresql.failures import failure
from meta_audit.store.session import ROWS_PER_FETCH, Row, SelectedRows, Session, Values, connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meta_audit.search.globs import Piece
    from meta_audit.store.retry import Retry

LOCK_ROW: Final = "SELECT lock_id FROM writer_lock WHERE lock_id = 1 FOR UPDATE"
"""Needs a right that importers have and auditors lack, unlike an advisory lock."""
SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
KEYS_PER_QUERY: Final = 50_000
MOST_UNSENT: Final = 64_000_000
"""Most bytes of rows that wait to be sent: more than most batches have."""
_SCHEMA: Final = """
    SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = 'writer_lock'::pg_catalog.regclass"""
_NOT_AVAILABLE: Final = "55P03"
_READING_ERRORS: Final = psycopg.Error, UnicodeDecodeError
_OPEN: Final = TransactionStatus.INTRANS, TransactionStatus.INERROR
_TYPES: Final = {
    sa.BigInteger: "int8",
    sa.Integer: "int4",
    sa.Text: "text",
    sa.LargeBinary: "bytea",
}
_ARRAYS: Final = {int: "bigint[]", str: "text[]", bytes: "bytea[]"}
_FirstRow = tuple[str, tuple[str, ...], list[Any]]
"""Table, columns, values."""


class PostgresqlSession(Session):
    """Hold a connection to a PostgreSQL server. Outside a transaction it reconnects by itself."""

    def __init__(self, engine: sa.Engine, name: str, retry: Retry) -> None:
        super().__init__(name, retry)
        self._engine = engine
        self._pooled: sa.PoolProxiedConnection | None = None
        self._inside = False
        self._sender = ThreadPoolExecutor(1, "COPY")
        self._sending: list[Future[None]] = []
        self._unsent = 0
        """Bytes, about, that are being sent or wait for it."""
        self._first_rows: list[_FirstRow] = []
        """The first row of each insert of the transaction."""
        self._committed: list[_FirstRow] = []
        """The same of the last transaction that was committed."""
        self._loader: type[Loader] | None = None
        """Loader of texts, if not the usual one."""
        self._is_new = False
        """True if the connection is new, and the committed rows have not been looked for yet."""
        self._is_used_up = False
        """True if the connection may hold locks that outlive a transaction."""

    def close(self) -> None:
        """Give the connection back, and undo uncommitted work."""
        self.rollback()
        self._sender.shutdown()
        if self._pooled is not None:
            self._pooled.close()
            self._pooled = None

    # Reading

    def query(self, sql: str, /, *parameters: object) -> list[Row]:
        """Return the rows of one statement."""
        return self._read(_translated(sql), parameters)

    def together(self, *statements: tuple[Any, ...]) -> list[list[Row]]:
        """Return the rows of several statements, in one round trip to the server."""
        driver = self._connected()
        try:
            with driver.pipeline():
                cursors = [
                    driver.cursor(binary=True).execute(_translated(sql), parameters)
                    for sql, *parameters in statements
                ]
                return [cursor.fetchall() for cursor in cursors]
        except _READING_ERRORS as error:
            raise self._failed(error) from error

    def among(self, sql: str, keys: Iterable[object]) -> Iterator[Row]:
        """Yield the rows of a query in which `AMONG KEYS` stands for `IN (keys)`."""
        rest = iter(keys)
        while some := list(islice(rest, KEYS_PER_QUERY)):
            yield from self._read(_with_array(sql, _ARRAYS[type(some[0])]), (some,))

    def stream(
        self, sql: str, /, *parameters: object, rows_per_fetch: int = ROWS_PER_FETCH
    ) -> Iterator[Row]:
        """Yield the rows of one statement, a few at a time."""
        try:
            with self._connected().cursor("meta_audit_stream", binary=True) as cursor:
                cursor.itersize = rows_per_fetch
                cursor.execute(_translated(sql), parameters)
                yield from cursor
        except _READING_ERRORS as error:
            raise self._failed(error) from error

    @contextmanager
    def select(
        self, sql: str, /, *parameters: object, seconds: float, plan_only: bool = False
    ) -> Iterator[SelectedRows]:
        """Run one statement that a person wrote, in a transaction that is read-only.

        The connection is closed with the snapshot, since the statement may have locked something.
        """
        from meta_audit.store.postgresql.select import selection  # noqa: PLC0415 - seldom needed

        self._is_used_up |= not plan_only  # a cursor plans at once, and runs when it is read
        with selection(self._connected(), self.name, sql, parameters, seconds=seconds) as found:
            yield found

    def accept_bad_text(self) -> None:
        """Read texts that are not UTF-8 from now on. Call this outside a transaction."""
        decode = self.decode

        class Tolerant(Loader):
            """Load texts that are not UTF-8."""

            format = Format.BINARY

            def load(self, data: Buffer) -> str:
                """Decode one text."""
                return decode(bytes(data))

        self._loader = Tolerant
        self._disconnect()

    def schema(self) -> str:
        """Return the name of the schema that holds the tables, quoted."""
        return str(self.value(_SCHEMA))

    def joined(self, column: str) -> str:
        """Return SQL that joins the integers of a group by commas."""
        return f"string_agg({column}::text, ',')"

    def fits(
        self, column: str, pattern: Sequence[Piece], *, ignore_case: bool = False
    ) -> tuple[str, tuple[str, ...]]:
        """Return the condition that a text fits a pattern, and its parameters."""
        like = like_pattern(pattern)
        regex = stored_regex(pattern, ignore_case=ignore_case)
        plain = f"lower({column})" if ignore_case else column  # texts have COLLATE "C"
        sql = f"strpos({column}, '{MARK}') > 0 THEN {column} ~ ? ELSE {plain} LIKE ?"
        return f"(CASE WHEN {sql} END)", (regex, small(like) if ignore_case else like)

    def begin_snapshot(self) -> None:
        """See one state of the store from now on."""
        self.rollback()
        try:
            self._connected().execute(SNAPSHOT)
        except psycopg.Error as error:
            raise self._failed(error) from error
        self._inside = True

    def rollback(self) -> None:
        """Undo the transaction, or end the snapshot."""
        for sending in self._sending:
            sending.cancel()
        wait(self._sending)
        self._sending.clear()
        self._unsent = 0
        if self._status() in _OPEN:
            with suppress(psycopg.Error):
                self._connected().execute("ROLLBACK")
        self._inside = False
        if self._is_used_up or self._status() != TransactionStatus.IDLE:
            self._disconnect()
            self._is_used_up = False

    # Writing

    def begin(self) -> None:
        """Lock the writers' row; wait for other writers."""
        self._first_rows.clear()
        ends = time.monotonic() + self.retry.busy_seconds
        while True:
            try:
                driver = self._connected()
                driver.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                self._inside = True
                if driver.execute(LOCK_ROW).fetchone() is None:
                    raise DamagedStoreError(
                        f"the store {self.name} is damaged: writer_lock has no row",
                        advice="Run `meta-audit verify`, and restore the store from a backup.",
                    )
            except psycopg.Error as error:
                failed = self._failed(error)
                self.rollback()
                if error.sqlstate != _NOT_AVAILABLE or time.monotonic() > ends:
                    raise failed from error
            else:
                break
        if self._is_new:
            self._check_committed()
            self._is_new = False

    def commit(self) -> None:
        """Make the transaction durable.

        If the connection is lost meanwhile, a new one finds out if it was committed.
        """
        self._finish_sending()
        first_rows = self._first_rows.copy()
        try:
            self._connected().execute("COMMIT")
        except psycopg.Error as error:
            failed = self._failed(error)
            self._inside = False
            if not isinstance(failed, TransientStoreError) or not self._was_committed(first_rows):
                raise failed from error
        self._inside = False
        self._committed = first_rows or self._committed

    def insert(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows, given column by column."""
        if not values or not values[0]:
            return
        if table not in DERIVED_TABLES:  # their rows may change later
            self._first_rows.append((table, columns, [column[0] for column in values]))
        size = _size(values)
        if self._unsent + size > MOST_UNSENT:
            self._finish_sending()
        self._unsent += size
        self._sending.append(self._sender.submit(self._copy, table, columns, values))

    def insert_missing(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows except those whose key exists already."""
        if not values or not values[0]:
            return
        self._finish_sending()
        by_column = [list(column) for column in values]
        try:
            self._connected().execute(_insert_missing(table, columns), by_column)
        except psycopg.Error as error:
            raise self._failed(error) from error

    def delete(self, table: str, column: str, keys: Sequence[int]) -> None:
        """Delete the rows with these keys from a derived table."""
        sql = f"DELETE FROM {table} WHERE {column} AMONG KEYS"  # noqa: S608 - own names
        deque(self.among(sql, keys), maxlen=0)

    def gather_statistics(self) -> None:
        """Analyze the tables that this role may analyze; the server skips others."""
        self._read(f"ANALYZE {', '.join(DATA_TABLES)}", ())

    def _copy(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        try:
            with (
                self._connected().cursor() as cursor,
                cursor.copy(_copy(table, columns)) as copy,
            ):
                copy.set_types(_types(table, columns))
                for one in zip(*values, strict=True):
                    copy.write_row(one)
        except psycopg.Error as error:
            raise self._failed(error) from error

    def _finish_sending(self) -> None:
        wait(self._sending)
        sent, self._sending, self._unsent = self._sending, [], 0
        for sending in sent:
            sending.result()

    def _read(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        self._finish_sending()

        def read() -> list[Row]:
            try:
                with self._connected().cursor(binary=True) as cursor:
                    cursor.execute(sql, parameters)
                    return cursor.fetchall() if cursor.description else []
            except _READING_ERRORS as error:
                raise self._failed(error) from error

        if self._inside:
            return read()
        return self.retry.call(read, seconds=self.retry.write_seconds)

    def _check_committed(self) -> None:
        """Raise `StoreError` if a standby took over that lacks committed rows.

        Its numbers of rows are not those that this process remembers.
        """
        if not all(self._has(*one) for one in self._committed):
            raise StoreError(
                f"the store {self.name} has lost rows that it had committed: a standby took over"
                " that had not received them",
                advice="Run the same command again: it adds what is missing.",
            )

    def _was_committed(self, first_rows: list[_FirstRow]) -> bool:
        """Return True if a transaction whose COMMIT was not answered was committed.

        The next transaction gets the lock only when this one is over. Each inserts a row with the
        number of its import or source, which no other row has. So either all of its first rows
        are there, or it was undone.
        """

        def are_there() -> bool:
            self.begin()
            return all(self._has(*one) for one in first_rows)

        try:
            found = self.retry.call(are_there, seconds=self.retry.write_seconds, undo=self.rollback)
        except TransientStoreError as error:
            raise StoreError(
                f"{error}; it is not known whether the last batch was committed",
                advice="When the server is back, run the same command again.",
            ) from error
        self.rollback()
        return found

    def _has(self, table: str, columns: tuple[str, ...], values: list[Any]) -> bool:
        given = [(column, v) for column, v in zip(columns, values, strict=True) if v is not None]
        where = " AND ".join(f'"{column}" = ?' for column, _ in given)
        return bool(self.query(f"SELECT 1 FROM {table} WHERE {where}", *(v for _, v in given)))  # noqa: S608

    def _connected(self) -> psycopg.Connection[Any]:
        """Return the connection, or a new one if it was lost or left in the middle of something."""
        if not self._inside and self._pooled and self._status() != TransactionStatus.IDLE:
            self._disconnect()
        if self._pooled is None:
            self._pooled = connect(self._engine)
            self._is_new = True
        driver = self._pooled.driver_connection
        if not isinstance(driver, psycopg.Connection):
            raise StoreError(f"not a connection of psycopg: {driver!r}")
        if self._loader and self._is_new:
            driver.adapters.register_loader("text", self._loader)
        return driver

    def _status(self) -> TransactionStatus:
        driver = self._pooled.driver_connection if self._pooled else None
        if not isinstance(driver, psycopg.Connection) or driver.closed:
            return TransactionStatus.UNKNOWN
        return driver.info.transaction_status

    def _disconnect(self) -> None:
        if self._pooled is not None:
            with suppress(psycopg.Error):
                self._pooled.invalidate()
            self._pooled = None

    def _failed(self, error: psycopg.Error | UnicodeDecodeError) -> StoreError:
        is_lost = self._pooled is not None and self._status() == TransactionStatus.UNKNOWN
        return failure(self.name, error, lost=is_lost)


@lru_cache
def _translated(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


@lru_cache
def _with_array(sql: str, array: str) -> str:
    return _translated(sql).replace("AMONG KEYS", f"= ANY(%b::{array})")


@lru_cache
def _types(table: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    types = [metadata.tables[table].c[column].type for column in columns]
    return tuple(next(name for of, name in _TYPES.items() if isinstance(t, of)) for t in types)


@lru_cache
def _copy(table: str, columns: tuple[str, ...]) -> str:
    return f"COPY {table} ({_quoted(columns)}) FROM STDIN (FORMAT BINARY)"


@lru_cache
def _insert_missing(table: str, columns: tuple[str, ...]) -> str:
    arrays = ", ".join(f"%b::{name}[]" for name in _types(table, columns))
    return (
        f"INSERT INTO {table} ({_quoted(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608
        " ON CONFLICT DO NOTHING"
    )


def _size(values: Values) -> int:
    """Return the bytes that rows take, about: eight for a number."""
    return sum(
        sum(map(len, filter(None, column)))
        if isinstance(column[0], str | bytes)
        else 8 * len(column)
        for column in values
    )


def _quoted(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
