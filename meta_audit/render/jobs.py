"""Jobs, a line each: as `find` lists them, and as an ambiguous JOB does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from meta_audit.query.results import Candidates, Found, FoundJob, JobSummary, Reason
from meta_audit.render.columns import GAP, table_stream
from meta_audit.render.escape import escape
from meta_audit.render.layout import count, cut, short_time
from meta_audit.render.page import Listing, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from msgspec import Struct

    from meta_audit.render.layout import Screen

JOB_ID: Final = 38
"""Length of a job ID; on a terminal a longer one is cut."""
_MINUTE: Final = len("2024-11-02 02:00Z")
_ROOM: Final = len("Completed")
"""Least width of a column, by which it is decided how many a terminal has room for."""
Column = Callable[[JobSummary], str | None]
COLUMNS: Final[dict[str, Column]] = {
    "name": lambda job: job.name,
    "type": lambda job: job.type,
    "state": lambda job: job.state,
    "namespace": lambda job: job.namespace,
    "client": lambda job: job.client,
    "requester": lambda job: job.requester,
}
"""Columns behind create time and ID."""
FIRST: Final = ("name", "state", "client", "requester", "namespace", "type")
"""Columns in the order in which a terminal has room for them."""
WHOLE: Final = (0, 1)
"""Columns that are never cut."""


class _JobsPage(Listing[Result]):
    row = JobSummary

    def rows(self) -> Sequence[JobSummary]:
        raise NotImplementedError

    def text(self, screen: Screen) -> str:
        jobs = self.rows()
        return "".join(table_of(jobs, screen)) if jobs else ""


@dataclass(frozen=True)
class FoundPage(_JobsPage[Found]):
    """Show the jobs that match an expression."""

    columns: tuple[str, ...] = ()
    """Keys whose values were asked for."""
    sort: str = "created"
    place: str = "store"
    """Kind of place whose jobs these are: a store or a lake."""

    def rows(self) -> Sequence[FoundJob]:
        """Return the jobs."""
        return self.result.jobs

    def text(self, screen: Screen) -> str:
        """Return a table."""
        return "".join(self.lines(self.rows(), screen)) if self.rows() else ""

    def lines(self, jobs: Iterable[JobSummary], screen: Screen) -> Iterator[str]:
        """Yield the lines of a table of these jobs."""
        return table_of(jobs, screen, self.columns)

    def csv_header(self) -> list[str]:
        """Return the fields of a job, and the keys."""
        return [*super().csv_header(), *self.columns]

    def csv_row(self, row: Struct) -> list[Any]:
        """Return the fields of a job, and its values of the keys."""
        job = cast("FoundJob", row)
        fields = [getattr(job, name) for name in JobSummary.__struct_fields__]
        return [*fields, *(_values(job, key) for key in self.columns)]

    def notes(self) -> Sequence[str]:
        """Say why no job matches, or that there are more."""
        found = self.result
        if not found.jobs:
            return ("No job matches.", *map(_reason, found.reasons), *_together(found.reasons))
        notes = [unknown_key(key, self.place) for key in found.unknown_keys]
        if found.more:
            which = "newest" if self.sort == "created" else "first"
            notes.append(
                f"Only the {which} {count(len(found.jobs), 'job')} shown: --all shows all,"
                f" --after {found.next} the next ones."
            )
        return notes


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


def unknown_key(key: str, place: str) -> str:
    """Say that no Meta or label has a key in a place: a store or a lake."""
    return f"The {place} knows no key {escape(key)}."


def bounded(number: int, *, at_least: bool) -> str:
    """Return a number; `at least` before it where it was not counted to the end."""
    return f"at least {number:,}" if at_least else f"{number:,}"


def table_of(
    jobs: Iterable[JobSummary],
    screen: Screen,
    keys: Sequence[str] = (),
    *,
    last: Mapping[str, Column] = MappingProxyType({}),
) -> Iterator[str]:
    """Yield the lines of a table of jobs, with columns more. A terminal gets as many as fit."""
    shown, whole = COLUMNS, {0, 1}
    if screen.width is not None:
        room = (screen.width - _MINUTE - GAP - JOB_ID) // (_ROOM + GAP)
        wanted = FIRST[: max(room - len(keys) - len(last), 0)]
        shown = {name: column for name, column in COLUMNS.items() if name in wanted}
        whole = {0, 1} if room >= len(keys) + len(last) else {0}
    shown = {**shown, **last}
    body = (_row(job, shown.values(), keys, screen) for job in jobs)
    header = ("created", "job", *keys, *shown)
    return table_stream(header, body, screen, whole=whole)


def _row(
    job: JobSummary, shown: Iterable[Column], keys: Sequence[str], screen: Screen
) -> list[str]:
    created = short_time(job.created_at) if job.created_at else "-"
    job_id = job.job_id
    if screen.width is not None:
        created = f"{created[: _MINUTE - 1]}Z" if job.created_at else created
        job_id = cut(job_id, JOB_ID)
    values = [_values(cast("FoundJob", job), key) for key in keys]
    rest = [*values, *(column(job) for column in shown)]
    return [created, job_id, *(value or "-" for value in rest)]


def _values(job: FoundJob, key: str) -> str | None:
    """Return the values of a key in one cell, None if there are none."""
    values = job.meta[key] if job.meta else ()
    return "; ".join(values) if values else None


def _reason(reason: Reason) -> str:
    jobs = bounded(reason.jobs, at_least=reason.at_least)
    noun = "job" if reason.jobs == 1 else "jobs"
    hint = f". {reason.hint}" if reason.hint else ""
    return f"  {escape(reason.expression)}: {jobs} {noun}{escape(hint)}"


def _together(reasons: Sequence[Reason]) -> Sequence[str]:
    each = len(reasons) > 1 and all(reason.jobs for reason in reasons)
    return ("Each of these matches alone, but no job matches them together.",) if each else ()
