"""Open and manage stores on PostgreSQL."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from meta_audit.errors import StoreError, UsageError
from meta_audit.schema import OLD_VERSION_TABLE, VERSION_TABLE
from meta_audit.store.postgresql.failures import failure
from meta_audit.store.postgresql.roles import role_statements
from meta_audit.store.postgresql.session import PostgresqlSession

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from meta_audit.store.retry import Retry
    from meta_audit.store.session import Session

__all__ = [
    "backup",
    "begin_upgrade",
    "check_durability",
    "failure",
    "has_table",
    "is_auditor",
    "is_empty",
    "make_engine",
    "may_upgrade",
    "open_session",
    "role_statements",
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
"""Settings of libpq; the URL overrides them. They notice a vanished peer within a minute."""
PRIMARY: Final = {"target_session_attrs": "read-write"}
"""Setting of an importer: of several hosts, take the one that can be written to."""
_SCHEMA: Final = f"""
    SELECT pg_catalog.quote_ident(s.name)
    FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY s (name, place)
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.name
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
    WHERE c.relname = '{VERSION_TABLE}' OR (c.relname = '{OLD_VERSION_TABLE}' AND EXISTS (
        SELECT 1 FROM pg_catalog.pg_class l
        WHERE l.relnamespace = n.oid AND l.relname = 'ledger_entries'))
    ORDER BY s.place LIMIT 1"""  # noqa: S608 - own names
"""Schema of the store: the first in `search_path` that holds one."""
_NO_TIME_LIMITS: Final = """
    SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
    WHERE name IN ('idle_session_timeout', 'transaction_timeout')"""
SESSION: Final = (
    "SET lock_timeout = '60s'; SET statement_timeout = '20min';"
    # Where row security would hide rows, fail: what is left would look like all.
    " SET row_security = off;"
    f" {_NO_TIME_LIMITS};"
    # Look in no other schema, and in temporary tables last.
    # Call nothing that takes any type: a function for just these types would be called instead.
    f" SELECT pg_catalog.set_config('search_path', coalesce(coalesce(({_SCHEMA}),"
    " pg_catalog.quote_ident(pg_catalog.current_schema()),"
    " nullif(pg_catalog.current_setting('search_path'), '')) || ', ', '') || 'pg_temp', false);"
)
WRITING: Final = " SET idle_in_transaction_session_timeout = '20min'"
"""Setting of an importer, so that one that hangs does not keep others out for ever."""
READING: Final = (
    " SET idle_in_transaction_session_timeout = '1d'; SET default_transaction_read_only = on"
)
"""Settings of a reader. `verify` holds one state while its processes work, and keeps nobody out."""
UPGRADE_LOCK: Final = "SELECT pg_advisory_xact_lock(1296393313, hashtext(current_schema()))"
"""Excludes another upgrade, even before there is a table."""
UNSAFE: Final = "fsync", "full_page_writes", "synchronous_commit"
_RELATIONS: Final = """
    SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND """
_OWNED: Final = """
    SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relname = 'ledger_entries'
        AND pg_catalog.pg_has_role(c.relowner, 'USAGE')"""
_AUDITOR: Final = """
    SELECT 1 FROM pg_catalog.pg_attribute a
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) r
    WHERE a.attrelid = 'questions'::pg_catalog.regclass AND r.privilege_type = 'INSERT'
        AND (r.grantee = 0 OR pg_catalog.pg_has_role(r.grantee, 'USAGE'))
        AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
    LIMIT 1"""
"""Whoever has what `role_statements` gives to auditors alone: a right to some columns. A superuser
counts as a member of every role."""
_NOT_OF_EXTENSIONS: Final = (
    "NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
)


# It warns about broken connections on stderr, which our own errors report.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)


def make_engine(url: sa.URL, _: Retry, *, read_only: bool) -> sa.Engine:
    """Return an engine whose connections have the settings of a reader or a writer."""
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


def open_session(
    engine: sa.Engine,
    name: str,
    retry: Retry,
    *,
    writes: bool,  # noqa: ARG001 - of every backend
) -> PostgresqlSession:
    """Return a session; it connects when it is used."""
    return PostgresqlSession(engine, name, retry)


def check_durability(session: Session) -> None:
    """Raise `StoreError` if the server may lose work that it has committed."""
    wanted = ", ".join(f"'{name}'" for name in UNSAFE)
    sql = f"SELECT name FROM pg_catalog.pg_settings WHERE name IN ({wanted}) AND setting = 'off'"  # noqa: S608
    unsafe = [name for (name,) in session.query(sql)]
    if unsafe:
        raise StoreError(
            f"the server runs with {', '.join(unsafe)} off: a crash could lose what an import "
            "acknowledged, or damage the store",
            advice="Turn it on. For data that may be lost, use --allow-unsafe-server.",
        )


def begin_upgrade(connection: sa.Connection) -> None:
    """Begin a transaction that excludes every other writer."""
    connection.exec_driver_sql("BEGIN")
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql("SET LOCAL lock_timeout = '600s'")
    connection.exec_driver_sql(UPGRADE_LOCK)
    if connection.exec_driver_sql(f"{_RELATIONS} c.relname = 'writer_lock'").first():
        connection.exec_driver_sql("LOCK TABLE writer_lock IN EXCLUSIVE MODE")
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise StoreError(
            f"the database has the encoding {encoding}",
            advice="A store needs UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
        )
    schema = connection.exec_driver_sql("SELECT current_schema()").scalar() or "pg_temp"
    if schema.startswith("pg_temp"):
        raise StoreError(
            "no schema in search_path exists, or may be used",
            advice="Make it with CREATE SCHEMA, or name another in the URL: docs/postgresql.md.",
        )


def has_table(session: Session, name: str) -> bool:
    """Return True if the store's schema has a table or view of this name."""
    return bool(session.query(f"{_RELATIONS} c.relname = ?", name))


def is_empty(session: Session) -> bool:
    """Return True if the schema for the tables holds nothing."""
    return not session.query(f"{_RELATIONS} {_NOT_OF_EXTENSIONS} LIMIT 1")


def may_upgrade(session: Session) -> bool:
    """Return True if this role owns the tables."""
    return bool(session.query(_OWNED))


def is_auditor(session: Session) -> bool:
    """Return True if this user is a member of the auditor's role, whatever its name."""
    return bool(session.query(_AUDITOR))


def backup(_: sa.Engine, name: str, __: Path) -> None:
    """Raise `UsageError`: only an SQLite file is copied as a file."""
    raise UsageError(
        f"{name} is not an SQLite file",
        advice="Use pg_dump, or `meta-audit db copy`, which verifies the copy.",
    )
