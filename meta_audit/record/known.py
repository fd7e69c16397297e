"""Find what the store has already: documents and sources, by their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.engine import Bulk


class KnownSource(NamedTuple):
    """A source whose very bytes were read before, completely, with nothing rejected."""

    size: int
    sha256: bytes
    documents: int


class Known:
    """Evidence that the store has."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk

    def documents(self, digests: Sequence[bytes]) -> set[bytes]:
        """Return those of these SHA-256 that are documents of the store."""
        if not digests or not self._bulk.query("SELECT 1 FROM documents LIMIT 1"):
            return set()
        sql = "SELECT sha256 FROM documents WHERE substr(sha256, 1, 8) AMONG KEYS"
        return {row[0] for row in self._bulk.among(sql, sorted([d[:8] for d in digests]))}

    def has_source_of_size(self, size: int) -> bool:
        """Tell whether a source of that size was read: only then is it worth hashing a file."""
        return bool(self._bulk.query("SELECT 1 FROM source_results WHERE size = ? LIMIT 1", size))

    def source(self, sha256: bytes, size: int) -> KnownSource | None:
        """Return an earlier reading of the same bytes that left nothing to do."""
        sql = (
            "SELECT documents FROM source_results WHERE size = ? AND sha256 = ?"
            " AND status = 'complete' AND rejected = 0 LIMIT 1"
        )
        rows = self._bulk.query(sql, size, sha256)
        return KnownSource(size, sha256, rows[0][0]) if rows else None
