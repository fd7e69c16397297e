"""Keep rejected documents: what is new of them, and what was made good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.schema.tables import columns
from meta_audit.store.session import rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meta_audit.record.batch import Rejected
    from meta_audit.record.source_log import SourceLog
    from meta_audit.store.session import Session, Values

_REJECTED: Final = """
    SELECT r.sha256, r.reason, s.uri FROM rejections r
    JOIN sources s ON s.source_id = r.source_id WHERE r.sha256 AMONG KEYS"""
_RESOLVED: Final = """
    SELECT r.rejection_id, s.import_id
    FROM rejections r
    JOIN documents d ON substr(d.sha256, 1, 8) = substr(r.sha256, 1, 8) AND d.sha256 = r.sha256
    JOIN ledger_entries e ON e.entry_index = d.document_id
    JOIN sources s ON s.source_id = e.source_id
    WHERE r.sha256 AMONG KEYS AND NOT EXISTS (
        SELECT 1 FROM readings q WHERE q.reading_id = d.document_id) AND NOT EXISTS (
        SELECT 1 FROM rejection_resolutions x WHERE x.rejection_id = r.rejection_id)"""


class Quarantine:
    """The rejections of the store, within one writer's transactions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def known(
        self,
        rejected: list[Rejected],
        sources: SourceLog,  # noqa: ARG002 - for what is remembered in its place
    ) -> set[tuple[bytes, str, str]]:
        """Return digest, reason and source of the rejections that the store has of these bytes."""
        digests = sorted({r.rejection.sha256 for r in rejected})
        found = self._session.among(_REJECTED, digests)
        return {(bytes(sha256), reason, uri) for sha256, reason, uri in found}

    def sort(
        self, rejected: list[Rejected], sources: SourceLog
    ) -> tuple[list[Rejected], list[Rejected]]:
        """Tell the rejections that are new from those that a source of that name had before."""
        known = self.known(rejected, sources)
        fresh: list[Rejected] = []
        before: list[Rejected] = []
        for document in rejected:
            uri = sources.uri(document.source)
            key = (document.rejection.sha256, document.rejection.reason, uri)
            (before if key in known else fresh).append(document)
            known.add(key)
        return fresh, before

    def insert(
        self, rejected: Sequence[Rejected], index: Mapping[int, int], source_ids: Mapping[int, int]
    ) -> None:
        """Add rejections; `index` gives the ledger index of each place in the batch."""
        values = []
        for document in rejected:
            r = document.rejection
            at = (
                index[document.place],
                source_ids[document.source],
                r.ordinal,
                r.line,
            )
            what = r.reason, r.message, r.format, r.sha256, r.size, document.content
            values.append((*at, *what))
        self._insert("rejections", rows(values))

    def resolve(self, digests: list[bytes]) -> None:
        """Resolve rejections whose very bytes were accepted, now or before."""
        if not digests or not self._session.query("SELECT 1 FROM rejections LIMIT 1"):
            return
        found = self._session.among(_RESOLVED, sorted(set(digests)))
        resolved = [(rejection, import_id, None) for rejection, import_id in found]
        self._insert("rejection_resolutions", rows(resolved))

    def resolve_torn(self, sources: SourceLog) -> None:
        """Resolve records that were torn, and came in whole from a source of the same name."""
        if not sources.completed:
            return
        whole = sorted({record.sha256 for record in sources.completed})
        entries: dict[bytes, int] = {}
        for sql, keys in (
            ("SELECT sha256, rejection_id FROM rejections WHERE sha256 AMONG KEYS", whole),
            (
                "SELECT sha256, document_id FROM documents WHERE substr(sha256, 1, 8) AMONG KEYS",
                sorted({digest[:8] for digest in whole}),
            ),
        ):
            entries.update(
                {bytes(sha256): index for sha256, index in self._session.among(sql, keys)}
            )
        sql = "SELECT rejection_id FROM rejection_resolutions WHERE rejection_id AMONG KEYS"
        torn = {record.rejection_id: record.sha256 for record in sources.completed}
        for (rejection_id,) in self._session.among(sql, sorted(torn)):
            del torn[rejection_id]
        resolved = [
            (rejection_id, sources.import_id, entries[sha256])
            for rejection_id, sha256 in torn.items()
            if sha256 in entries
        ]
        self._insert("rejection_resolutions", rows(resolved))

    def _insert(self, table: str, values: Values) -> None:
        self._session.insert(table, columns(table), values)
