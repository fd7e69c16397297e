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
_DAMAGED: Final = ("XX", "22", "42", "58")
"""Beginnings of SQLSTATEs: corrupted data, a bad value, no such relation, system error."""
_FORBIDDEN: Final = "42501"
_NOT_UTF8: Final = "decode to UTF-8"
"""What sqlite3 says of a text that is none."""
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
        self.has_bad_text = False
        """Whether a text was met that is not UTF-8; such bytes become lone surrogates."""
        self.begin()

    @property
    def is_sqlite(self) -> bool:
        """Whether the engine is SQLite."""
        return self._connection.dialect.name == "sqlite"

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
        except (self._error, UnicodeDecodeError) as error:
            if _is_bad_text(error) and not self.has_bad_text:
                self.take_bad_text()
                self._cursor.execute(sql, parameters)
                return self._cursor.fetchall()  # type: ignore[return-value]
            _raise_if_damaged(error)
            raise

    def take_bad_text(self) -> None:
        """Read on where a text is not UTF-8."""
        self.has_bad_text = True
        driver: Any = self._connection.connection.driver_connection
        if self._qmark:
            driver.text_factory = _decode
            return
        from meta_audit.verify.bad_text import TolerantLoader  # noqa: PLC0415 - psycopg is optional

        driver.adapters.register_loader("text", TolerantLoader)
        self._cursor = self._connection.connection.cursor()

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
        except (self._error, UnicodeDecodeError) as error:
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


def _decode(text: bytes) -> str:
    return text.decode(errors="surrogateescape")


def _is_bad_text(error: Exception) -> bool:
    return isinstance(error, UnicodeDecodeError) or _NOT_UTF8 in str(error)


def _raise_if_damaged(error: Exception) -> None:
    """Tell what is wrong with what is kept from what is wrong on the way to it."""
    state = getattr(error, "sqlstate", _DAMAGED[0]) or ""  # SQLite has waited, and opened the file
    if state.startswith(_DAMAGED) and state != _FORBIDDEN:
        raise DamagedStoreError(
            f"cannot read the store: {' '.join(str(error).split())}",
            advice="Run `meta-audit verify` to see what is damaged; restore it from a backup.",
        ) from error
