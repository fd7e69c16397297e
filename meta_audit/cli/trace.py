"""`meta-audit trace`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import complete, options
from meta_audit.cli.output import write_about_job

if TYPE_CHECKING:
    from meta_audit.api import AuditStore
    from meta_audit.cli import Exit


@click.command()
@click.argument("job", shell_complete=complete.job)
@options.NAMESPACE
@options.AS_OF
@options.AT
@options.TEXT_OR_JSON
@options.reads_store
def command(
    store: AuditStore,
    job: str,
    *,
    namespace: str | None,
    as_of: str | None,
    at: str | None,
    format_: str,
) -> Exit:
    """Show who sent a job, and how we know.

    JOB is an ID, the beginning of one (the j- may be left out), or a name. If several jobs fit,
    they are listed and the exit code is 1.

    The page shows who sent and who accepted the job, its metadata, its states and nodes, the
    documents that say so, and what an auditor should look at.
    """
    from meta_audit.render.trace import TracePage

    found = store.trace(job, namespace=namespace, as_of=as_of, at=at)
    return write_about_job(found, TracePage, format_)
