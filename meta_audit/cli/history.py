"""`meta-audit history`."""

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
@options.TEXT_OR_JSON
@options.reads_store
def command(
    store: AuditStore, job: str, *, namespace: str | None, as_of: str | None, format_: str
) -> Exit:
    """Show all that happened to a job on one time line.

    JOB is named as for `meta-audit trace`. The line has versions, states, executions and events,
    by the time that documents state; and imports and findings, by the time of the import. What
    several documents repeat stands once. The numbers at the end of a line are the documents
    that say so.
    """
    from meta_audit.render.history import HistoryPage

    found = store.history(job, namespace=namespace, as_of=as_of)
    return write_about_job(found, HistoryPage, format_)
