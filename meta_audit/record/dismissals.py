"""Dismiss rejections: somebody has looked at them, and says why they may be left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.errors import NotFoundError, UsageError
from meta_audit.schema.tables import columns
from meta_audit.store.session import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.session import Session

LONGEST_REASON: Final = 2_000
"""Most characters of a reason."""
_STATES: Final = """
    SELECT r.rejection_id, x.import_id, y.import_id FROM rejections r
    LEFT JOIN rejection_resolutions x ON x.rejection_id = r.rejection_id
    LEFT JOIN rejection_dismissals y ON y.rejection_id = r.rejection_id
    WHERE r.rejection_id AMONG KEYS"""


def check_dismissals(session: Session, rejection_ids: Sequence[int], reason: str) -> None:
    """Check that these rejections can be dismissed for this reason.

    Raises `NotFoundError` for one that is not there, and `UsageError` for one that is resolved
    or dismissed already, or a reason that says nothing or cannot be stored.
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise UsageError(
            f"a reason needs 1 to {LONGEST_REASON:,} characters",
            advice="Say why nobody needs to look at these rejections again.",
        )
    if "\0" in reason or not reason.isprintable():
        raise UsageError("a reason must be one line of printable text")
    states = {one: rest for one, *rest in session.among(_STATES, sorted(set(rejection_ids)))}
    for rejection_id in rejection_ids:
        if rejection_id not in states:
            raise NotFoundError(
                f"there is no rejection {rejection_id}",
                advice="`meta-audit rejections list --all` lists them.",
            )
        resolved_by, dismissed_by = states[rejection_id]
        if dismissed_by is not None:
            raise UsageError(f"rejection {rejection_id} was dismissed by import {dismissed_by}")
        if resolved_by is not None:
            raise UsageError(f"rejection {rejection_id} was resolved by import {resolved_by}")


def dismiss(session: Session, import_id: int, rejection_ids: Sequence[int], reason: str) -> int:
    """Add the dismissals within a transaction, and return how many.

    Those that another run dismissed meanwhile are left out.
    """
    sql = "SELECT rejection_id FROM rejection_dismissals WHERE rejection_id AMONG KEYS"
    ids = sorted(set(rejection_ids) - {row[0] for row in session.among(sql, sorted(rejection_ids))})
    last = int(session.value("SELECT coalesce(max(dismissal_no), 0) FROM rejection_dismissals"))
    values = [(number, one, import_id, reason) for number, one in enumerate(ids, last + 1)]
    session.insert("rejection_dismissals", columns("rejection_dismissals"), rows(values))
    return len(ids)
