"""Decode and parse documents, and flatten them to the columns of a `Batch`.

Other processes run this where there are some. Documents and batches travel as MessagePack,
which takes a third of the time of pickling.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Struct, msgpack

from meta_audit.catalogue import FINDINGS
from meta_audit.decode import decode
from meta_audit.errors import RejectedError
from meta_audit.ingest.options import DEFAULT_LIMITS
from meta_audit.ledger.entry import accepted_entry, rejected_entry
from meta_audit.ledger.merkle import leaf_hash
from meta_audit.model import Attribution, Document, JobRecord, Rejection
from meta_audit.parse import parse
from meta_audit.parse.readings import readings
from meta_audit.record.batch import NO_ENTRY, Accepted, Batch, Rejected
from meta_audit.store.frames import Compressor, train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NO_VERSION: Final = (b"", 0, 0, 0, 0, 0, 0, 0, None, 0)
"""In place of the columns from `spec_sha256` to `attribution_set`."""


class Offered(Struct, frozen=True, array_like=True, gc=False):
    """One document as a source offers it."""

    document: Document | Rejection
    sha256: bytes
    source: int
    """Number of the source in the run."""
    uri: str
    supersedes: int = NO_ENTRY
    """Of a document that is read again: its live entry in the ledger."""
    leaf: bytes = b""
    """The hash of that entry."""
    record: JobRecord | None = None
    """Of a document that was read on another machine."""


class Numbering(dict):  # type: ignore[type-arg]
    """Give every new key the next number, from 0."""

    def __missing__(self, key: object) -> int:
        self[key] = number = len(self)
        return number


def sha256_of(document: Document | Rejection) -> bytes:
    """Return the SHA-256 of a document's bytes; a rejection brings its own."""
    if isinstance(document, Rejection):
        return document.sha256
    return sha256(document.content).digest()


def build(
    offered: Sequence[Offered],
    dictionary: bytes = b"",
    *,
    coerce_scalars: bool = False,
    training_bytes: int = DEFAULT_LIMITS.training_bytes,
) -> Batch:
    """Decode, parse and flatten documents.

    Without a dictionary one is trained, if there are `training_bytes` of documents.
    """
    contents = [o.document.content for o in offered]
    builder = _BatchBuilder(dictionary or train(contents, training_bytes))
    for place, offer in enumerate(offered):
        if offer.supersedes != NO_ENTRY:
            builder.read_again(place, offer)
            continue
        said = offer.record or read(offer.document, offer.sha256, coerce_scalars=coerce_scalars)
        if isinstance(said, Rejection):
            builder.reject(place, offer, said)
        else:
            builder.accept(place, offer, said)
    return builder.finish()


def read(
    document: Document | Rejection, digest: bytes, *, coerce_scalars: bool
) -> JobRecord | Rejection:
    """Decode and parse one document. What was rejected before stays so."""
    if isinstance(document, Rejection):
        return document
    try:
        value = decode(document.content, document.format)
        return parse(value, document.content, coerce_scalars=coerce_scalars)
    except RejectedError as error:
        return _rejection(document, error, digest)


def first_reading(offer: Offered) -> JobRecord | None:
    """Return what a kept document says now, None where some way to read it gives its entry."""
    first: JobRecord | None = None
    document = offer.document
    where = document.ordinal, document.line
    for record in readings(document.content):
        first = first or record
        if leaf_hash(accepted_entry(offer.sha256, record, offer.uri, *where)) == offer.leaf:
            return None
    return first


def pack(offered: Sequence[Offered]) -> bytes:
    """Encode documents to be sent to another process."""
    return msgpack.encode(offered)


def build_packed(packed: bytes, dictionary: bytes, *, coerce_scalars: bool) -> bytes:
    """Build a batch in another process: take what `pack` gives, and give what `unpack` takes."""
    offered = msgpack.decode(packed, type=list[Offered])
    return msgpack.encode(build(offered, dictionary, coerce_scalars=coerce_scalars))


def unpack(packed: bytes) -> Batch:
    """Decode a batch that came from another process."""
    return msgpack.decode(packed, type=Batch)


def _rejection(document: Document, error: RejectedError, digest: bytes) -> Rejection:
    return Rejection(
        reason=error.reason,
        message=str(error),
        content=document.content,
        ordinal=document.ordinal,
        line=document.line + max(error.line - 1, 0),
        size=len(document.content),
        sha256=digest,
        format=document.format,
    )


class _Attributed(NamedTuple):
    """A set of attributions. Holding the object keeps its `id` from being given again."""

    attributions: tuple[Attribution, ...]
    number: int


class _BatchBuilder:
    """Fill a batch."""

    def __init__(self, dictionary: bytes) -> None:
        self._batch = Batch(dictionary, Accepted())
        self._accepted: list[tuple[Any, ...]] = []
        self._compress = Compressor(dictionary).compress
        self._compress_alone = Compressor(b"").compress
        self._terms = Numbering()
        self._pairs = Numbering()
        self._identities = Numbering()
        self._rules = Numbering()
        self._sets = Numbering()
        self._use_sets = Numbering({(): 0})
        self._attributed_by: dict[int, _Attributed] = {}

    def reject(self, place: int, offer: Offered, rejection: Rejection) -> None:
        leaf = leaf_hash(rejected_entry(rejection, offer.uri))
        content = self._compress_alone(rejection.content)
        self._batch.rejected.append(Rejected(place, offer.source, rejection, content, leaf))

    def read_again(self, place: int, offer: Offered) -> None:
        """Accept a kept document if it gives another entry now, however it is read."""
        record = first_reading(offer)
        if record is None:
            self._batch.unchanged += 1
        else:
            self.accept(place, offer, record)

    def accept(self, place: int, offer: Offered, record: JobRecord) -> None:
        document, batch, term = offer.document, self._batch, self._terms.__getitem__
        number = len(self._accepted)
        where = document.ordinal, document.line
        self._accepted.append(
            (
                place,
                offer.source,
                offer.sha256,
                len(document.content),
                self._compress(document.content),
                leaf_hash(accepted_entry(offer.sha256, record, offer.uri, *where)),
                *where,
                record.job_id,
                term(record.namespace),
                *(self._version(record, term) if record.spec_sha256 else NO_VERSION),
                term(record.state),
                term(record.state_message),
                record.revision,
                record.modified_at,
                self._use_sets[record.uses],
                offer.supersedes,
            )
        )
        self._add_meta(number, record, term)
        pair = self._pairs.__getitem__
        for label in record.labels.items():
            batch.labels += (number, pair(label))
        if record.executions or record.events or record.findings:
            self._add_activity(number, record)

    def _version(self, record: JobRecord, term: Callable[[str], int]) -> tuple[Any, ...]:
        return (
            record.spec_sha256,
            term(record.origin),
            term(record.layout),
            term(record.name),
            term(record.type),
            record.priority,
            record.count,
            record.version,
            record.created_at,
            self._attributed(record.attributions).number,
        )

    def _attributed(self, attributions: tuple[Attribution, ...]) -> _Attributed:
        """Number a set of attributions.

        Few sets recur from job to job, and parse gives the same object for them.
        """
        known = self._attributed_by.get(id(attributions))
        if known is None:
            rules, identities = self._rules, self._identities
            members = frozenset(
                (rules[(a.role, a.basis, a.trust, a.verdict)], identities[a.value])
                for a in attributions
            )
            known = _Attributed(attributions, self._sets[members])
            self._attributed_by[id(attributions)] = known
        return known

    def _add_meta(self, number: int, record: JobRecord, term: Callable[[str], int]) -> None:
        batch, pair = self._batch, self._pairs.__getitem__
        if record.meta:
            batch.levels += (number, 0, len(record.meta))
            batch.meta += map(pair, record.meta.items())
        for task_no, task in enumerate(record.tasks, 1):
            batch.tasks += (number, task_no)
            batch.tasks += (term(task.name), term(task.engine), term(task.publisher))
            if task.meta:
                batch.levels += (number, task_no, len(task.meta))
                batch.meta += map(pair, task.meta.items())

    def _add_activity(self, number: int, record: JobRecord) -> None:
        batch, identity = self._batch, self._identities.__getitem__
        for position, e in enumerate(record.executions, 1):
            row = (number, position, e.execution_id, identity(e.node_id), e.state)
            batch.executions.append((*row, e.desired_state, e.message, e.created_at, e.modified_at))
        for position, v in enumerate(record.events, 1):
            row = (number, position, v.time, v.kind, v.execution_id)  # type: ignore[assignment]
            batch.events.append((*row, identity(v.node_id), v.state, v.message))
        for position, f in enumerate(record.findings, 1):
            row_of = (number, position, f.code, FINDINGS[f.code].severity, f.detail)
            batch.findings.append(row_of)

    def finish(self) -> Batch:
        batch = self._batch
        batch.accepted = Accepted(*zip(*self._accepted, strict=True))
        uses, term = Numbering(), self._terms.__getitem__
        batch.use_sets = [
            [(use.task_no, uses[use.kind, use.type, use.value, use.target]) for use in members]
            for members in self._use_sets
        ]
        batch.uses = [(kind, *map(term, texts)) for kind, *texts in uses]
        batch.terms, batch.pairs = list(self._terms), list(self._pairs)
        batch.identities, batch.rules = list(self._identities), list(self._rules)
        batch.attribution_sets = [list(members) for members in self._sets]
        return batch
