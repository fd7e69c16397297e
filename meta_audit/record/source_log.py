"""The sources of one import: what happens to them, and their rows.

Rows of sources are added with the batches that they belong to. A source that brings nothing new
and was read before leaves no row: it is counted. A source is named by its number in the run;
the log maps it to its ID in the store.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct

from meta_audit.schema.tables import columns
from meta_audit.store.session import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from meta_audit.store.session import Session

MOST_HELD: Final = 200_000
"""Sources of which name and hash are held."""
_READ_BEFORE: Final = """
    SELECT s.uri, r.size, r.sha256 FROM source_results r
    JOIN sources s ON s.source_id = r.source_id
    WHERE r.status <> 'refused' AND r.size AMONG KEYS"""


class SourceBegan(Struct, frozen=True, tag=True, gc=False):
    """A source is being read."""

    source: int
    uri: str
    is_counted: bool = True
    """False for a source of which an earlier part was read in this run."""
    is_archive: bool = False
    archive: int = 0
    """The archive that it is a member of: what its members bring counts for the archive, too."""


class SourceRead(Struct, frozen=True, tag=True, gc=False):
    """So many more documents of a source were read; the store had the bytes of some."""

    source: int
    documents: int
    known: int = 0


class RecordCompleted(Struct, frozen=True, gc=False):
    """A record that was torn in an earlier reading of the source is whole now."""

    source: int
    rejection_id: int
    sha256: bytes
    """Of the whole record."""


class SourceEnded(Struct, frozen=True, tag=True, gc=False):
    """A source was read to its end, or refused."""

    source: int
    status: str
    message: str = ""
    size: int = 0
    sha256: bytes = b""


SourceEvent: TypeAlias = SourceBegan | SourceRead | RecordCompleted | SourceEnded


@dataclass(slots=True)
class _Open:
    """A source whose result is not written yet."""

    uri: str
    archive: int = 0
    documents: int = 0
    rejected: int = 0
    end: SourceEnded | None = None


class SourceLog:
    """The sources of one import, as far as they were read."""

    def __init__(self, import_id: int) -> None:
        self.import_id = import_id
        self.ids: dict[int, int] = {}
        """IDs in the store, by number in the run."""
        self.completed: list[RecordCompleted] = []
        self._open: dict[int, _Open] = {}
        self._before: dict[int, set[tuple[str, bytes]]] = {}
        """Sources that were read before this run: name and hash, by size.

        A member of an archive that ends too early has no hash.
        """
        self._added: list[int] = []
        """Sources whose rows this transaction adds."""

    def apply(self, events: Iterable[SourceEvent]) -> None:
        """Take in what happened to sources."""
        for event in events:
            if isinstance(event, SourceBegan):
                self._open[event.source] = _Open(event.uri, event.archive)
            elif isinstance(event, SourceRead):
                source = self._open[event.source]
                source.documents += event.documents
                if source.archive:
                    self._open[source.archive].documents += event.documents
            elif isinstance(event, SourceEnded):
                self._open[event.source].end = event
            else:
                self.completed.append(event)

    def uri(self, source: int) -> str:
        """Return the name of a source."""
        return self._open[source].uri

    def add_rows(self, session: Session, bringing: Set[int]) -> None:
        """Add a row for each source that brings a new document, or that ended and was not known.

        Within the writer's transaction.
        """
        needed = (bringing | {record.source for record in self.completed}) - self.ids.keys()
        needed |= self._ended_and_new(session, needed)
        if not needed:
            return
        last = int(session.query("SELECT coalesce(max(source_id), 0) FROM sources")[0][0])
        begun = []
        for number, source in enumerate(sorted(needed), last + 1):
            self.ids[source] = number
            self._added.append(source)
            begun.append((number, self.import_id, self._open[source].uri))
        session.insert("sources", columns("sources"), rows(begun))

    def _ended_and_new(self, session: Session, needed: Set[int]) -> set[int]:
        """Return the sources that ended without a row, and that nobody has read before."""
        ended = {
            source: (s.uri, s.end.size, s.end.sha256)
            for source, s in self._open.items()
            if s.end and s.end.status != "reread"
            if source not in self.ids and source not in needed
        }
        self._read_again(session, {size for _, size, _ in ended.values()})
        return {
            source
            for source, (uri, size, sha256) in ended.items()
            if (uri, sha256) not in self._before.get(size, ())
        }

    def _read_again(self, session: Session, sizes: Set[int]) -> None:
        """Read which sources of these sizes were read before, once for each size."""
        if sum(map(len, self._before.values())) > MOST_HELD:
            self._before.clear()
        new = sorted(sizes - self._before.keys())
        self._before |= {size: set() for size in new}
        for uri, size, sha256 in session.among(_READ_BEFORE, new):
            self._before[size].add((uri, bytes(sha256)))

    def write_results(self, session: Session, rejected: Mapping[int, int]) -> Counter[str]:
        """Add the results of sources that ended, and count them by status.

        Those read before have no row and count as `repeated`. `rejected` counts the documents
        of each source that this batch rejected. Within the writer's transaction.
        """
        ended = [(source, s, s.end) for source, s in self._open.items() if s.end]
        if not ended:
            return Counter()
        rejected = self._with_archives(rejected)
        written = [(source, s, end) for source, s, end in ended if source in self.ids]
        sql = "SELECT coalesce(max(result_no), 0) FROM source_results"
        results = [
            (
                number,
                self.ids[source],
                end.status,
                end.message,
                end.size,
                end.sha256,
                s.documents,
                s.rejected + rejected.get(source, 0),
            )
            for number, (source, s, end) in enumerate(written, int(session.query(sql)[0][0]) + 1)
        ]
        session.insert("source_results", columns("source_results"), rows(results))
        counts = Counter(end.status for _, _, end in written)
        rest = [end for source, _, end in ended if source not in self.ids]
        counts["repeated"] = sum(end.status != "reread" for end in rest)
        return counts

    def undo(self) -> None:
        """Forget the rows of a transaction that was rolled back."""
        for source in self._added:
            del self.ids[source]
        self._added.clear()

    def settle(self, rejected: Mapping[int, int]) -> None:
        """Count what was committed, and forget the sources that ended."""
        self._added.clear()
        self.completed.clear()
        for source, more in self._with_archives(rejected).items():
            self._open[source].rejected += more
        for source in [source for source, s in self._open.items() if s.end]:
            del self._open[source]
            self.ids.pop(source, None)

    def _with_archives(self, rejected: Mapping[int, int]) -> Counter[int]:
        """Add what was rejected of members to their archives."""
        counts = Counter(rejected)
        for source, more in rejected.items():
            if archive := self._open[source].archive:
                counts[archive] += more
        return counts
