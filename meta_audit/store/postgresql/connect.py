"""PostgreSQL: how it is opened."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from meta_audit.errors import StoreError
from meta_audit.store.postgresql.bulk import BUSY_SECONDS, LOCK_STATEMENT, PostgresBulk
from meta_audit.store.postgresql.failures import advice, is_transient

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "advice",
    "begin_upgrade",
    "has_revision",
    "is_empty",
    "is_transient",
    "make_bulk",
    "make_engine",
    "must_be_safe",
]

CONNECT: Final = {
    "application_name": "meta-audit",
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 4,
    "tcp_user_timeout": 300_000,
}
"""Of libpq; what the URL says goes before. A peer that vanished is noticed in a minute."""
PRIMARY: Final = {"target_session_attrs": "read-write"}
"""Of several hosts, an importer takes the one that can be written to."""
SESSION: Final = (
    "SET lock_timeout = '60s'; SET statement_timeout = '20min';"
    # Else temporary tables go before all others of the same name.
    " SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',"
    " nullif(pg_catalog.current_setting('search_path'), ''), 'pg_temp'), false);"
)
WRITING: Final = " SET idle_in_transaction_session_timeout = '20min'"
"""An importer that hangs may not keep all others out for ever."""
READING: Final = (
    " SET idle_in_transaction_session_timeout = '1d'; SET default_transaction_read_only = on"
)
"""A verification holds one state while its processes work; it keeps nobody out."""
UNSAFE: Final = "fsync", "full_page_writes", "synchronous_commit"
_RELATIONS: Final = """
    SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND """
_NOT_OF_EXTENSIONS: Final = (
    "NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
)


# It warns on stderr of connections that broke; what comes of them is told by errors.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)


def make_engine(url: sa.URL, *, read_only: bool) -> sa.Engine:
    """Connections to a PostgreSQL database. Transactions are begun by statements."""
    settings = SESSION + (READING if read_only else WRITING)
    wanted = CONNECT if read_only or "," not in str(url.query.get("host")) else CONNECT | PRIMARY
    engine = sa.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        connect_args={k: v for k, v in wanted.items() if k not in url.query},
        use_native_hstore=False,
        pool_size=1,
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: psycopg.Connection[Any], _: object) -> None:
        connection.autocommit = True
        connection.execute(settings)

    return engine


def make_bulk(engine: sa.Engine) -> PostgresBulk:
    """A connection to write through."""
    return PostgresBulk(engine)


def must_be_safe(connection: sa.Connection) -> None:
    """Raise `StoreError` where the server may lose what it said it had committed."""
    wanted = ", ".join(f"'{name}'" for name in UNSAFE)
    sql = f"SELECT name FROM pg_catalog.pg_settings WHERE name IN ({wanted}) AND setting = 'off'"  # noqa: S608
    unsafe = [row[0] for row in connection.exec_driver_sql(sql)]
    if unsafe:
        raise StoreError(
            f"the server runs with {', '.join(unsafe)} off: a crash could lose what an import "
            "acknowledged, or damage the store",
            advice="Turn it on; or, for data that may be lost, give --allow-unsafe-server.",
        )


def begin_upgrade(connection: sa.Connection) -> None:
    """Begin a transaction that nobody else's upgrade or import runs beside."""
    connection.exec_driver_sql("BEGIN")
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")
    connection.exec_driver_sql(LOCK_STATEMENT)
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise StoreError(
            f"the database has the encoding {encoding}",
            advice="A store needs UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
        )
    schema = connection.exec_driver_sql("SELECT current_schema()").scalar() or "pg_temp"
    if schema.startswith("pg_temp"):
        raise StoreError(
            "none of the schemas in search_path is there, or may be used",
            advice="Make it with CREATE SCHEMA, or name another in the URL: docs/postgresql.md.",
        )


def has_revision(connection: sa.Connection) -> bool:
    """Whether there is a table `alembic_version`."""
    return (
        connection.exec_driver_sql(f"{_RELATIONS} c.relname = 'alembic_version'").first()
        is not None
    )


def is_empty(connection: sa.Connection) -> bool:
    """Whether nothing is in the schema where the tables shall be made."""
    return connection.exec_driver_sql(_RELATIONS + _NOT_OF_EXTENSIONS).first() is None
