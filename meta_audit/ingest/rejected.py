"""Offer rejected documents again: as sources of a new import, at their old places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.ingest.build import Offered
from meta_audit.ingest.chunks import Chunk
from meta_audit.model import Document
from meta_audit.record.source_log import SourceBegan, SourceRead
from meta_audit.store.frames import decompress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.store.session import Session

PER_CHUNK: Final = 1_000
_UNRESOLVED: Final = """
    SELECT r.rejection_id, s.uri, r.ordinal, r.line, r.format, r.sha256, r.size, r.content
    FROM rejections r JOIN sources s ON s.source_id = r.source_id
    LEFT JOIN rejection_resolutions x ON x.rejection_id = r.rejection_id
    LEFT JOIN rejection_dismissals y ON y.rejection_id = r.rejection_id
    WHERE x.rejection_id IS NULL AND y.rejection_id IS NULL
        AND r.reason NOT IN ('truncated', 'leading_text')
        AND r.rejection_id > ? AND r.rejection_id <= ?
    ORDER BY r.rejection_id LIMIT ?"""


def rejected_chunks(session: Session) -> Iterator[Chunk]:
    """Yield the open rejections whose bytes are whole: neither resolved nor dismissed."""
    newest = session.query("SELECT coalesce(max(rejection_id), -1) FROM rejections")[0][0]
    last, number = -1, 0
    while rows := session.query(_UNRESOLVED, last, newest, PER_CHUNK):
        last = rows[-1][0]
        chunk = Chunk()
        for _, uri, ordinal, line, format_, sha256, size, frame in rows:
            content = decompress(frame, b"")
            if len(content) != size:
                continue
            if not chunk.offered or chunk.offered[-1].uri != uri:
                number += 1
                chunk.events.append(SourceBegan(number, uri))
            document = Document(content, ordinal, line, format_)
            chunk.offered.append(Offered(document, sha256, number, uri))
            chunk.events.append(SourceRead(number, 1))
        yield chunk
