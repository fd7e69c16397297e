"""The sources of one import: what happens to them, and their rows.

Rows of sources are added with the batches that they belong to. A source is named by its number
in the run; the log maps it to its ID in the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from meta_audit.schema.tables import columns
from meta_audit.store.engine import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meta_audit.store.engine import Bulk


class SourceBegan(Struct, frozen=True, gc=False):
    """A source is being read."""

    source: int
    uri: str


class SourceRead(Struct, frozen=True, gc=False):
    """So many more documents of a source were read; the store had the bytes of some."""

    source: int
    documents: int
    known: int = 0


class SourceEnded(Struct, frozen=True, gc=False):
    """A source was read to its end, or refused."""

    source: int
    status: str
    message: str = ""
    size: int = 0
    sha256: bytes = b""


SourceEvent: TypeAlias = SourceBegan | SourceRead | SourceEnded


@dataclass(slots=True)
class _Open:
    """A source whose result is not written yet."""

    uri: str
    documents: int = 0
    rejected: int = 0
    end: SourceEnded | None = None


@dataclass(slots=True)
class SourceLog:
    """The sources of one import, as far as they were read."""

    import_id: int
    ids: dict[int, int] = field(default_factory=dict)
    """IDs in the store, by number in the run."""
    _open: dict[int, _Open] = field(default_factory=dict)
    _unnumbered: list[int] = field(default_factory=list)

    def apply(self, events: Iterable[SourceEvent]) -> None:
        """Take in what happened to sources."""
        for event in events:
            if isinstance(event, SourceBegan):
                self._open[event.source] = _Open(event.uri)
                self._unnumbered.append(event.source)
            elif isinstance(event, SourceRead):
                self._open[event.source].documents += event.documents
            else:
                self._open[event.source].end = event

    def number(self, bulk: Bulk) -> None:
        """Add the rows of sources that began, within the writer's transaction."""
        if not self._unnumbered:
            return
        last = int(bulk.query("SELECT coalesce(max(source_id), 0) FROM sources")[0][0])
        begun = []
        for number, source in enumerate(self._unnumbered, last + 1):
            self.ids[source] = number
            begun.append((number, self.import_id, self._open[source].uri))
        bulk.insert("sources", columns("sources"), rows(begun))

    def write(self, bulk: Bulk, rejected: Mapping[int, int]) -> None:
        """Add the results of sources that ended, within the writer's transaction.

        `rejected` counts the documents of each source that this batch rejected.
        """
        ended = [(source, s, s.end) for source, s in self._open.items() if s.end]
        if not ended:
            return
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
            for number, (source, s, end) in enumerate(ended, int(bulk.query(sql)[0][0]) + 1)
        ]
        bulk.insert("source_results", columns("source_results"), rows(results))

    def settle(self, rejected: Mapping[int, int]) -> None:
        """Count what was committed, and forget the sources that ended."""
        self._unnumbered.clear()
        for source, more in rejected.items():
            self._open[source].rejected += more
        self._open = {n: s for n, s in self._open.items() if not s.end}
