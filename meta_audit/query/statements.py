"""How statements are run: as text with `?`, and several of them on one state of the store."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

KEYS_PER_STATEMENT: Final = 500
BEGIN: Final = {
    "sqlite": "BEGIN",
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}
"""A transaction in which every statement sees one state, by engine."""
LAST: Final = "\U0010ffff"
"""The last character: texts that begin with `p` lie from `p` to `p + LAST`."""


def rows(connection: Connection, sql: str, *parameters: object) -> Sequence[Any]:
    """Return the rows of a statement; parameters are written `?`, whatever the driver."""
    if connection.dialect.paramstyle != "qmark":
        sql = _formatted(sql)
    return connection.exec_driver_sql(sql, parameters).fetchall()


def together(connection: Connection, *asked: tuple[Any, ...]) -> list[Sequence[Any]]:
    """Return the rows of several statements, each given with its parameters.

    PostgreSQL gets them at once: they cost one round trip.
    """
    if connection.dialect.name != "postgresql":
        return [rows(connection, *one) for one in asked]
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            cursors = [driver.execute(_formatted(sql), values) for sql, *values in asked]
            return [cursor.fetchall() for cursor in cursors]
    except connection.dialect.loaded_dbapi.Error as error:
        if driver.closed:
            connection.invalidate(error)
        raise DBAPIError(None, None, error) from error


def rows_among(connection: Connection, sql: str, keys: Sequence[object]) -> Iterator[Any]:
    """Yield the rows of a query whose `AMONG KEYS` stands for `IN (keys)`, any number of them."""
    for start in range(0, len(keys), KEYS_PER_STATEMENT):
        some = keys[start : start + KEYS_PER_STATEMENT]
        marks = ",".join("?" * len(some))
        yield from rows(connection, sql.replace("AMONG KEYS", f"IN ({marks})"), *some)


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """Let every statement within see one state of the store, while others write to it."""
    connection.exec_driver_sql(BEGIN[connection.dialect.name])
    try:
        yield
    finally:
        connection.rollback()


def storable(text: str) -> bool:
    """Whether the store could hold a text.

    It holds no NUL and no lone surrogates, which bytes of a command line that are not UTF-8
    become.
    """
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def rfc3339(nanoseconds: int | None) -> str | None:
    """Return a time of the store as RFC 3339 in UTC, to the nanosecond."""
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


@lru_cache
def _formatted(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")
