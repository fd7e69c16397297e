"""`meta-audit diff`."""

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
@click.argument("old", required=False, type=options.NUMBER, metavar="[A]")
@click.argument("new", required=False, type=options.NUMBER, metavar="[B]")
@options.NAMESPACE
@options.TEXT_OR_JSON
@options.reads_store
def command(
    store: AuditStore,
    job: str,
    old: int | None,
    new: int | None,
    *,
    namespace: str | None,
    format_: str,
) -> Exit:
    """Compare two versions of a job: its fields, tasks, Meta, labels, and who is named.

    JOB is named as for `meta-audit trace`; A and B are versions as that counts them. Without
    them, the newest version is compared with the one before it; with A alone, the newest one
    with A. Other fields of the spec are read from the original documents, if both versions come
    from documents of one format.

    The exit code is 0 whether they differ or not, and 1 if the job has only one version.
    """
    from meta_audit.render.diff import DiffPage

    found = store.diff(job, old, new, namespace=namespace)
    return write_about_job(found, DiffPage, format_)
