"""Make the schema of this version, or of an older one, anew, to compare a store with it.

Nothing of it stays. On SQLite it is a database in memory; on PostgreSQL it is temporary tables
in a transaction that is rolled back. It imports Alembic, so only `verify` uses it.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from meta_audit.schema import HEAD, migrate, postgresql_objects, sqlite_objects
from meta_audit.schema.objects import Objects, comments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.schema.objects import Named

_BEGIN: Final = "BEGIN READ WRITE"
_IN_TEMPORARY: Final = "SET LOCAL search_path = pg_temp"
_PROBE: Final = "CREATE TABLE meta_audit_probe (); DROP TABLE meta_audit_probe"
"""Fails for a role that may not make temporary tables."""
_made_on: Final[dict[tuple[str, str], Objects]] = {}
"""The schema of each revision, as each version of the server writes it."""
_TEMPORARY: Final = "SELECT pg_catalog.pg_my_temp_schema()::pg_catalog.int8"


@cache
def of_sqlite(revision: str = HEAD) -> Objects:
    """Make the schema of a revision in memory."""
    engine = sa.create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            migrate.upgrade(connection, revision)
            query = partial(_rows, connection)
            made = sqlite_objects.definitions(query)
            ours = {n: text for n, text in made.items() if not n.relation.startswith("sqlite_")}
            return _with_comments(connection, ours)
    finally:
        engine.dispose()


def of_postgresql(connection: sa.Connection, revision: str = HEAD) -> Objects:
    """Make the schema of a revision as temporary tables, on a connection in no transaction.

    Raises `sqlalchemy.exc.DBAPIError` if this role may not make them.
    """
    connection.exec_driver_sql(_BEGIN)
    try:
        connection.exec_driver_sql(_IN_TEMPORARY)
        query = partial(_rows, connection)
        server = query("SELECT pg_catalog.version()")[0][0]
        connection.exec_driver_sql(_PROBE)
        if (server, revision) not in _made_on:
            _made_on[server, revision] = _make_temporary(connection, revision)
        return _made_on[server, revision]
    finally:
        connection.rollback()


def _make_temporary(connection: sa.Connection, revision: str) -> Objects:
    with _functions_qualified(connection):
        migrate.upgrade(connection, revision)
    query = partial(_rows, connection)
    schema = query(_TEMPORARY)[0][0]
    return _with_comments(connection, postgresql_objects.definitions(query, schema))


@contextmanager
def _functions_qualified(connection: sa.Connection) -> Iterator[None]:
    """Name the schema of temporary functions, where PostgreSQL never looks by itself."""

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


def _with_comments(connection: sa.Connection, definitions: dict[Named, str]) -> Objects:
    rows = _rows(connection, comments({named.relation for named in definitions}))
    return Objects(definitions, frozenset((r, c, text) for r, c, text in rows))
