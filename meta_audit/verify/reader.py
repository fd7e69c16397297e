"""Reads one state of the store, as plain tuples."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from meta_audit.errors import DamagedStoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import sqlalchemy as sa

KEYS_PER_QUERY: Final = 500
ROWS_PER_FETCH: Final = 10_000
CACHE_KIB: Final = 8_192
"""Of each process: tables are read from their beginning to their end, once."""
_DAMAGED: Final = ("XX", "22", "58")
"""Beginnings of SQLSTATEs: internal error (corrupted data), bad value, error of the system."""
_STAMP: Final = """
    SELECT (SELECT count(*) FROM checkpoints), (SELECT max(import_id) FROM imports),
        (SELECT max(entry_index) FROM ledger_entries), (SELECT max(source_id) FROM sources),
        (SELECT max(result_no) FROM source_results)"""


class Reader:
    """One connection within one transaction that only reads."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._qmark = connection.dialect.paramstyle == "qmark"
        self._error = connection.dialect.dbapi.Error  # type: ignore[union-attr]
        self.begin()

    def begin(self) -> tuple[Any, ...]:
        """See the newest state from here on; a stamp that tells it from every other."""
        if self._connection.dialect.name == "sqlite":
            if self._connection.in_transaction():
                self._connection.rollback()
            self._connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
            self._connection.exec_driver_sql("BEGIN")
        else:
            self._connection.rollback()
            self._connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._cursor = self._connection.connection.cursor()
        return self.query(_STAMP)[0]

    def query(self, sql: str, /, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of one statement; parameters are written `?`."""
        if not self._qmark:
            sql = sql.replace("%", "%%").replace("?", "%s")
        try:
            self._cursor.execute(sql, parameters)
            return self._cursor.fetchall()  # type: ignore[return-value]
        except self._error as error:
            _raise_if_damaged(error)
            raise

    def stream(self, sql: str, /, *parameters: object) -> Iterator[tuple[Any, ...]]:
        """Rows of one statement, a few at a time; other statements may come between."""
        pooled: Any = self._connection.connection
        if self._qmark:
            cursor = pooled.cursor()
        else:
            sql = sql.replace("%", "%%").replace("?", "%s")
            cursor = pooled.cursor(name="meta_audit_stream")
            cursor.itersize = ROWS_PER_FETCH
        try:
            cursor.execute(sql, parameters)
            yield from cursor
        except self._error as error:
            _raise_if_damaged(error)
            raise
        finally:
            cursor.close()

    def joined(self, column: str) -> str:
        """SQL that joins the numbers of a group by commas."""
        if self._connection.dialect.name == "sqlite":
            return f"group_concat({column})"
        return f"string_agg({column}::text, ',')"

    def value(self, sql: str, /, *parameters: object) -> Any:
        """The one value of a statement."""
        return self.query(sql, *parameters)[0][0]

    def among(self, sql: str, keys: Iterable[object]) -> Iterator[tuple[Any, ...]]:
        """Rows of a query whose `AMONG KEYS` stands for `IN (keys)`, any number of them."""
        rest = iter(keys)
        while some := list(islice(rest, KEYS_PER_QUERY)):
            marks = ",".join("?" * len(some))
            yield from self.query(sql.replace("AMONG KEYS", f"IN ({marks})"), *some)


def _raise_if_damaged(error: Exception) -> None:
    """Tell what is wrong with what is kept from what is wrong on the way to it."""
    state = getattr(error, "sqlstate", _DAMAGED[0]) or ""  # SQLite has waited, and opened the file
    if state.startswith(_DAMAGED):
        raise DamagedStoreError(
            f"cannot read the store: {error}", advice="Restore it from a backup."
        ) from error
