"""Say to which jobs documents without a namespace belong, as `current_jobs` of a store does.

Rows of such documents have the number of a job of their own in `v_findings` and `v_observations`;
where that is no job of the list, they tell of the jobs of the same ID.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.lake.predicates import OWNERS
from meta_audit.ledger.entry import AcceptedEntry, decode_entry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ASKED: Final = ("v_jobs", "v_observations", "v_readings", "v_versions", "entries")
"""Tables that say it."""
ROWS_AT_ONCE: Final = 1_000
_OWNERS: Final = f"""
    CREATE TEMP TABLE {OWNERS} AS
    SELECT DISTINCT o.store, o.job_id, o.job_key AS told_key, b.job_key
    FROM v_observations o
    JOIN v_jobs b ON b.store = o.store AND b.job_id = o.job_id AND b.job_key <> o.job_key
    WHERE o.namespace = '' AND NOT EXISTS (
        SELECT 1 FROM v_jobs a WHERE a.store = o.store AND a.job_key = o.job_key)"""
_UNDECIDED: Final = f"""
    SELECT DISTINCT o.store, o.job_id FROM {OWNERS} o
    WHERE o.store IN (SELECT r.store FROM v_readings r) AND NOT EXISTS (
        SELECT 1 FROM v_versions v
        WHERE v.store = o.store AND v.job_id = o.job_id AND v.namespace <> ''
            AND v.origin = 'orchestrator')"""
_SUPERSEDED: Final = """
    SELECT e.store, e.entry FROM entries e
    JOIN v_readings r ON r.store = e.store AND r.supersedes = e.entry_index"""
_STAYS: Final = f"DELETE FROM {OWNERS} WHERE store = ? AND job_id = ?"


def make_owners(duck: DuckDBPyConnection) -> None:
    """Make the table of the jobs to which rows of another number belong."""
    duck.execute(_OWNERS)
    undecided = set(duck.execute(_UNDECIDED).fetchall())
    if not undecided:
        return
    # Superseded versions are in no view, but a job without a namespace that has one stays a job
    # of its own until an orchestrator shows another job of its ID.
    own, others = set(), set()
    found = duck.execute(_SUPERSEDED)
    while rows := found.fetchmany(ROWS_AT_ONCE):
        for store, content in rows:
            entry = decode_entry(content)
            if isinstance(entry, AcceptedEntry) and (store, entry.job_id) in undecided:
                if not entry.namespace and entry.spec_sha256:
                    own.add((store, entry.job_id))
                elif entry.namespace and entry.origin == "orchestrator":
                    others.add((store, entry.job_id))
    if stays := sorted(own - others):
        duck.executemany(_STAYS, stays)
