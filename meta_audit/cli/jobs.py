"""Jobs in one line each, as `find` lists them and as an ambiguous JOB does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from meta_audit.cli import Exit
from meta_audit.cli.output import screen, write_csv, write_json, write_ndjson, write_text
from meta_audit.query.results import JobSummary
from meta_audit.render.columns import table
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.query.results import Candidates, Found

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


def write_jobs(result: Found | Candidates, jobs: Sequence[JobSummary], format_: str) -> None:
    """Write jobs in a format; `result` is the whole value, for JSON."""
    if format_ == "json":
        write_json(result)
    elif format_ == "ndjson":
        write_ndjson(jobs)
    elif format_ == "csv":
        names = JobSummary.__struct_fields__
        write_csv(names, [[getattr(job, name) for name in names] for job in jobs])
    elif jobs:
        write_text(table(HEADER, [_row(job) for job in jobs], screen(), whole=WHOLE))


def write_candidates(found: Candidates, format_: str) -> Exit:
    """Say that a JOB is ambiguous, and list what it may be."""
    number = len(found.candidates) + found.more
    click.echo(
        f"{escape(found.query)} may be any of {number:,} jobs:"
        " give more of the ID, or --namespace.",
        err=True,
    )
    write_jobs(found, found.candidates, format_)
    if found.more and format_ != "json":
        click.echo(f"... and {found.more:,} more.", err=True)
    return Exit.FINDINGS


def _row(job: JobSummary) -> list[str]:
    created = f"{job.created_at[:10]} {job.created_at[11:19]}Z" if job.created_at else "-"
    rest = (job.name, job.type, job.state, job.namespace, job.client, job.requester)
    return [created, job.job_id, *(value or "-" for value in rest)]
