"""Documents and rejections of a range of entries: their bytes, their hashes, their places."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import zstandard

from meta_audit.ledger.entry import rejected_entry
from meta_audit.ledger.merkle import leaf_hash
from meta_audit.model import MAX_DOCUMENT_BYTES, Rejection
from meta_audit.verify.report import Check

if TYPE_CHECKING:
    from collections.abc import Callable

    from meta_audit.store.session import Session
    from meta_audit.verify.work import Work

_DOCUMENTS: Final = """
    SELECT document_id, sha256, size, dictionary_id, content FROM documents
    WHERE document_id >= ? AND document_id < ? ORDER BY document_id"""
_REJECTIONS: Final = """
    SELECT r.rejection_id, r.source_id, r.ordinal, r.line, r.reason, r.message, r.format,
        r.sha256, r.size, r.content, e.leaf_hash, e.source_id
    FROM rejections r LEFT JOIN ledger_entries e ON e.entry_index = r.rejection_id
    WHERE r.rejection_id >= ? AND r.rejection_id < ? ORDER BY r.rejection_id"""
_UNUSED_BITS: Final = 0x18
"""Of a zstd frame's descriptor (RFC 8878 §3.1.1.1.1): a decoder need not look at them."""
_DESCRIPTOR: Final = 4


class DamagedFrameError(Exception):
    """A frame that does not hold a document."""


class Frames:
    """Takes documents out of their frames, strictly."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._decompress: dict[int, Callable[..., bytes]] = {}

    def content(self, dictionary_id: int, frame: bytes) -> bytes:
        """The bytes of one whole frame and nothing behind it. Raises `DamagedFrameError`."""
        try:
            decompress = self._decompress.get(dictionary_id) or self._load(dictionary_id)
            size = zstandard.frame_content_size(frame)
            if not 0 <= size <= MAX_DOCUMENT_BYTES or frame[_DESCRIPTOR] & _UNUSED_BITS:
                raise DamagedFrameError("its frame has a header that was never written")
            return decompress(frame, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise DamagedFrameError(f"its frame is damaged: {error}") from error

    def _load(self, dictionary_id: int) -> Callable[..., bytes]:
        loaded = None
        if dictionary_id:
            rows = self._session.query(
                "SELECT content FROM compression_dictionaries WHERE dictionary_id = ?",
                dictionary_id,
            )
            if not rows:
                raise DamagedFrameError(f"compression dictionary {dictionary_id} is not there")
            loaded = zstandard.ZstdCompressionDict(rows[0][0])
        made = self._decompress[dictionary_id] = zstandard.ZstdDecompressor(
            dict_data=loaded
        ).decompress
        return made


def content_of(session: Session, document_id: int) -> bytes | None:
    """The kept bytes of a document, None where they cannot be had."""
    sql = "SELECT dictionary_id, content FROM documents WHERE document_id = ?"
    rows = session.query(sql, document_id)
    try:
        return Frames(session).content(rows[0][0], bytes(rows[0][1])) if rows else None
    except DamagedFrameError:
        return None


def check_documents(work: Work, low: int, high: int) -> None:
    """Check the entries from `low` to below `high`; beyond the ledger there may be none."""
    frames = Frames(work.session)
    found = _check_accepted(work, frames, low, high)
    rejections = work.session.query(_REJECTIONS, low, high)
    for row in rejections:
        _check_rejection(work, frames, row)
        if row[0] in found:
            detail = "there are both a document and a rejection"
            work.damages.add(Check.NUMBERS, "added", detail, entry=row[0])
        found.add(row[0])
    for index in sorted(set(range(max(low, 0), min(high, work.entries))) - found):
        detail = "there is neither a document nor a rejection"
        work.damages.add(Check.NUMBERS, "missing", detail, entry=index)


def _check_accepted(work: Work, frames: Frames, low: int, high: int) -> set[int]:
    found, accepted, content_in = set(), work.accepted, frames.content
    for index, digest, size, dictionary_id, frame in work.session.query(_DOCUMENTS, low, high):
        found.add(index)
        work.compression.add(dictionary_id)
        if not 0 <= index < len(accepted):
            work.damages.add(Check.NUMBERS, "added", "it has no place in the ledger", entry=index)
            continue
        accepted[index] = 1
        try:
            content = content_in(dictionary_id, frame)
        except DamagedFrameError as error:
            work.damages.add(Check.BYTES, "bytes", str(error), entry=index)
            continue
        if sha256(content).digest() != digest or len(content) != size:
            detail = "the kept bytes have another hash or size than the row says"
            work.damages.add(Check.BYTES, "bytes", detail, entry=index)
    return found


def _check_rejection(work: Work, frames: Frames, row: tuple[Any, ...]) -> None:
    index, source, ordinal, line, reason, message, format_, digest, size, frame, leaf, at = row
    try:
        content = frames.content(0, frame)
    except DamagedFrameError as error:
        work.damages.add(Check.BYTES, "bytes", str(error), entry=index)
        return
    if len(content) == size and sha256(content).digest() != digest:
        detail = "the kept bytes of the rejection have another hash than the row says"
        work.damages.add(Check.BYTES, "bytes", detail, entry=index)
    rejection = Rejection(reason, message, content, ordinal, line, size, bytes(digest), format_)
    try:
        entry = rejected_entry(rejection, work.uri(source))
    except KeyError as error:
        work.damages.add(Check.ROWS, "missing", f"{error} is not there", entry=index)
        return
    if leaf is None or leaf_hash(entry) != leaf or source != at:
        detail = f"the row of the rejection ({reason}) does not give its leaf"
        work.damages.add(Check.ROWS, "edited", detail, entry=index)
