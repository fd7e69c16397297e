"""Make the schema of this version anew, to compare a store with it.

Nothing of it stays: on SQLite it is a database in memory, on PostgreSQL temporary tables in a
transaction that is rolled back. Alembic is imported on the way, so only `verify` uses this.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from meta_audit.schema import migrate, postgresql_objects, sqlite_objects
from meta_audit.schema.objects import Objects

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMENTS: Final = 'SELECT relation, "column", comment FROM schema_comments'
_BEGIN: Final = "BEGIN READ WRITE"
_IN_TEMPORARY: Final = "SET LOCAL search_path = pg_temp"
_TEMPORARY: Final = "SELECT pg_catalog.pg_my_temp_schema()::pg_catalog.int8"


@cache
def of_sqlite() -> Objects:
    """Make the schema in memory."""
    engine = sa.create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            migrate.upgrade(connection)
            query = partial(_rows, connection)
            return Objects(sqlite_objects.definitions(query), _comments(connection))
    finally:
        engine.dispose()


def of_postgresql(connection: sa.Connection) -> Objects:
    """Make the schema as temporary tables, on a connection that is in no transaction.

    Raises `sqlalchemy.exc.DBAPIError` where the server does not let this role.
    """
    connection.exec_driver_sql(_BEGIN)
    try:
        connection.exec_driver_sql(_IN_TEMPORARY)
        with _functions_qualified(connection):
            migrate.upgrade(connection)
        query = partial(_rows, connection)
        schema = query(_TEMPORARY)[0][0]
        return Objects(postgresql_objects.definitions(query, schema), _comments(connection))
    finally:
        connection.rollback()


@contextmanager
def _functions_qualified(connection: sa.Connection) -> Iterator[None]:
    """Name the schema of temporary functions: PostgreSQL never looks for them there by itself."""

    def qualify(*event: Any) -> tuple[str, Any]:
        statement, parameters = event[2:4]
        for name in postgresql_objects.FUNCTIONS:
            statement = statement.replace(f" {name}()", f" pg_temp.{name}()")
        return statement, parameters

    sa.event.listen(connection, "before_cursor_execute", qualify, retval=True)
    try:
        yield
    finally:
        sa.event.remove(connection, "before_cursor_execute", qualify)


def _rows(connection: sa.Connection, sql: str, /, *parameters: object) -> list[tuple[Any, ...]]:
    if connection.dialect.paramstyle != "qmark":
        sql = sql.replace("%", "%%").replace("?", "%s")
    return [tuple(row) for row in connection.exec_driver_sql(sql, parameters)]


def _comments(connection: sa.Connection) -> frozenset[tuple[str, str, str]]:
    return frozenset((r, c, text) for r, c, text in _rows(connection, _COMMENTS))
