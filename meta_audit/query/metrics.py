"""Count what an operator watches: documents taken, rejections open, the last checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from meta_audit.store.session import Session

OUTCOMES: Final = ("new", "changed", "unchanged", "rejected", "known_rejected")
"""Outcomes for a document: columns of import_results."""
_DOCUMENTS: Final = (
    'SELECT coalesce(sum("new"), 0), coalesce(sum(changed), 0), coalesce(sum(unchanged), 0),'
    " coalesce(sum(rejected), 0), coalesce(sum(known_rejected), 0) FROM import_results"
)
_IMPORTS: Final = "SELECT status, count(*), max(finished_at) FROM import_results GROUP BY status"
_UNFINISHED: Final = """
    SELECT count(*) FROM imports m
    WHERE NOT EXISTS (SELECT 1 FROM import_results r WHERE r.import_id = m.import_id)"""
_SIZES: Final = """
    SELECT (SELECT coalesce(max(job_key), 0) FROM jobs),
        (SELECT coalesce(max(entry_index), -1) + 1 FROM ledger_entries)"""
_OPEN: Final = """
    SELECT count(*) FROM rejections r
    WHERE NOT EXISTS (
            SELECT 1 FROM rejection_resolutions x WHERE x.rejection_id = r.rejection_id)
        AND NOT EXISTS (
            SELECT 1 FROM rejection_dismissals y WHERE y.rejection_id = r.rejection_id)"""
_CHECKPOINT: Final = """
    SELECT c.tree_size, r.finished_at FROM checkpoints c
    JOIN import_results r ON r.import_id = c.import_id
    ORDER BY c.checkpoint_id DESC LIMIT 1"""


class StoreMetrics(Struct, frozen=True):
    """Hold counts of a store. Times are nanoseconds since 1970."""

    documents: dict[str, int]
    """By outcome, of all imports that ended."""
    imports: dict[str, int]
    """By status, of those that ended."""
    unfinished: int
    """Imports that are running, or were killed."""
    jobs: int
    entries: int
    """Of the ledger."""
    covered: int
    """Entries that the last checkpoint covers."""
    open_rejections: int
    completed_at: int | None
    """End of the last import that was complete."""
    checkpoint_at: int | None
    """When the last checkpoint was signed."""


def store_metrics(session: Session) -> StoreMetrics:
    """Count what a store holds."""
    documents, by_status, unfinished, sizes, rejected, sealed = session.together(
        (_DOCUMENTS,), (_IMPORTS,), (_UNFINISHED,), (_SIZES,), (_OPEN,), (_CHECKPOINT,)
    )
    imports = {status: number for status, number, _ in by_status}
    ends = {status: end for status, _, end in by_status}
    covered, checkpoint_at = sealed[0] if sealed else (0, None)
    return StoreMetrics(
        documents=dict(zip(OUTCOMES, map(int, documents[0]), strict=True)),
        imports=imports,
        unfinished=unfinished[0][0],
        jobs=sizes[0][0],
        entries=sizes[0][1],
        covered=covered,
        open_rejections=rejected[0][0],
        completed_at=ends.get("complete"),
        checkpoint_at=checkpoint_at,
    )
