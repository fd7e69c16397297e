"""Run SQL on SQLite.

One statement inserts some hundred rows. This takes half the time of `executemany`, and less than
`json_each` over packed integers (docs/adr/0005).
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections import deque
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from meta_audit.errors import StoreError, TransientStoreError, UsageError
from meta_audit.nul import MARK, unescape_nul
from meta_audit.search.globs import like_pattern, text_regex
from meta_audit.store.session import ROWS_PER_FETCH, Row, SelectedRows, Session, Values, connect
from meta_audit.store.sqlite.failures import failure, is_busy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import sqlalchemy as sa

    from meta_audit.search.globs import Piece
    from meta_audit.store.retry import Retry

VALUES_PER_STATEMENT: Final = 600
KEYS_PER_QUERY: Final = 500
FITS: Final = "fits_regex"
"""Function of SQL that is true where a stored text fits a regular expression."""
_EXPLAIN: Final = re.compile(r"\s*EXPLAIN\b", re.IGNORECASE)


def fits_regex(text: str, regex: str) -> bool:
    """Tell whether a stored text fits a regular expression."""
    return re.fullmatch(regex, unescape_nul(text)) is not None


def _glob(pattern: Sequence[Piece]) -> str:
    return "".join(
        re.sub(r"([*?[])", r"[\1]", p.text) if p.kind == "text" else p.text for p in pattern
    )


class SqliteSession(Session):
    """Hold a connection to an SQLite file."""

    is_sqlite = True

    def __init__(self, engine: sa.Engine, name: str, retry: Retry) -> None:
        super().__init__(name, retry)
        try:
            self._pooled = connect(engine)
        except sqlite3.Error as error:
            raise failure(name, error) from error
        driver = self._pooled.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise StoreError(f"not an SQLite connection: {driver!r}")
        self._driver = driver
        self._path = engine.url.database or ""
        self._file: tuple[int, int] | None = None
        """Device and inode of the file that is written to."""

    def use_wal(self) -> None:
        """Change the file to WAL mode. Wait for other connections, since SQLite does not."""

        def change() -> None:
            try:
                self._driver.execute("PRAGMA journal_mode = WAL")
            except sqlite3.Error as error:
                kind = TransientStoreError if is_busy(error) else None
                raise failure(self.name, error, kind) from error

        self.retry.call(change, seconds=self.retry.write_seconds)

    def close(self) -> None:
        """Give the connection back, and undo uncommitted work."""
        self.rollback()
        self._pooled.close()

    def query(self, sql: str, /, *parameters: object) -> list[Row]:
        """Return the rows of one statement."""
        return self._execute(sql, parameters)

    def among(self, sql: str, keys: Iterable[object]) -> Iterator[Row]:
        """Yield the rows of a query in which `AMONG KEYS` stands for `IN (keys)`."""
        rest = iter(keys)
        while some := list(islice(rest, KEYS_PER_QUERY)):
            marks = ",".join("?" * len(some))
            yield from self._execute(sql.replace("AMONG KEYS", f"IN ({marks})"), some)

    def stream(
        self, sql: str, /, *parameters: object, rows_per_fetch: int = ROWS_PER_FETCH
    ) -> Iterator[Row]:
        """Yield the rows of one statement, a few at a time."""
        cursor = self._driver.cursor()
        try:
            cursor.execute(sql, parameters)
            while some := cursor.fetchmany(rows_per_fetch):
                yield from some
        except sqlite3.Error as error:
            raise failure(self.name, error) from error
        except OverflowError as error:
            raise _too_great() from error
        finally:
            cursor.close()

    def select(
        self, sql: str, /, *parameters: object, seconds: float, plan_only: bool = False
    ) -> AbstractContextManager[SelectedRows]:
        """Run one statement that a person wrote; an authorizer lets it only read."""
        from meta_audit.store.sqlite.select import selection  # noqa: PLC0415 - not often needed

        explained = f"EXPLAIN {sql}" if plan_only and not _EXPLAIN.match(sql) else sql
        return selection(self._driver, self.name, explained, parameters, seconds=seconds)

    def accept_bad_text(self) -> None:
        """Read texts that are not UTF-8 from now on, with a lone surrogate for each bad byte."""
        self._driver.text_factory = self.decode

    def schema(self) -> str:
        """Return the name of the schema that holds the tables."""
        return "main"

    def joined(self, column: str) -> str:
        """Return SQL that joins the integers of a group by commas."""
        return f"group_concat({column})"

    def fits(
        self, column: str, pattern: Sequence[Piece], *, ignore_case: bool = False
    ) -> tuple[str, tuple[str, ...]]:
        """Return the condition that a text fits a pattern, and its parameters."""
        if ignore_case:
            plain, written = "LIKE ? ESCAPE '\\'", like_pattern(pattern)
        else:
            plain, written = "GLOB ?", _glob(pattern)
        regex = text_regex(
            [p._replace(text=unescape_nul(p.text)) for p in pattern], ignore_case=ignore_case
        )
        sql = f"instr({column}, '{MARK}') THEN {FITS}({column}, ?) ELSE {column} {plain}"
        return f"(CASE WHEN {sql} END)", (regex, written)

    def begin_snapshot(self) -> None:
        """See one state of the store from now on."""
        self.rollback()
        self._execute("BEGIN", ())

    def begin(self) -> None:
        """Take the write lock; wait for other writers."""
        self._execute("BEGIN IMMEDIATE", ())
        self._file = self._file or self._there()

    def commit(self) -> None:
        """Make the transaction durable."""
        try:
            self._driver.commit()
        except sqlite3.Error as error:
            raise failure(self.name, error) from error
        if self._file != self._there():
            raise StoreError(
                f"{self.name} was removed or replaced while it was written to",
                advice="What was written is in the file that was there, and is lost with it.",
            )

    def _there(self) -> tuple[int, int] | None:
        """Return device and inode of the file at the path of the store."""
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def rollback(self) -> None:
        """Undo the transaction, or end the snapshot."""
        with suppress(sqlite3.Error):  # SQLite has rolled back already if it had to
            self._driver.rollback()

    def insert(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows, given column by column.

        After a failure there is nothing to go on with. So SQLite need not keep the pages that a
        statement changes, to undo it alone: this takes a third of the time where an index grows
        in its middle.
        """
        self._insert("INSERT OR ROLLBACK", table, columns, values)

    def insert_missing(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows except those whose key exists already."""
        self._insert("INSERT OR IGNORE", table, columns, values)

    def delete(self, table: str, column: str, keys: Sequence[int]) -> None:
        """Delete the rows with these keys from a derived table."""
        sql = f"DELETE FROM {table} WHERE {column} AMONG KEYS"  # noqa: S608 - own names
        deque(self.among(sql, keys), maxlen=0)

    def gather_statistics(self) -> None:
        """Do nothing: the migrations wrote statistics that keep plans steady."""

    def _execute(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        try:
            return self._driver.execute(sql, parameters).fetchall()  # a step may fail as well
        except sqlite3.Error as error:
            raise failure(self.name, error) from error
        except OverflowError as error:
            raise _too_great() from error

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


def _too_great() -> UsageError:
    return UsageError("a number is greater than 64 bits can hold", advice="Give a smaller one.")


@lru_cache
def _insert_sql(verb: str, table: str, columns: tuple[str, ...], count: int) -> str:
    marks = f"({','.join('?' * len(columns))})"
    names = ",".join(f'"{c}"' for c in columns)
    return f"{verb} INTO {table} ({names}) VALUES {','.join([marks] * count)}"
