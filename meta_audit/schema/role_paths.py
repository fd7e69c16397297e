"""Find what other roles read instead of the store's views, by `search_path`, on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.schema import postgresql_objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meta_audit.schema.signed_rows import Query

# Of several settings that of a role in a database counts first (PostgreSQL 18, ALTER ROLE).
_PATHS: Final = """
    SELECT r.rolname::text, pg_catalog.replace(coalesce(own.path, (
            SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path')),
        '"$user"', pg_catalog.quote_ident(r.rolname))
    FROM pg_catalog.pg_roles r LEFT JOIN LATERAL (
        SELECT pg_catalog.substr(one, 13) path, s.setrole
        FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) one
        WHERE s.setrole IN ('0', r.oid) AND pg_catalog.starts_with(one, 'search_path=')
            AND s.setdatabase IN ('0', (SELECT oid FROM pg_catalog.pg_database
                WHERE datname = pg_catalog.current_database()))
        ORDER BY s.setrole <> '0' DESC, s.setdatabase <> '0' DESC LIMIT 1) own ON true
    WHERE own.setrole <> '0'
        OR EXISTS (SELECT 1 FROM pg_catalog.pg_namespace n WHERE n.nspname = r.rolname)
    ORDER BY 1"""
SET_PATH: Final = "SELECT pg_catalog.set_config('search_path', ?, true)"


def shadowed_for_roles(
    query: Query, schema: str, relations: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Yield roles, and the relations that they find before the views of the store.

    Somebody's own table with the name of one of our tables is no lie: people ask views. Changes
    `search_path` within the transaction.
    """
    views = [name for name in relations if name.startswith("v_")]
    for role, path in query(_PATHS):
        query(SET_PATH, path)
        for shadow in postgresql_objects.shadows(query, schema, views):
            yield str(role), shadow
