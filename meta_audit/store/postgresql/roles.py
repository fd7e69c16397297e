"""Roles of a PostgreSQL store: who may make it, who may add to it, who may read it.

Three roles that cannot log in; an administrator grants them to those who can
(docs/postgresql.md). Everything may be run again, as after an upgrade that made tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.errors import UsageError
from meta_audit.schema.tables import FACT_TABLES

if TYPE_CHECKING:
    from meta_audit.store.opening import Store

FUNCTION: Final = "meta_audit_append_only()"
ALEMBIC: Final = "alembic_version"
_NAMES: Final = """
    SELECT c.relname, c.relkind FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'v')"""


class Roles(NamedTuple):
    """Names of the three roles."""

    owner: str = "meta_audit_owner"
    """Owns tables and views: makes and upgrades the store."""
    importer: str = "meta_audit_importer"
    """May insert facts and read; may not update or delete."""
    auditor: str = "meta_audit_auditor"
    """May read tables and views."""


def statements(store: Store, roles: Roles) -> list[str]:
    """SQL that makes the roles and gives them their rights in a store.

    Raises `UsageError` where the engine has no roles.
    """
    if store.is_sqlite:
        raise UsageError(
            "SQLite has no roles",
            advice="Give the file to its owner alone: readers open it read-only.",
        )
    quote = store.engine.dialect.identifier_preparer.quote
    with store.connected() as connection:
        schema = quote(str(connection.exec_driver_sql("SELECT current_schema()").scalar()))
        relations = sorted(tuple(row) for row in connection.exec_driver_sql(_NAMES))
    ours = {*FACT_TABLES, "schema_comments", ALEMBIC}
    tables = [f"{schema}.{name}" for name, kind in relations if kind == "r" and name in ours]
    views = [f"{schema}.{name}" for name, kind in relations if kind == "v" and name[:2] == "v_"]
    facts = [f"{schema}.{name}" for name in sorted(FACT_TABLES)]
    owner, importer, auditor = (quote(role) for role in roles)
    every = ", ".join([*tables, *views])
    return [
        *map(_make_role, (owner, importer, auditor)),
        f"GRANT {owner} TO CURRENT_USER",
        f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner}",
        *(f"ALTER TABLE {table} OWNER TO {owner}" for table in tables),
        *(f"ALTER VIEW {view} OWNER TO {owner}" for view in views),
        f"ALTER FUNCTION {schema}.{FUNCTION} OWNER TO {owner}",
        f"REVOKE ALL ON {every} FROM PUBLIC, {importer}, {auditor}",
        f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {importer}, {auditor}",
        f"GRANT USAGE ON SCHEMA {schema} TO {importer}, {auditor}",
        f"GRANT SELECT ON {every} TO {importer}, {auditor}",
        f"GRANT INSERT ON {', '.join(facts)} TO {importer}",
    ]


def apply(store: Store, sql: list[str]) -> None:
    """Run the statements in one transaction. Raises `StoreError`."""
    with store.connected() as connection:
        connection.exec_driver_sql("BEGIN")
        for statement in sql:
            connection.exec_driver_sql(statement)
        connection.commit()


def _make_role(quoted: str) -> str:
    return (
        f"DO $$ BEGIN CREATE ROLE {quoted} NOLOGIN;"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
