"""Proof bundles: what one document is, and that the ledger holds it, for someone without store."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from meta_audit.errors import LedgerError, NotFoundError
from meta_audit.ledger.bundle import make_bundle
from meta_audit.ledger.merkle import Nodes, Tree, inclusion_proof, leaf_hash
from meta_audit.ledger.note import VerifierKey
from meta_audit.schema.newest import NEWEST_DOCUMENTS
from meta_audit.verify.checks.evidence import content_of
from meta_audit.verify.checks.jobs import JobRange
from meta_audit.verify.report import Options
from meta_audit.verify.work import Plan, Work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.session import Session

LEAVES_PER_QUERY: Final = 20_000
_CHECKPOINT: Final = """
    SELECT note, tree_size FROM checkpoints WHERE tree_size > ?
    ORDER BY checkpoint_id DESC LIMIT 1"""


def prove(session: Session, job_keys: tuple[int, int], *, every: bool) -> list[bytes]:
    """Bundles of a job's newest document, or of every one of its documents.

    Raises `NotFoundError` where no checkpoint covers it yet, `LedgerError` where the store does
    not give what the ledger holds.
    """
    places = session.query(NEWEST_DOCUMENTS, *job_keys, job_keys[0])
    if not every:
        places = places[:1]
    work = Work(session, Plan(Options(), 0, {}))
    keys: set[int] = {key for key, _ in places}
    entries = {key: JobRange(work, key, key + 1).entries() for key in keys}
    nodes = cache(_nodes(session))
    return [_prove(session, index, entries[key], nodes) for key, index in places]


def _prove(session: Session, index: int, entries: dict[int, bytes], nodes: Nodes) -> bytes:
    found = session.query(_CHECKPOINT, index)
    if not found:
        raise NotFoundError(
            f"no checkpoint covers entry {index} yet",
            advice="Its import is running or was killed: the end of the next import signs it.",
        )
    note, size = found[0]
    content = content_of(session, index)
    leaf = session.value("SELECT leaf_hash FROM ledger_entries WHERE entry_index = ?", index)
    if index not in entries or content is None or leaf_hash(entries[index]) != bytes(leaf):
        raise LedgerError(
            f"the rows of entry {index} are not those that were signed",
            advice="Run `meta-audit verify`.",
        )
    proof = inclusion_proof(nodes, index, size)
    return make_bundle(
        content, entries[index], index, proof, checkpoint=note, key=_key(session, note)
    )


def _key(session: Session, note: str) -> VerifierKey:
    from meta_audit.ledger.checkpoint import open_checkpoint  # noqa: PLC0415

    rows = session.query("SELECT verifier FROM ledger_keys ORDER BY key_no")
    keys: Sequence[VerifierKey] = [VerifierKey.parse(row[0]) for row in rows]
    _, signers = open_checkpoint(note, keys)
    return signers[0]


def consistency(session: Session, old: int, new: int) -> tuple[tuple[bytes, ...], tuple[str, str]]:
    """The proof that one checkpoint's tree is a prefix of a later one's, and both notes.

    Raises `NotFoundError`, and `LedgerError` where the leaves do not bear it out.
    """
    from meta_audit.ledger.checkpoint import Checkpoint  # noqa: PLC0415
    from meta_audit.ledger.merkle import consistency_proof  # noqa: PLC0415
    from meta_audit.ledger.merkle_proof import verify_consistency  # noqa: PLC0415
    from meta_audit.ledger.note import Note  # noqa: PLC0415

    notes = note_of(session, old), note_of(session, new)
    first, second = (Checkpoint.parse(Note.parse(note).text) for note in notes)
    proof = consistency_proof(_nodes(session), first.size, second.size)
    verify_consistency(first.size, second.size, first.root, second.root, proof)
    return proof, notes


def note_of(session: Session, checkpoint_id: int) -> str:
    """The signed note of a checkpoint. Raises `NotFoundError`."""
    rows = session.query("SELECT note FROM checkpoints WHERE checkpoint_id = ?", checkpoint_id)
    if not rows:
        raise NotFoundError(
            f"there is no checkpoint {checkpoint_id}",
            advice="`meta-audit checkpoint list` lists them.",
        )
    return str(rows[0][0])


def _nodes(session: Session) -> Nodes:
    sql = (
        "SELECT leaf_hash FROM ledger_entries WHERE entry_index >= ? AND entry_index < ?"
        " ORDER BY entry_index"
    )

    def node(level: int, index: int) -> bytes:
        first, end = index << level, (index + 1) << level
        tree = Tree()
        while first + tree.size < end:
            begin = first + tree.size
            rows = session.query(sql, begin, min(end, begin + LEAVES_PER_QUERY))
            if not rows:
                raise LedgerError(f"entry {begin} is missing from the ledger")
            tree.extend([bytes(row[0]) for row in rows])
        return tree.root()

    return node
