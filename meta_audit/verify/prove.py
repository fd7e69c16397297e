"""Make proof bundles: they show someone without the store that the ledger holds a document."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from meta_audit.answer import Answer
from meta_audit.errors import LedgerError, NotFoundError
from meta_audit.ledger.bundle import make_bundle
from meta_audit.ledger.checkpoint import Checkpoint, open_checkpoint
from meta_audit.ledger.merkle import Nodes, Tree, consistency_proof, inclusion_proof, leaf_hash
from meta_audit.ledger.merkle_proof import verify_consistency
from meta_audit.ledger.note import Note, VerifierKey, encode_base64
from meta_audit.schema.newest import NEWEST_DOCUMENTS
from meta_audit.verify.checks.jobs import JobRange
from meta_audit.verify.guard import octets
from meta_audit.verify.report import VerifyOptions
from meta_audit.verify.unpacking import content_of
from meta_audit.verify.work import Plan, Work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.session import Session

CONSISTENCY_FORMAT: Final = "meta-audit/consistency/1"
LEAVES_PER_QUERY: Final = 20_000
_CHECKPOINT: Final = """
    SELECT note, tree_size FROM checkpoints WHERE tree_size > ?
    ORDER BY checkpoint_id DESC LIMIT 1"""


class Consistency(Answer, frozen=True):
    """Prove that the ledger of one checkpoint is the beginning of another's."""

    format: str
    old: str
    """The signed note of the older checkpoint."""
    new: str
    consistency_proof: tuple[str, ...]
    """Hashes in base64 (RFC 9162 §2.1.4)."""


def prove(session: Session, job_keys: tuple[int, int], *, every: bool) -> list[bytes]:
    """Return bundles of a job's newest document, or of every one of its documents.

    Raises `NotFoundError` where no checkpoint covers it yet, `LedgerError` where the store does
    not give what the ledger holds.
    """
    places = session.query(NEWEST_DOCUMENTS, *job_keys, job_keys[0])
    if not every:
        places = places[:1]
    work = Work(session, Plan(VerifyOptions(), 0, {}))
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
    if index not in entries or content is None or leaf_hash(entries[index]) != octets(leaf):
        raise LedgerError(
            f"the rows of entry {index} are not those that were signed",
            advice="Run `meta-audit verify`.",
        )
    proof = inclusion_proof(nodes, index, size)
    return make_bundle(
        content, entries[index], index, proof, checkpoint=note, key=_key(session, note)
    )


def _key(session: Session, note: str) -> VerifierKey:
    rows = session.query("SELECT verifier FROM ledger_keys ORDER BY key_no")
    keys: Sequence[VerifierKey] = [VerifierKey.parse(row[0]) for row in rows]
    _, signers = open_checkpoint(note, keys)
    return signers[0]


def consistency(session: Session, old: int, new: int) -> Consistency:
    """Prove that one checkpoint's tree is the beginning of a later one's.

    Raises `NotFoundError`, and `LedgerError` where the leaves do not bear it out.
    """
    notes = _note(session, old), _note(session, new)
    first, second = (Checkpoint.parse(Note.parse(note).text) for note in notes)
    proof = consistency_proof(_nodes(session), first.size, second.size)
    verify_consistency(first.size, second.size, first.root, second.root, proof)
    return Consistency(CONSISTENCY_FORMAT, *notes, tuple(map(encode_base64, proof)))


def _note(session: Session, checkpoint_id: int) -> str:
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
            tree.extend([octets(row[0]) for row in rows])
        return tree.root()

    return node
