"""Make the roles of a PostgreSQL store: owner, importer and auditor.

None of them can log in; an administrator grants them to users who can (docs/postgresql.md).
The statements may be run again, for example after an upgrade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.schema import OLD_VERSION_TABLE, VERSION_TABLE
from meta_audit.schema.tables import ASKED_COLUMNS, DATA_TABLES, DERIVED_TABLES, OTHER_TABLES

if TYPE_CHECKING:
    from meta_audit.store.session import Session

FUNCTION: Final = "meta_audit_append_only()"
_NAMES: Final = """
    SELECT c.relname, c.relkind::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'v')"""


class Roles(NamedTuple):
    """Name the three roles."""

    owner: str = "meta_audit_owner"
    """Owns tables and views; makes and upgrades the store."""
    importer: str = "meta_audit_importer"
    """May insert facts and read; may not update or delete them."""
    auditor: str = "meta_audit_auditor"
    """May read tables and views, and log its questions; their time and role are the server's."""


def role_statements(session: Session, roles: Roles) -> list[str]:
    """Return the SQL that makes the roles and gives them their rights in a store."""
    schema = _quote(session.value("SELECT current_schema()"))
    relations = sorted(session.query(_NAMES))
    ours = {*DATA_TABLES, *OTHER_TABLES, VERSION_TABLE, OLD_VERSION_TABLE}
    tables = [f"{schema}.{name}" for name, kind in relations if kind == "r" and name in ours]
    views = [f"{schema}.{name}" for name, kind in relations if kind == "v" and name[:2] == "v_"]
    data, derived = (
        ", ".join(f"{schema}.{name}" for name in sorted(names))
        for names in (DATA_TABLES, DERIVED_TABLES)
    )
    owner, importer, auditor = map(_quote, roles)
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
        f"GRANT INSERT ON {data} TO {importer}",
        f"GRANT DELETE ON {derived} TO {importer}",
        f"GRANT INSERT ({', '.join(ASKED_COLUMNS)}) ON {schema}.questions TO {auditor}",
        f"GRANT UPDATE (lock_id) ON {schema}.writer_lock TO {importer}",
    ]


def _quote(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _make_role(quoted: str) -> str:
    return (
        f"DO $$ BEGIN CREATE ROLE {quoted} NOLOGIN;"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
