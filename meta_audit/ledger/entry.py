"""The canonical entry of a document: its hash and every row derived from it, as bytes.

An entry is one MessagePack array of the fields of `AcceptedEntry`, `UsingEntry` or
`RejectedEntry`, in their order, behind a tag that names kind and version. Allowed are nil, int,
str, bin and array, each in its shortest form: strings, binaries and arrays carry their length in
front and there is one way to write each value. `docs/ledger.md` specifies it byte by byte. **The
order of the fields is the format: a change of them needs a new tag.**
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from msgspec import DecodeError, Struct, msgpack
from msgspec.structs import replace

from meta_audit.errors import LedgerError
from meta_audit.ledger.merkle import HASH_BYTES
from meta_audit.model import (
    Attribution,
    Event,
    Execution,
    Finding,
    Format,
    JobRecord,
    Origin,
    Rejection,
    Role,
    Task,
    Trust,
    Use,
    Verdict,
)
from meta_audit.typed import built

HASH: Final = "sha256"
"""Tag of the hash algorithm of every digest of an entry."""

Pairs = Sequence[tuple[str, str]]
"""Keys and values, ascending by the UTF-8 bytes of the key."""


class AcceptedEntry(
    Struct,
    frozen=True,
    array_like=True,
    forbid_unknown_fields=True,
    tag_field="form",
    tag="meta-audit/accepted/1",
):
    """An accepted document. Times are nanoseconds since 1970-01-01 UTC or nil."""

    hash: str
    document: bytes
    source_uri: str
    ordinal: int
    line: int
    job_id: str
    namespace: str
    origin: Origin
    layout: str
    spec_sha256: bytes
    """Empty with `origin` `activity`."""
    name: str
    type: str
    priority: int
    count: int
    version: int
    created_at: int | None
    meta: Pairs
    labels: Pairs
    tasks: Sequence[tuple[str, str, str, Pairs]]
    """Name, engine, publisher, Meta; in document order, as all rows but attributions."""
    attributions: Sequence[tuple[Role, str, str, Trust, Verdict]]
    """Role, value, basis, trust, verdict. A set: each once, ascending by UTF-8 bytes."""
    state: str
    state_message: str
    revision: int
    modified_at: int | None
    executions: Sequence[tuple[str, str, str, str, str, int | None, int | None]]
    """Execution ID, node ID, state, desired state, message, created, modified."""
    events: Sequence[tuple[int | None, str, str, str, str, str]]
    """Time, kind, execution ID, node ID, state, message."""
    findings: Sequence[tuple[str, str]]
    """Code, detail."""

    @property
    def used(self) -> Sequence[Use]:
        """The uses of the document: none in this form."""
        return ()

    def record(self) -> JobRecord:
        """Give back the record that the entry was made from, its attributions in order."""
        return JobRecord(
            origin=self.origin,
            layout=self.layout,
            job_id=self.job_id,
            namespace=self.namespace,
            spec_sha256=self.spec_sha256,
            name=self.name,
            type=self.type,
            priority=self.priority,
            count=self.count,
            version=self.version,
            created_at=self.created_at,
            meta=dict(self.meta),
            labels=dict(self.labels),
            tasks=tuple(Task(a, b, c, dict(meta)) for a, b, c, meta in self.tasks),
            attributions=tuple(Attribution(*row) for row in self.attributions),
            state=self.state,
            state_message=self.state_message,
            revision=self.revision,
            modified_at=self.modified_at,
            executions=tuple(Execution(*row) for row in self.executions),
            events=tuple(Event(*row) for row in self.events),
            findings=tuple(Finding(*row) for row in self.findings),
            uses=tuple(self.used),
        )


class UsingEntry(AcceptedEntry, frozen=True, tag="meta-audit/accepted/2"):
    """An accepted document that says what its job uses."""

    uses: Sequence[Use]

    @property
    def used(self) -> Sequence[Use]:
        """The uses of the document."""
        return self.uses


class RejectedEntry(
    Struct,
    frozen=True,
    array_like=True,
    forbid_unknown_fields=True,
    tag_field="form",
    tag="meta-audit/rejected/1",
):
    """A document that was not taken."""

    hash: str
    document: bytes
    source_uri: str
    ordinal: int
    line: int
    reason: str
    message: str
    size: int
    """Bytes of the whole document."""
    kept: bytes | None
    """Digest of the bytes kept when they are not the whole document, else nil."""
    format: Format


Entry = AcceptedEntry | UsingEntry | RejectedEntry

_encode = msgpack.Encoder().encode
_DECODER: Final[msgpack.Decoder[Entry]] = msgpack.Decoder(built(Entry))


def encode_entry(entry: Entry) -> bytes:
    """Write an entry."""
    return _encode(entry)


def entry_of(*fields: Any, uses: Sequence[Use]) -> AcceptedEntry:
    """Return the entry of the form that an accepted document takes: without uses, the older one."""
    return UsingEntry(*(*fields, uses)) if uses else AcceptedEntry(*fields)


def accepted_entry(
    document_sha256: bytes, record: JobRecord, source_uri: str, ordinal: int, line: int
) -> bytes:
    """Write the entry of an accepted document.

    Without `spec_sha256` there is no version, and so there are no rows for the fields of one:
    they are written empty.
    """
    if not record.spec_sha256:
        record = _activity(record)
    # Strings compare by code point, which is the order of their UTF-8 bytes (RFC 3629 §1).
    return _encode(
        entry_of(
            HASH,
            document_sha256,
            source_uri,
            ordinal,
            line,
            record.job_id,
            record.namespace,
            record.origin,
            record.layout,
            record.spec_sha256,
            record.name,
            record.type,
            record.priority,
            record.count,
            record.version,
            record.created_at,
            sorted(record.meta.items()),
            sorted(record.labels.items()),
            [(t.name, t.engine, t.publisher, sorted(t.meta.items())) for t in record.tasks],
            sorted({(a.role, a.value, a.basis, a.trust, a.verdict) for a in record.attributions}),
            record.state,
            record.state_message,
            record.revision,
            record.modified_at,
            [
                (
                    e.execution_id,
                    e.node_id,
                    e.state,
                    e.desired_state,
                    e.message,
                    e.created_at,
                    e.modified_at,
                )
                for e in record.executions
            ],
            [
                (e.time, e.kind, e.execution_id, e.node_id, e.state, e.message)
                for e in record.events
            ],
            [(f.code, f.detail) for f in record.findings],
            uses=record.uses,
        )
    )


def entry_like(entry: AcceptedEntry, record: JobRecord) -> bytes:
    """Write what a document says now as the entry that it has, in its form.

    The older form has no uses: a document that is of that form need not have had none.
    """
    if not isinstance(entry, UsingEntry):
        record = replace(record, uses=())
    where = entry.source_uri, entry.ordinal, entry.line
    return accepted_entry(entry.document, record, *where)


def _activity(record: JobRecord) -> JobRecord:
    return JobRecord(
        origin="activity",
        layout="",
        job_id=record.job_id,
        namespace=record.namespace,
        spec_sha256=b"",
        state=record.state,
        state_message=record.state_message,
        revision=record.revision,
        modified_at=record.modified_at,
        executions=record.executions,
        events=record.events,
        findings=record.findings,
        uses=record.uses,
    )


def rejected_entry(rejection: Rejection, source_uri: str) -> bytes:
    """Write the entry of a rejection.

    Of a document that was kept only in part, whose own hash can no longer be checked, it
    covers the part as well.
    """
    whole = len(rejection.content) == rejection.size
    return _encode(
        RejectedEntry(
            HASH,
            rejection.sha256,
            source_uri,
            rejection.ordinal,
            rejection.line,
            rejection.reason,
            rejection.message,
            rejection.size,
            None if whole else sha256(rejection.content).digest(),
            rejection.format,
        )
    )


def decode_entry(data: bytes) -> Entry:
    """Read an entry, strictly: raises `LedgerError` unless `data` is its one canonical form."""
    try:
        entry = _DECODER.decode(data)
        again = _encode_again(entry)
    except (DecodeError, UnicodeError, RecursionError) as error:
        raise LedgerError(f"the entry is not of a known form: {error}") from error
    if again != data:
        raise LedgerError("the entry is not canonical: its values have another form")
    digests = [entry.document]
    if isinstance(entry, RejectedEntry):
        digests += [entry.kept] if entry.kept is not None else []
    elif entry.spec_sha256 or entry.origin != "activity":
        digests.append(entry.spec_sha256)
    if entry.hash != HASH or any(len(digest) != HASH_BYTES for digest in digests):
        raise LedgerError(f"the entry's digests are not {HASH}")
    return entry


def _encode_again(entry: Entry) -> bytes:
    if isinstance(entry, RejectedEntry):
        return _encode(entry)
    where = entry.source_uri, entry.ordinal, entry.line
    return accepted_entry(entry.document, entry.record(), *where)
