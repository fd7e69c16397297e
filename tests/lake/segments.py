"""What a store says, but for who took it in and when: to compare one with another."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any, Final

from meta_audit.lake.tables import OF_JOBS, WHOLE
from meta_audit.store.opening import open_to_read

OF_THE_RUN: Final = {
    *("actor", "observed_at", "observed_ns", "read_at", "read_ns", "import_id"),
    *("first_seen", "last_seen", "first_import", "last_import"),
    *("job_key", "document_id", "entry_index", "rejection_id", "source_id", "result_no"),
}
"""Columns that tell when and by whom something was taken in, and in what order it was numbered."""
RUNS: Final = ("v_imports", "v_questions")

Said = dict[str, list[tuple[Any, ...]]]


def views(db: str | Path) -> Said:
    """Return the rows of the contract's views."""
    found: Said = {}
    with closing(open_to_read(str(db))) as store, store.engine.connect() as connection:
        for view in (*OF_JOBS, *WHOLE):
            if view in RUNS:
                continue
            result = connection.exec_driver_sql(f"SELECT * FROM {view}")
            kept = [n for n, name in enumerate(result.keys()) if name not in OF_THE_RUN]
            found[view] = sorted((tuple(row[n] for n in kept) for row in result), key=repr)
    return found


def ledger(db: str | Path) -> set[bytes]:
    """Return the hashes of all leaves."""
    with closing(open_to_read(str(db))) as store:
        rows = store.read(lambda session: session.query("SELECT leaf_hash FROM ledger_entries"))
    return {bytes(leaf) for (leaf,) in rows}
