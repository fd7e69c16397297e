"""`meta-audit export`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.option import option
from meta_audit.cli.output import note, nothing_found
from meta_audit.cli.progress import progress
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.api import AuditStore

FORMATS = ("ndjson", "csv", "parquet", "documents", "proofs", "prov", "openlineage")


@click.command()
@options.EXPRESSIONS
@option("--to", required=True, metavar="FILE", help="The file to make; - for standard output.")
@option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="The format.  [default: as the name of FILE says; ndjson for -]",
)
@options.COLUMNS
@option("--force", is_flag=True, help="Replace FILE if it exists.")
@options.reads_store
def command(
    store: AuditStore,
    expressions: tuple[str, ...],
    *,
    to: str,
    format_: str | None,
    columns: tuple[str, ...],
    force: bool,
) -> Exit:
    """Write all jobs that match, as `find` finds them, to FILE. It appears as a whole.

    \b
    ndjson, csv   a row of v_jobs for each job (docs/sql.md)
    parquet       the same, with times as nanoseconds in UTC
    documents     a tar file: the newest document of each job as it came,
                  SHA256SUMS, jobs.ndjson, and proofs.json for verify-proof
    proofs        one file that proves these documents to a stranger
    prov          W3C PROV-JSON: jobs, documents, and who sent them
    openlineage   OpenLineage events: a start and the newest state of each job
                  that has a time

    FILE says the format by its ending: .ndjson, .csv, .parquet, .tar (documents). With .zst or
    .gz behind that it is compressed. The exit code is 1 if no job matches; then no file is made.
    """  # noqa: D301 - click reads \b
    from meta_audit.render.layout import count

    left_out: list[int] = []
    with progress("exporting") as line:
        number = store.export(
            sys.stdout.buffer if to == "-" else to,
            *expressions,
            format_=format_,
            columns=columns,
            replace=force,
            progress=lambda jobs: line.show(f"{jobs:,} jobs"),
            left_out=left_out.append,
        )
    sys.stdout.buffer.flush()
    if not number and not sum(left_out):
        return nothing_found(store, *expressions)
    if to != "-":
        note(f"{count(number, 'job')} written to {escape(to)}")
    if sum(left_out):
        note(f"{count(sum(left_out), 'job')} left out: no document says when")
    return Exit.DONE
