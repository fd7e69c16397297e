"""Show the jobs that `lake find` lists: as `find` does, with the store of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meta_audit.lake.find import LakeJob
from meta_audit.lake.tables import STORE
from meta_audit.query.results import JobSummary
from meta_audit.render.jobs import FoundPage, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from msgspec import Struct

    from meta_audit.render.layout import Screen


@dataclass(frozen=True)
class LakeFoundPage(FoundPage):
    """Show the jobs of a lake that match an expression."""

    place: str = "lake"
    has_stores: bool = False
    """True if the lake has several stores, so that the text names that of each job."""

    def lines(self, jobs: Iterable[JobSummary], screen: Screen) -> Iterator[str]:
        """Yield the lines of a table of these jobs."""
        last = {STORE: _store} if self.has_stores else {}
        return table_of(jobs, screen, self.columns, last=last)

    def csv_header(self) -> list[str]:
        """Return the fields of a job, and its store."""
        return [*super().csv_header(), STORE]

    def csv_row(self, row: Struct) -> list[Any]:
        """Return the fields of a job, and its store."""
        return [*super().csv_row(row), getattr(row, STORE)]


def _store(job: JobSummary) -> str | None:
    return job.store if isinstance(job, LakeJob) else None
