"""Jobs, a line each: as `find` lists them, and as an ambiguous JOB does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.results import Candidates, Found, JobSummary
from meta_audit.render.columns import table
from meta_audit.render.escape import escape
from meta_audit.render.layout import count, short_time
from meta_audit.render.page import Listing, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.render.layout import Screen

HEADER: Final = (
    "created",
    "job",
    "name",
    "type",
    "state",
    "namespace",
    "client",
    "requester",
)
WHOLE: Final = (0, 1)
"""Columns that are never cut."""


class _JobsPage(Listing[Result]):
    row = JobSummary

    def rows(self) -> Sequence[JobSummary]:
        raise NotImplementedError

    def text(self, screen: Screen) -> str:
        jobs = self.rows()
        return table(HEADER, [table_row(job) for job in jobs], screen, whole=WHOLE) if jobs else ""


class FoundPage(_JobsPage[Found]):
    """Show the jobs that match a search."""

    def rows(self) -> Sequence[JobSummary]:
        """Return the jobs."""
        return self.result.jobs

    def notes(self) -> Sequence[str]:
        """Say that no job matches, or that there are more."""
        if not self.result.jobs:
            return ("No job matches.",)
        if self.result.more:
            shown = count(len(self.result.jobs), "job")
            return (f"Only the newest {shown} shown; --limit N shows more.",)
        return ()


class CandidatesPage(_JobsPage[Candidates]):
    """Show the jobs that an ambiguous JOB may mean."""

    def rows(self) -> Sequence[JobSummary]:
        """Return those that are listed."""
        return self.result.candidates

    def notes(self) -> Sequence[str]:
        """Say how many jobs fit, and what to do."""
        found = self.result
        total = bounded(len(found.candidates) + found.more, at_least=found.at_least)
        notes = [
            f"{escape(found.query)} fits {total} jobs. Give more of the ID, or add --namespace NS."
        ]
        if found.more:
            notes.append(f"Not listed: {bounded(found.more, at_least=found.at_least)} more.")
        return notes


def bounded(number: int, *, at_least: bool) -> str:
    """Return a number; `at least` before it where it was not counted to the end."""
    return f"at least {number:,}" if at_least else f"{number:,}"


def table_row(job: JobSummary) -> list[str]:
    """Return the cells of a job, as `HEADER` names them."""
    created = short_time(job.created_at) if job.created_at else "-"
    rest = (job.name, job.type, job.state, job.namespace, job.client, job.requester)
    return [created, job.job_id, *(value or "-" for value in rest)]
