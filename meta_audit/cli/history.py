"""`meta-audit history`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, complete, options
from meta_audit.cli.output import write

if TYPE_CHECKING:
    from meta_audit.api import AuditStore


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
    from meta_audit.query.results import Candidates

    found = store.history(job, namespace=namespace, as_of=as_of)
    if isinstance(found, Candidates):
        from meta_audit.render.jobs import CandidatesPage

        write(CandidatesPage(found), format_)
        return Exit.ATTENTION
    from meta_audit.render.history import HistoryPage

    write(HistoryPage(found), format_)
    return Exit.DONE
