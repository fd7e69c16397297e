"""Read the checkpoints of the ledger, and the keys that signed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.answer import Answer
from meta_audit.errors import NotFoundError

if TYPE_CHECKING:
    from meta_audit.store.session import Session

CHECKPOINT_FORMAT: Final = "meta-audit/checkpoint/1"

_ALL: Final = """
    SELECT checkpoint_id, import_id, tree_size, note FROM checkpoints ORDER BY checkpoint_id"""
_ONE: Final = "SELECT note FROM checkpoints WHERE checkpoint_id = ?"
_KEYS: Final = "SELECT verifier FROM ledger_keys ORDER BY key_no"


class CheckpointSummary(Answer, frozen=True):
    """Hold a signed checkpoint of the ledger."""

    format: str
    checkpoint_id: int
    import_id: int
    """The import that it ends."""
    tree_size: int
    """Entries of the ledger that it covers."""
    note: str
    """The signed note, exactly."""


def list_checkpoints(session: Session) -> tuple[CheckpointSummary, ...]:
    """Return the checkpoints, the oldest first."""
    found = session.query(_ALL)
    return tuple(CheckpointSummary(CHECKPOINT_FORMAT, *row) for row in found)


def signed_note(session: Session, checkpoint_id: int) -> str:
    """Return the signed note of a checkpoint. Raises `NotFoundError`."""
    found = session.query(_ONE, checkpoint_id)
    if not found:
        raise NotFoundError(
            f"there is no checkpoint {checkpoint_id}",
            advice="`meta-audit checkpoint list` lists them.",
        )
    return str(found[0][0])


def verifier_keys(session: Session) -> tuple[str, ...]:
    """Return the verifier keys of the store, the newest last."""
    return tuple(str(row[0]) for row in session.query(_KEYS))
