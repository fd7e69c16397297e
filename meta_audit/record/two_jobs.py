"""Count what shows that one ID is that of two jobs, as `trace` tells it of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.identity.same_job import Birth, Births

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meta_audit.record.lookups import Lookups
    from meta_audit.store.session import Session

CODE: Final = "identity.two_jobs"
_SUPERSEDED: Final = """
    SELECT v.job_key, v.version_no FROM job_versions v
    WHERE v.job_key AMONG KEYS AND NOT EXISTS (
        SELECT 1 FROM observations o
        WHERE o.job_key = v.job_key AND o.version_no = v.version_no AND NOT EXISTS (
            SELECT 1 FROM readings q WHERE q.supersedes = o.document_id))"""


class Stated(NamedTuple):
    """Say what a version by an orchestrator states of its job's birth."""

    version_no: int
    created_at: int | None
    layout_id: int
    attribution_set: int


class GrownJob(NamedTuple):
    """Hold a job that got versions: what orchestrators state of it, in order of the versions."""

    job_key: int
    before: int
    """Number of versions before this batch."""
    stated: tuple[Stated, ...]
    """The first version of each statement."""


def count_two_jobs(session: Session, lookups: Lookups, jobs: Sequence[GrownJob]) -> int:
    """Count new statements that cannot be of the job that an earlier version states.

    Versions that a better reading superseded do not count.
    """
    if not jobs:
        return 0
    sets = {one.attribution_set for job in jobs for one in job.stated}
    requesters = lookups.requesters(sorted(sets))
    layouts = lookups.term_texts({one.layout_id for job in jobs for one in job.stated})

    def births(job: GrownJob) -> list[tuple[int, Birth]]:
        return [
            (s.version_no, Birth(s.created_at, requesters[s.attribution_set], layouts[s.layout_id]))
            for s in job.stated
        ]

    suspects = [job for job in jobs if any(_others(job, births(job)))]
    if not suspects:
        return 0
    keys = sorted({job.job_key for job in suspects})
    gone = {tuple(row) for row in session.among(_SUPERSEDED, keys)}
    kept = (_without(job, gone) for job in suspects)
    return sum(sum(_others(job, births(job))) for job in kept)


def _without(job: GrownJob, gone: set[tuple[int, ...]]) -> GrownJob:
    kept = (one for one in job.stated if (job.job_key, one.version_no) not in gone)
    return job._replace(stated=tuple(kept))


def _others(job: GrownJob, stated: Sequence[tuple[int, Birth]]) -> Iterator[bool]:
    """Tell of each new statement whether it is of another job than an earlier one."""
    births = Births()
    for version_no, birth in stated:
        is_other = births.add(birth)
        if version_no > job.before:
            yield is_other
