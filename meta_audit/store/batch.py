"""Documents turned into columns: the work that needs no store.

A `Batch` is plain lists, so that it can be built in another process. It refers to pairs,
identities and rules by numbers of its own; the writer maps these to the store's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from meta_audit.catalogue import FINDINGS
from meta_audit.decode import decode
from meta_audit.errors import RejectedError
from meta_audit.ledger.entry import accepted_entry, rejected_entry
from meta_audit.ledger.merkle import leaf_hash
from meta_audit.model import Document, JobRecord, Rejection
from meta_audit.parse import parse
from meta_audit.store.evidence import Compressor, train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Pair = tuple[str, str]
Rule = tuple[str, str, str, str]


class Numbering(dict):  # type: ignore[type-arg]
    """Gives every new key the next number, from 0."""

    def __missing__(self, key: object) -> int:
        self[key] = number = len(self)
        return number


class Version(NamedTuple):
    """The columns of job_versions after version_no. Numbers of terms refer to the batch."""

    spec_sha256: bytes
    origin: int
    layout: int
    name: int
    type: int
    priority: int
    count_: int
    version: int
    created_at: int | None
    attribution_set: int


@dataclass(slots=True)
class Accepted:
    """One accepted document, ready to be written. Numbers refer to its batch."""

    place: int
    """Place in the batch, rejected documents counted too."""
    source: int
    """Number of the source in the run."""
    sha256: bytes
    size: int
    content: bytes
    leaf_hash: bytes
    ordinal: int
    line: int
    job: tuple[str, int]
    """Job ID, and the term of its namespace."""
    version: Version | None
    """None for executions and events alone."""
    tasks: list[tuple[int, int, int]]
    """Terms: name, engine, publisher."""
    meta: list[tuple[int, list[int]]]
    """Task number (0: job), numbers of pairs."""
    searchable: list[int]
    """Numbers of the pairs that `pair_jobs` shall find."""
    labels: list[int]
    observation: tuple[int, int, int, int | None]
    """Terms: state, message; revision, modified_at."""
    executions: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]
    findings: tuple[tuple[str, str, str], ...]


@dataclass(slots=True)
class Rejected:
    """One rejected document, ready to be written."""

    place: int
    source: int
    rejection: Rejection
    content: bytes
    leaf_hash: bytes


@dataclass(slots=True)
class Batch:
    """What a run of documents brings."""

    dictionary: bytes
    accepted: list[Accepted] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    attribution_sets: list[list[tuple[int, int]]] = field(default_factory=list)
    """Numbers of rule and identity."""


def reject(document: Document, error: RejectedError, digest: bytes) -> Rejection:
    """The value that keeps a document which could not be taken."""
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


@dataclass(slots=True)
class Offered:
    """One document as a source offers it."""

    document: Document | Rejection
    sha256: bytes
    source: int
    """Number of the source in the run."""
    uri: str


def build(offered: Sequence[Offered], dictionary: bytes, *, coerce_scalars: bool) -> Batch:
    """Decode, parse and flatten documents.

    Without a dictionary one is trained, if the documents are worth it.
    """
    batch = Batch(dictionary or train([o.document.content for o in offered]))
    compress = Compressor(batch.dictionary).compress
    compress_alone = Compressor(b"").compress
    numbers = _Numbers()
    term, identity = numbers.terms.__getitem__, numbers.identities.__getitem__
    for place, offer in enumerate(offered):
        document, digest = offer.document, offer.sha256
        if isinstance(document, Rejection):
            batch.rejected.append(_rejected(document, place, offer, compress_alone))
            continue
        try:
            value = decode(document.content, document.format)
            record = parse(value, document.content, coerce_scalars=coerce_scalars)
        except RejectedError as error:
            rejection = reject(document, error, digest)
            batch.rejected.append(_rejected(rejection, place, offer, compress_alone))
            continue
        entry = accepted_entry(digest, record, offer.uri, document.ordinal, document.line)
        batch.accepted.append(
            Accepted(
                place=place,
                source=offer.source,
                sha256=digest,
                size=len(document.content),
                content=compress(document.content),
                leaf_hash=leaf_hash(entry),
                ordinal=document.ordinal,
                line=document.line,
                job=(record.job_id, term(record.namespace)),
                version=_version(record, numbers),
                tasks=[(term(t.name), term(t.engine), term(t.publisher)) for t in record.tasks],
                meta=_meta(record, numbers.pairs),
                searchable=_searchable(record, numbers.pairs),
                labels=[numbers.pairs[pair] for pair in record.labels.items()],
                observation=(
                    term(record.state),
                    term(record.state_message),
                    record.revision,
                    record.modified_at,
                ),
                executions=[
                    (
                        e.execution_id,
                        identity(e.node_id),
                        e.state,
                        e.desired_state,
                        e.message,
                        e.created_at,
                        e.modified_at,
                    )
                    for e in record.executions
                ],
                events=[
                    (e.time, e.kind, e.execution_id, identity(e.node_id), e.state, e.message)
                    for e in record.events
                ],
                findings=tuple(
                    [(f.code, FINDINGS[f.code].severity, f.detail) for f in record.findings]
                ),
            )
        )
    batch.pairs, batch.identities = list(numbers.pairs), list(numbers.identities)
    batch.terms, batch.rules = list(numbers.terms), list(numbers.rules)
    batch.attribution_sets = [list(members) for members in numbers.attribution_sets]
    return batch


def sha256_of(document: Document | Rejection) -> bytes:
    """SHA-256 of a document's bytes; a rejection brings its own."""
    if isinstance(document, Rejection):
        return document.sha256
    return sha256(document.content).digest()


def _rejected(
    rejection: Rejection, place: int, offer: Offered, compress: Callable[[bytes], bytes]
) -> Rejected:
    leaf = leaf_hash(rejected_entry(rejection, offer.uri))
    return Rejected(place, offer.source, rejection, compress(rejection.content), leaf)


class _Numbers:
    """The numbers that a batch gives."""

    def __init__(self) -> None:
        self.pairs = Numbering()
        self.identities = Numbering()
        self.terms = Numbering()
        self.rules = Numbering()
        self.attribution_sets = Numbering()


def _version(record: JobRecord, numbers: _Numbers) -> Version | None:
    if not record.spec_sha256:
        return None
    term = numbers.terms.__getitem__
    members = frozenset(
        [
            (numbers.rules[(a.role, a.basis, a.trust, a.verdict)], numbers.identities[a.value])
            for a in record.attributions
        ]
    )
    return Version(
        record.spec_sha256,
        term(record.origin),
        term(record.layout),
        term(record.name),
        term(record.type),
        record.priority,
        record.count,
        record.version,
        record.created_at,
        numbers.attribution_sets[members],
    )


def _meta(record: JobRecord, pairs: Numbering) -> list[tuple[int, list[int]]]:
    number = pairs.__getitem__
    levels = [(0, list(map(number, record.meta.items())))] if record.meta else []
    for task_no, task in enumerate(record.tasks, 1):
        if task.meta:
            levels.append((task_no, list(map(number, task.meta.items()))))
    return levels


def _searchable(record: JobRecord, pairs: Numbering) -> list[int]:
    """Pairs of every level, without those that attribution sets find."""
    attributed = {a.basis[5:] for a in record.attributions if a.basis.startswith("meta:")}
    found = {pairs[pair] for pair in record.meta.items() if pair[0] not in attributed}
    for task in record.tasks:
        found.update(map(pairs.__getitem__, task.meta.items()))
    return list(found)
