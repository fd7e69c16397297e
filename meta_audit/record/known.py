"""Find what the store has already: documents and sources, by their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.store.frames import decompress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.session import Session


MOST_TORN: Final = 100_000
"""Torn records that a run remembers; the newest of more."""
_TORN: Final = """
    SELECT s.uri, r.rejection_id, r.ordinal FROM rejections r
    JOIN sources s ON s.source_id = r.source_id
    LEFT JOIN rejection_resolutions x ON x.rejection_id = r.rejection_id
    WHERE r.reason = 'truncated' AND r.size > 0 AND x.rejection_id IS NULL
    ORDER BY r.rejection_id DESC LIMIT ?"""


MOST_HELD: Final = 200_000
"""Sources of which hash and size are held."""
_OF_SIZE: Final = """
    SELECT sha256, documents FROM source_results
    WHERE size = ? AND status IN ('complete', 'known') AND rejected = 0 AND message = ''"""
_NEWEST: Final = """
    SELECT r.size, r.sha256, r.documents, r.rejected, r.status FROM sources s
    JOIN source_results r ON r.source_id = s.source_id
    WHERE s.uri = ? AND r.status IN ('complete', 'known', 'truncated')
    ORDER BY r.result_no DESC LIMIT 1"""


class KnownSource(NamedTuple):
    """A source whose very bytes were read before, completely, with nothing rejected."""

    size: int
    sha256: bytes
    documents: int


class Earlier(NamedTuple):
    """An earlier reading of a source."""

    size: int
    sha256: bytes
    documents: int
    is_torn: bool
    """The last document was torn; it is counted."""


class Torn(NamedTuple):
    """A record that ended too early when its source was read before."""

    rejection_id: int
    ordinal: int
    content: bytes


class Known:
    """Evidence that the store has."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._torn: dict[str, list[tuple[int, int]]] | None = None
        self._of_size: dict[int, dict[bytes, int]] = {}
        """Sources that left nothing to do: documents by hash, by size."""
        self._held = 0

    def documents(self, digests: Sequence[bytes]) -> set[bytes]:
        """Return those of these SHA-256 that are documents of the store."""
        if not digests or not self._session.query("SELECT 1 FROM documents LIMIT 1"):
            return set()
        sql = "SELECT sha256 FROM documents WHERE substr(sha256, 1, 8) AMONG KEYS"
        return {row[0] for row in self._session.among(sql, sorted([d[:8] for d in digests]))}

    def has_source_of_size(self, size: int) -> bool:
        """Tell whether a source of that size was read: only then is it worth hashing a file."""
        return bool(self._sources(size))

    def source(self, sha256: bytes, size: int) -> KnownSource | None:
        """Return a reading of the same bytes, before this run, that left nothing to do."""
        documents = self._sources(size).get(sha256)
        return None if documents is None else KnownSource(size, sha256, documents)

    def _sources(self, size: int) -> dict[bytes, int]:
        """Return those of a size. Small files share few sizes: they are read once."""
        found = self._of_size.get(size)
        if found is None:
            if self._held > MOST_HELD:
                self._of_size.clear()
                self._held = 0
            rows = self._session.query(_OF_SIZE, size)
            found = self._of_size[size] = {bytes(sha256): number for sha256, number in rows}
            self._held += len(found) + 1
        return found

    def newest_reading(self, uri: str) -> Earlier | None:
        """Return the newest reading of a source in which nothing was rejected but a torn end."""
        rows = self._session.query(_NEWEST, uri)
        if not rows:
            return None
        size, sha256, documents, rejected, status = rows[0]
        is_torn = status == "truncated"
        return Earlier(size, bytes(sha256), documents, is_torn) if rejected == is_torn else None

    def torn(self, uri: str) -> list[Torn]:
        """Return the torn records of a source that nothing has resolved when the run began."""
        if self._torn is None:
            self._torn = {}
            for name, rejection_id, ordinal in self._session.query(_TORN, MOST_TORN):
                self._torn.setdefault(name, []).append((rejection_id, ordinal))
        found = []
        for rejection_id, ordinal in self._torn.get(uri, ()):
            sql = "SELECT content FROM rejections WHERE rejection_id = ?"
            ((frame,),) = self._session.query(sql, rejection_id)
            found.append(Torn(rejection_id, ordinal, decompress(bytes(frame), b"")))
        return found


class KnowsNothing(Known):
    """The evidence of no store at all."""

    def __init__(self) -> None:
        """Take no session."""

    def documents(self, digests: Sequence[bytes]) -> set[bytes]:  # noqa: ARG002
        """Return nothing."""
        return set()

    def has_source_of_size(self, size: int) -> bool:  # noqa: ARG002
        """Tell that none was read."""
        return False

    def source(self, sha256: bytes, size: int) -> None:
        """Return nothing."""

    def newest_reading(self, uri: str) -> None:
        """Return nothing."""

    def torn(self, uri: str) -> list[Torn]:  # noqa: ARG002
        """Return nothing."""
        return []
