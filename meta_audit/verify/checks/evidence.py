"""Check documents and rejections of a range of entries: bytes, hashes, places."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from meta_audit.ledger.entry import rejected_entry
from meta_audit.ledger.merkle import leaf_hash
from meta_audit.model import Rejection
from meta_audit.verify.guard import UNREADABLE, go_on_after, octets, said
from meta_audit.verify.outcome import Check
from meta_audit.verify.unpacking import DamagedFrameError, Frames

if TYPE_CHECKING:
    from meta_audit.verify.work import Work

_DOCUMENTS: Final = """
    SELECT document_id, sha256, size, dictionary_id, content FROM documents
    WHERE document_id >= ? AND document_id < ? ORDER BY document_id"""
_REJECTIONS: Final = """
    SELECT r.rejection_id, r.source_id, r.ordinal, r.line, r.reason, r.message, r.format,
        r.sha256, r.size, r.content, e.leaf_hash, e.source_id
    FROM rejections r LEFT JOIN ledger_entries e ON e.entry_index = r.rejection_id
    WHERE r.rejection_id >= ? AND r.rejection_id < ? ORDER BY r.rejection_id"""


def check_documents(work: Work, low: int, high: int) -> None:
    """Check the entries from `low` to below `high`; beyond the ledger there may be none."""
    documents = work.session.query(_DOCUMENTS, low, high)
    rejections = work.session.query(_REJECTIONS, low, high)
    work.values.need_uris([row[1] for row in rejections])
    frames = Frames(work.session)
    found = set()
    for row in documents:
        found.add(row[0])
        try:
            _check_accepted(work, frames, row)
        except UNREADABLE as error:
            _damage(work, row[0], f"the row of the document: {said(error)}")
            go_on_after(error, work.session)
    for row in rejections:
        try:
            _check_rejection(work, frames, row)
        except UNREADABLE as error:
            _damage(work, row[0], f"the row of the rejection: {said(error)}")
            go_on_after(error, work.session)
        if row[0] in found:
            detail = "there are both a document and a rejection"
            work.damages.add(Check.NUMBERS, "added", detail, entry=row[0])
        found.add(row[0])
    for index in sorted(set(range(max(low, 0), min(high, work.entries))) - found):
        detail = "there is neither a document nor a rejection"
        work.damages.add(Check.NUMBERS, "missing", detail, entry=index)


def _damage(work: Work, index: int, detail: str) -> None:
    work.damages.add(Check.BYTES, "bytes", detail, entry=index)


def _check_accepted(work: Work, frames: Frames, row: tuple[Any, ...]) -> None:
    index, digest, size, dictionary_id, frame = row
    if not 0 <= index < len(work.accepted):
        work.damages.add(Check.NUMBERS, "added", "it has no place in the ledger", entry=index)
        return
    work.accepted[index] = 1
    work.compression.add(dictionary_id)
    try:
        content = frames.content(dictionary_id, frame)
    except DamagedFrameError as error:
        _damage(work, index, str(error))
        return
    if sha256(content).digest() != digest or len(content) != size:
        _damage(work, index, "the kept bytes have another hash or size than the row says")


def _check_rejection(work: Work, frames: Frames, row: tuple[Any, ...]) -> None:
    index, source, ordinal, line, reason, message, format_, digest, size, frame, leaf, at = row
    try:
        content = frames.content(0, frame)
    except DamagedFrameError as error:
        _damage(work, index, str(error))
        return
    if len(content) == size and sha256(content).digest() != digest:
        _damage(work, index, "the kept bytes of the rejection have another hash than the row says")
    rejection = Rejection(reason, message, content, ordinal, line, size, octets(digest), format_)
    try:
        entry = rejected_entry(rejection, work.values.uri(source))
    except KeyError as error:
        work.damages.add(Check.ROWS, "missing", f"{error} is not there", entry=index)
        return
    if leaf is None or leaf_hash(entry) != leaf or source != at:
        detail = f"the row of the rejection ({reason}) does not give its leaf"
        work.damages.add(Check.ROWS, "edited", detail, entry=index)
