"""Offer kept documents again, each with the entry that the ledger has of it.

Documents are read in job order: `observations`, which holds their places, is keyed by job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.ingest.build import Offered
from meta_audit.ingest.chunks import Chunk
from meta_audit.model import Document
from meta_audit.record.source_log import SourceBegan, SourceEnded, SourceRead
from meta_audit.store.frames import decompress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.ingest.options import Limits
    from meta_audit.store.session import Session

_LIVE: Final = """
    SELECT o.job_key, o.document_id, o.ordinal, o.line, d.sha256, d.dictionary_id, d.content,
        e.leaf_hash, s.uri
    FROM observations o
    JOIN documents d ON d.document_id = o.document_id
    JOIN ledger_entries e ON e.entry_index = o.document_id
    JOIN sources s ON s.source_id = e.source_id
    WHERE (o.job_key, o.document_id) > (?, ?) AND o.document_id <= ? AND NOT EXISTS (
        SELECT 1 FROM readings q WHERE q.supersedes = o.document_id)
    ORDER BY o.job_key, o.document_id LIMIT ?"""


def kept_chunks(session: Session, limits: Limits) -> Iterator[Chunk]:
    """Yield every live document that is in the store now."""
    newest = session.value("SELECT coalesce(max(document_id), -1) FROM documents")
    dictionaries = {0: b""}
    sql = "SELECT dictionary_id, content FROM compression_dictionaries"
    dictionaries.update({number: bytes(content) for number, content in session.query(sql)})
    at, number = (-1, -1), 0
    counted: set[str] = set()
    while rows := session.query(_LIVE, *at, newest, limits.first_chunk_documents):
        at = rows[-1][:2]
        chunk = Chunk(is_full=True)
        numbers: dict[str, int] = {}
        for key, index, ordinal, line, sha256, dictionary, frame, leaf, uri in rows:
            if uri not in numbers:
                number += 1
                numbers[uri] = number
                chunk.events.append(SourceBegan(number, uri, is_counted=uri not in counted))
                counted.add(uri)
            content = decompress(bytes(frame), dictionaries[dictionary])
            # The format is not kept: whoever reads it tries both.
            document = Document(content, ordinal, line, "json")
            chunk.offered.append(
                Offered(document, bytes(sha256), numbers[uri], uri, index, bytes(leaf))
            )
            chunk.job_keys.append(key)
            chunk.events.append(SourceRead(numbers[uri], 1))
        chunk.events += [SourceEnded(one, "reread") for one in numbers.values()]
        yield chunk
