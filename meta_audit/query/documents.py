"""Read the kept bytes of a document by hash or by job, and check them against their hash."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import zstandard

from meta_audit.errors import NotFoundError, StoreError
from meta_audit.query.identify import identify
from meta_audit.query.rejections import one_rejection
from meta_audit.query.results import REJECTION_FORMAT, Candidates, KeptDocument, RejectionDetail
from meta_audit.schema.newest import NEWEST_DOCUMENTS
from meta_audit.store.frames import decompress

if TYPE_CHECKING:
    from meta_audit.store.session import Session

SHOWN: Final = 20
"""Most hashes listed when the beginning of one fits several."""
_HASH: Final = re.compile(r"[0-9a-fA-F]{8,64}")
_SHORT_HASH: Final = re.compile(r"[0-9a-fA-F]{1,7}")
_HASH_CHARS: Final = 64
_INDEXED_BYTES: Final = 8
"""Bytes of a document's hash that are indexed (schema: ix_documents_sha256)."""

_DOCUMENTS: Final = f"""
    SELECT DISTINCT sha256 FROM documents
    WHERE substr(sha256, 1, {_INDEXED_BYTES}) >= ? AND substr(sha256, 1, {_INDEXED_BYTES}) <= ?
    LIMIT {SHOWN + 1}"""  # noqa: S608
_REJECTIONS: Final = f"""
    SELECT DISTINCT sha256 FROM rejections WHERE sha256 >= ? AND sha256 <= ?
    LIMIT {SHOWN + 1}"""  # noqa: S608
_DOCUMENT: Final = """
    SELECT d.sha256, d.size, d.content, c.content
    FROM documents d
    LEFT JOIN compression_dictionaries c ON c.dictionary_id = d.dictionary_id
    WHERE """
_BY_HASH: Final = (
    f"{_DOCUMENT} substr(d.sha256, 1, {_INDEXED_BYTES}) = substr(?, 1, {_INDEXED_BYTES})"
    " AND d.sha256 = ?"
)
_BY_NUMBER: Final = f"{_DOCUMENT} d.document_id = ?"
_REJECTED: Final = """
    SELECT sha256, size, content, reason FROM rejections WHERE sha256 = ?
    ORDER BY length(content) DESC, rejection_id LIMIT 1"""
_REJECTION: Final = """
    SELECT sha256, size, content, reason FROM rejections WHERE rejection_id = ?"""


def kept_document(
    session: Session, what: str, namespace: str | None = None
) -> KeptDocument | Candidates:
    """Return a document by its SHA-256 or at least 8 digits of it, or the newest one of a job.

    A hash may be that of a rejected document. `identify` says how a job is named. Raises
    `NotFoundError`, also if several documents, or a document and a job, fit; `StoreError`
    if the document has changed since it was kept.
    """
    hashes = _hashes(session, what.lower()) if _HASH.fullmatch(what) else []
    if hashes and len(what) == _HASH_CHARS:
        return _by_hash(session, hashes[0])
    job = None
    try:
        job = identify(session, what, namespace)
    except NotFoundError as error:
        if not hashes:
            raise _no_document(what, error) from error
    if len(hashes) > 1 or (hashes and job):
        raise _ambiguous(what, hashes, with_job=job is not None)
    if job is None:
        return _by_hash(session, hashes[0])
    if isinstance(job, Candidates):
        return job
    keys = job.job_key, job.activity_key
    _, newest = session.query(f"{NEWEST_DOCUMENTS} LIMIT 1", *keys, job.job_key)[0]
    return document_of_entry(session, newest)


def document_of_entry(session: Session, entry_index: int) -> KeptDocument:
    """Return the kept bytes of an accepted document. Raises `StoreError`."""
    return _accepted(session.query(_BY_NUMBER, entry_index)[0])


def rejected_document(session: Session, rejection_id: int) -> KeptDocument:
    """Return the kept bytes of a rejection. Raises `NotFoundError`, `StoreError`."""
    found = session.query(_REJECTION, rejection_id)
    if not found:
        raise NotFoundError(
            f"there is no rejection {rejection_id}",
            advice="`meta-audit rejections list --all` lists them.",
        )
    return _rejected(found[0])


def rejection_detail(session: Session, rejection_id: int) -> RejectionDetail:
    """Return a rejection with its kept bytes. Raises `NotFoundError`, `StoreError`."""
    rejection = one_rejection(session, rejection_id)
    content = rejected_document(session, rejection_id).content
    return RejectionDetail(REJECTION_FORMAT, rejection, content)


def _hashes(session: Session, beginning: str) -> list[bytes]:
    low, high = (bytes.fromhex(beginning.ljust(_HASH_CHARS, end)) for end in "0f")
    found = session.query(_DOCUMENTS, low[:_INDEXED_BYTES], high[:_INDEXED_BYTES])
    found = [*found, *session.query(_REJECTIONS, low, high)]
    return sorted({bytes(row[0]) for row in found if low <= bytes(row[0]) <= high})


def _by_hash(session: Session, digest: bytes) -> KeptDocument:
    found = session.query(_BY_HASH, digest, digest)
    return _accepted(found[0]) if found else _rejected(session.query(_REJECTED, digest)[0])


def _accepted(row: Any) -> KeptDocument:
    digest, size, frame, dictionary = row
    return KeptDocument(bytes(digest).hex(), size, _checked(digest, size, frame, dictionary), "")


def _rejected(row: Any) -> KeptDocument:
    digest, size, frame, reason = row
    return KeptDocument(bytes(digest).hex(), size, _checked(digest, size, frame, None), reason)


def _checked(digest: bytes, size: int, frame: bytes, dictionary: bytes | None) -> bytes:
    """Return the bytes of a frame, checked against the hash.

    A rejection that was too large has fewer than `size` bytes, and cannot be checked.
    """
    try:
        content = decompress(bytes(frame), bytes(dictionary or b""))
    except zstandard.ZstdError as error:
        raise _damaged(digest, str(error)) from error
    if len(content) >= size and sha256(content).digest() != bytes(digest):
        raise _damaged(digest, "its bytes have another hash")
    return content


def _damaged(digest: bytes, why: str) -> StoreError:
    return StoreError(
        f"the document {bytes(digest).hex()} is damaged in the store: {why}",
        advice="Restore the store from a backup, and find out who or what changed it.",
    )


def _no_document(what: str, error: NotFoundError) -> NotFoundError:
    """Add to the error about a job that no document has this hash either."""
    if _SHORT_HASH.fullmatch(what):
        return NotFoundError(f"{error}. A SHA-256 needs 8 digits or more", advice=error.advice)
    if _HASH.fullmatch(what):
        return NotFoundError(
            f"no document has the SHA-256 {what}, and {error}", advice=error.advice
        )
    return error


def _ambiguous(what: str, hashes: list[bytes], *, with_job: bool) -> NotFoundError:
    shown = [digest.hex() for digest in hashes[:SHOWN]]
    shown += ["more of them"] if len(hashes) > SHOWN else []
    also = " and a job" if with_job else ""
    return NotFoundError(
        f"{what} fits several: documents {', '.join(shown)}{also}",
        advice="Give more digits of the hash, or the whole ID of the job.",
    )
