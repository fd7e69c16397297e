"""The record of runs: imports, their sources, how each ended. Rows are only ever added."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from meta_audit.record.columns import SOURCE_RESULTS
from meta_audit.store.session import row, rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meta_audit.record.sealing import Sealed, Sealer
    from meta_audit.store.session import Session


def now() -> int:
    """Nanoseconds since 1970 UTC."""
    return time.time_ns()


def begin_import(bulk: Session, actor: str, tool_version: str, arguments: str) -> int:
    """Record that an import begins; its number."""
    columns = ("import_id", "started_at", "actor", "tool_version", "arguments")

    def work() -> int:
        number = int(bulk.query("SELECT coalesce(max(import_id), 0) + 1 FROM imports")[0][0])
        bulk.insert("imports", columns, row(number, now(), actor, tool_version, arguments))
        return number

    return bulk.transaction(work)


@dataclass(slots=True)
class _Source:
    uri: str
    documents: int = 0
    rejected: int = 0
    ending: tuple[str, str, int, bytes] | None = None


class SourceLog:
    """The sources of one import: rows are added with the batches that they belong to.

    Sources are named by their number in the run; `ids` gives their numbers in the store.
    """

    def __init__(self, import_id: int) -> None:
        self.import_id = import_id
        self.ids: dict[int, int] = {}
        self._open: dict[int, _Source] = {}
        self._unnumbered: list[int] = []

    def begin(self, source: int, uri: str) -> None:
        """A source is being read."""
        self._open[source] = _Source(uri)
        self._unnumbered.append(source)

    def count(self, source: int, documents: int) -> None:
        """So many more documents were offered."""
        self._open[source].documents += documents

    def end(self, source: int, status: str, message: str, size: int, sha256: bytes) -> None:
        """A source has been read to its end, or refused."""
        self._open[source].ending = (status, message, size, sha256)

    def number(self, bulk: Session) -> None:
        """Add the rows of sources that were begun. Within the writer's transaction."""
        if not self._unnumbered:
            return
        last = int(bulk.query("SELECT coalesce(max(source_id), 0) FROM sources")[0][0])
        begun = []
        for number, source in enumerate(self._unnumbered, last + 1):
            self.ids[source] = number
            begun.append((number, self.import_id, self._open[source].uri))
        bulk.insert("sources", ("source_id", "import_id", "uri"), rows(begun))

    def write(self, bulk: Session, rejected: Mapping[int, int]) -> None:
        """Add the rows of sources that ended. Within the writer's transaction.

        `rejected`: how many more documents of a source were rejected.
        """
        ended = [(source, s) for source, s in self._open.items() if s.ending]
        if not ended:
            return
        sql = "SELECT coalesce(max(result_no), 0) FROM source_results"
        results = []
        for number, (source, s) in enumerate(ended, int(bulk.query(sql)[0][0]) + 1):
            count = s.rejected + rejected.get(source, 0)
            results.append((number, self.ids[source], *(s.ending or ()), s.documents, count))
        bulk.insert("source_results", SOURCE_RESULTS, rows(results))

    def settle(self, rejected: Mapping[int, int]) -> None:
        """What was written is durable: count it, and forget the sources that ended."""
        self._unnumbered.clear()
        for source, more in rejected.items():
            self._open[source].rejected += more
        self._open = {n: s for n, s in self._open.items() if not s.ending}


def end_import(
    bulk: Session,
    import_id: int,
    status: str,
    counts: dict[str, int],
    sealer: Sealer,
    *,
    seconds: float | None = None,
) -> Sealed:
    """Record how an import ended, and sign the checkpoint that covers it: both, or neither.

    `counts` are the columns of import_results; `seconds` limit the waiting for the store.
    """
    columns = ("import_id", "finished_at", "status", *counts)

    def work() -> Sealed:
        bulk.insert("import_results", columns, row(import_id, now(), status, *counts.values()))
        return sealer.seal(import_id)

    sealer.advance()  # so that the lock is held for what is left alone
    return bulk.transaction(work, seconds=seconds)


class KnownSource(NamedTuple):
    """A source whose very bytes were read before, completely, with nothing rejected."""

    size: int
    sha256: bytes
    documents: int


def known_source(bulk: Session, sha256: bytes, size: int) -> KnownSource | None:
    """An earlier reading of the same bytes that left nothing to do."""
    sql = (
        "SELECT documents FROM source_results WHERE size = ? AND sha256 = ?"
        " AND status = 'complete' AND rejected = 0 LIMIT 1"
    )
    rows = bulk.query(sql, size, sha256)
    return KnownSource(size, sha256, rows[0][0]) if rows else None


def has_source_of_size(bulk: Session, size: int) -> bool:
    """Whether any source of that size was read: only then is it worth hashing a file first."""
    return bool(bulk.query("SELECT 1 FROM source_results WHERE size = ? LIMIT 1", size))
