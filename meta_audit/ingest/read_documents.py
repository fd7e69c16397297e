"""Take documents that were read on another machine, and trust it as little as possible.

Hashes, ledger entries and rows are computed here, from the bytes and the `JobRecord` of each
document. Whether a record says what its document says, only parsing tells: `verify --deep`.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, ValidationError, msgpack

from meta_audit.catalogue import FINDINGS, REASONS
from meta_audit.ingest.build import Offered, build, sha256_of
from meta_audit.ingest.segment_file import broken
from meta_audit.model import MAX_DOCUMENT_BYTES, Document, JobRecord, Rejection
from meta_audit.nul import MAX_NAME, NUL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meta_audit.record.batch import Batch

_MOST: Final = 2**63 - 1
_SHA256_BYTES: Final = 32


class ReadDocument(Struct, frozen=True, array_like=True, gc=False):
    """A document, and what it says."""

    source: int
    """Number of the source in its segment."""
    document: Document | Rejection
    record: JobRecord | None
    """None for a rejection."""


class ReadDocuments(Struct, frozen=True):
    """Documents of one transaction, as a segment brings them."""

    segment: str
    """Its name, for errors."""
    packed: bytes
    """`ReadDocument`s in MessagePack."""
    sources: dict[int, tuple[int, str]]
    """Number in the run and name of each source, by its number in the segment."""

    def offered(self) -> list[Offered]:
        """Unpack the documents. Raises `SourceError` (`segment.broken`)."""
        try:
            return [self._offered(one) for one in self._unpacked()]
        except ValueError as error:  # msgspec's are such, and those of texts that are not UTF-8
            raise broken(self.segment, error) from error

    def build(self, dictionary: bytes, *, training_bytes: int) -> Batch:
        """Flatten the documents to a batch. Raises `SourceError` (`segment.broken`)."""
        batch = build(self.offered(), dictionary, training_bytes=training_bytes)
        try:
            _check(batch)
        except ValidationError as error:
            raise broken(self.segment, error) from error
        return batch

    def _unpacked(self) -> list[ReadDocument]:
        return msgpack.decode(self.packed, type=list[ReadDocument])

    def _offered(self, one: ReadDocument) -> Offered:
        document, record = one.document, one.record
        if one.source not in self.sources:
            raise ValidationError("a document of a source that it does not name")
        if len(document.content) > MAX_DOCUMENT_BYTES:
            raise ValidationError("a document above the limit")
        if isinstance(document, Rejection):
            _check_rejection(document)
        if (record is None) != isinstance(document, Rejection):
            raise ValidationError("a document without a record, or a rejection with one")
        if record is not None:
            _check_record(record)
        number, uri = self.sources[one.source]
        return Offered(document, sha256_of(document), number, uri, record=record)


def _check_record(record: JobRecord) -> None:
    if len(record.spec_sha256) != (0 if record.origin == "activity" else _SHA256_BYTES):
        raise ValidationError("a record whose spec has no SHA-256")
    for finding in record.findings:
        if finding.code not in FINDINGS:
            raise ValidationError("an unknown finding")


def _check_rejection(rejection: Rejection) -> None:
    is_whole = len(rejection.content) == rejection.size
    if is_whole and sha256(rejection.content).digest() != rejection.sha256:
        raise ValidationError("a rejected document does not have the SHA-256 that is stated")
    if len(rejection.sha256) != _SHA256_BYTES or rejection.reason not in REASONS:
        raise ValidationError("a rejection with an unknown reason or without SHA-256")


def _check(batch: Batch) -> None:
    """Check that every engine can store the values. Documents that parse read are always so."""
    a = batch.accepted
    rejections = [one.rejection for one in batch.rejected]
    names = chain(a.job_id, map(batch.terms.__getitem__, set(a.namespace)))
    if any(len(name) > MAX_NAME for name in names):
        raise ValidationError("an ID or namespace that is too long")
    counted = chain(a.ordinal, a.line, *((r.ordinal, r.line, r.size) for r in rejections))
    numbers = chain(a.priority, a.count, a.version, a.created_at, a.revision, a.modified_at)
    members = chain.from_iterable(chain.from_iterable(batch.use_sets))
    rows = [*chain.from_iterable(chain(batch.executions, batch.events, batch.findings))]
    told = [*numbers, *members, *rows]
    if not all(0 <= n <= _MOST for n in counted):
        raise ValidationError("a place or size out of range")
    if not all(-_MOST <= n <= _MOST for n in _of(int, told)):
        raise ValidationError("a number out of range")
    texts = chain(batch.terms, *batch.pairs, batch.identities, *batch.rules, a.job_id)
    said = chain(texts, _of(str, rows), (r.message for r in rejections))
    if NUL in "".join(said):
        raise ValidationError("a text with NUL")


def _of(type_: type[Any], values: Iterable[Any]) -> Iterator[Any]:
    return (value for value in values if value.__class__ is type_)


def build_read(documents: ReadDocuments, dictionary: bytes) -> bytes:
    """Build a batch in another process: give what `build.unpack` takes."""
    return msgpack.encode(documents.build(dictionary, training_bytes=0))
