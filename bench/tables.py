"""An empty SQLite store with the project's own tables, for the plain loop to fill.

    python -m bench.tables STORE

The tables, keys and indexes are those of `meta_audit.schema.tables`, so that both sides write
the same rows. It runs as a process of its own, before the clock starts: the loop itself then
neither imports SQLAlchemy nor pays for it. Triggers are left out (they fire on UPDATE and
DELETE only) and so are the tables that the loop does not fill: evidence, ledger, findings,
quarantine.
"""

from __future__ import annotations

import sys
from pathlib import Path

FILLED = (
    "imports",
    "sources",
    "terms",
    "jobs",
    "job_versions",
    "tasks",
    "meta_keys",
    "meta_pairs",
    "meta_entries",
    "label_entries",
    "identities",
    "attribution_rules",
    "attribution_sets",
    "attribution_members",
    "observations",
    "current_jobs",
)
"""The tables that the plain loop fills."""


def create(store: Path) -> None:
    """Make the store's tables and set it to WAL."""
    import sqlalchemy as sa

    from meta_audit.schema.tables import metadata

    engine = sa.create_engine(f"sqlite:///{store}")
    with engine.begin() as connection:
        metadata.create_all(connection, tables=[metadata.tables[name] for name in FILLED])
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    engine.dispose()


if __name__ == "__main__":
    create(Path(sys.argv[1]))
