"""Make proof bundles: they show someone without the store that the ledger holds a document."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.answer import Answer
from meta_audit.errors import LedgerError, NotFoundError
from meta_audit.ledger.bundle import make_bundle
from meta_audit.ledger.checkpoint import Checkpoint, open_checkpoint
from meta_audit.ledger.entry import decode_entry
from meta_audit.ledger.merkle import Nodes, Tree, consistency_proof, inclusion_proof, leaf_hash
from meta_audit.ledger.merkle_proof import verify_consistency, verify_inclusion
from meta_audit.ledger.note import Note, VerifierKey, encode_base64
from meta_audit.ledger.subtrees import block_nodes
from meta_audit.schema.newest import NEWEST_DOCUMENTS
from meta_audit.verify.checks.jobs import JobRange
from meta_audit.verify.guard import UNREADABLE, octets
from meta_audit.verify.outcome import VerifyOptions
from meta_audit.verify.unpacking import DamagedFrameError, Frames, content_of
from meta_audit.verify.work import Plan, Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meta_audit.store.session import Session

CONSISTENCY_FORMAT: Final = "meta-audit/consistency/1"
LEAVES_PER_QUERY: Final = 20_000
_CHECKPOINT: Final = """
    SELECT note, tree_size FROM checkpoints WHERE tree_size > ?
    ORDER BY checkpoint_id DESC LIMIT 1"""

_NEWEST: Final = "SELECT job_key, entry_index FROM v_jobs WHERE job_key AMONG KEYS"
_LEAVES: Final = """
    SELECT leaf_hash FROM ledger_entries WHERE entry_index >= ? AND entry_index < ?
    ORDER BY entry_index"""
_LEAVES_AMONG: Final = """
    SELECT entry_index, leaf_hash FROM ledger_entries WHERE entry_index AMONG KEYS"""
_FRAMES: Final = """
    SELECT document_id, dictionary_id, content FROM documents WHERE document_id AMONG KEYS"""


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
    entries = {key: JobRange.between(work, key, key + 1).entries() for key in keys}
    nodes = cache(_nodes(session))
    return [_prove(session, index, entries[key], nodes) for key, index in places]


class Proven(NamedTuple):
    """Hold a document with what proves it."""

    job_key: int
    entry_index: int
    content: bytes
    entry: bytes
    path: tuple[bytes, ...]
    """Hashes from the leaf upwards."""


class Prover:
    """Prove the newest documents of many jobs under one checkpoint, the newest.

    Raises `NotFoundError` if no checkpoint covers a document yet, `LedgerError` if the store does
    not give what the ledger holds.
    """

    def __init__(self, session: Session) -> None:
        found = session.query(_CHECKPOINT, 0)
        if not found:
            raise _uncovered(0)
        self.checkpoint, self._size = found[0]
        self.key = _key(session, self.checkpoint)
        self._root = Checkpoint.parse(Note.parse(self.checkpoint).text).root
        self._session = session
        self._work = Work(session, Plan(VerifyOptions(), 0, {}))
        self._frames = Frames(session)
        self._nodes = block_nodes(self._leaves)

    def prove(self, job_keys: Sequence[int]) -> Iterator[Proven]:
        """Yield the newest document of each job, in the order of the ledger."""
        places = sorted((index, key) for key, index in self._session.among(_NEWEST, job_keys))
        last = places[-1][0] if places else 0
        if last >= self._size:
            raise _uncovered(last)
        indexes = [index for index, _ in places]
        entries = JobRange.among(self._work, sorted(job_keys)).entries()
        leaves: dict[int, bytes] = dict(self._session.among(_LEAVES_AMONG, indexes))
        frames = {row[0]: row[1:] for row in self._session.among(_FRAMES, indexes)}
        for index, key in places:
            entry, leaf = entries.get(index), octets(leaves.get(index))
            try:
                dictionary_id, frame = frames[index]
                content = self._frames.content(dictionary_id, octets(frame))
            except (DamagedFrameError, *UNREADABLE) as error:
                raise _changed(index) from error
            if entry is None or leaf_hash(entry) != leaf:
                raise _changed(index)
            if sha256(content).digest() != decode_entry(entry).document:
                raise _changed(index)
            path = inclusion_proof(self._nodes, index, self._size)
            verify_inclusion(leaf, index, self._size, path, self._root)
            yield Proven(key, index, content, entry, path)

    def _leaves(self, begin: int, end: int) -> list[bytes]:
        return [octets(row[0]) for row in self._session.query(_LEAVES, begin, end)]


def _prove(session: Session, index: int, entries: dict[int, bytes], nodes: Nodes) -> bytes:
    found = session.query(_CHECKPOINT, index)
    if not found:
        raise _uncovered(index)
    note, size = found[0]
    content = content_of(session, index)
    leaf = session.value("SELECT leaf_hash FROM ledger_entries WHERE entry_index = ?", index)
    if index not in entries or content is None or leaf_hash(entries[index]) != octets(leaf):
        raise _changed(index)
    proof = inclusion_proof(nodes, index, size)
    return make_bundle(
        content, entries[index], index, proof, checkpoint=note, key=_key(session, note)
    )


def _uncovered(index: int) -> NotFoundError:
    return NotFoundError(
        f"no checkpoint covers entry {index} yet",
        advice="Its import is running or was killed: the end of the next import signs it.",
    )


def _changed(index: int) -> LedgerError:
    return LedgerError(
        f"the rows of entry {index} are not those that were signed",
        advice="Run `meta-audit verify`.",
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
    def node(level: int, index: int) -> bytes:
        first, end = index << level, (index + 1) << level
        tree = Tree()
        while first + tree.size < end:
            begin = first + tree.size
            rows = session.query(_LEAVES, begin, min(end, begin + LEAVES_PER_QUERY))
            if not rows:
                raise LedgerError(f"entry {begin} is missing from the ledger")
            tree.extend([octets(row[0]) for row in rows])
        return tree.root()

    return node
