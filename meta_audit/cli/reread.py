"""`meta-audit reread`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.import_output import report
from meta_audit.cli.option import option
from meta_audit.cli.output import write
from meta_audit.cli.progress import ImportReporter, progress
from meta_audit.cli.writing import opened_to_write

if TYPE_CHECKING:
    from meta_audit.ingest.options import Options


@click.command(name="reread")
@option("--dry-run", is_flag=True, help="Say what would differ, and write nothing.")
@options.JOBS
@options.CHECKPOINT_LOG
@options.ALLOW_UNSAFE_SERVER
@options.TEXT_OR_JSON
@options.common
def command(
    *,
    dry_run: bool,
    jobs: int | None,
    checkpoint_log: str | None,
    allow_unsafe_server: bool,
    format_: str,
) -> int:
    """Read every kept document again, as after an upgrade.

    Where this version of the program reads a document differently, the new reading is added and
    counts from now on. The old one stays in the store and in the ledger. It is safe to run this
    again. Rejections are tried again by `meta-audit rejections retry`.
    """
    from meta_audit.ingest.options import Limits, Options
    from meta_audit.ingest.run import Import

    limits = click.get_current_context().find_object(Limits) or Limits()
    chosen = Options(options.processes(jobs), checkpoint_log=checkpoint_log, limits=limits)
    if dry_run:
        return _dry_run(chosen, format_)
    with (
        opened_to_write(allow_unsafe_server=allow_unsafe_server) as store,
        progress("reading again") as line,
    ):
        result = Import(store, ImportReporter(line), chosen).reread(["reread"])
    return report(result, store, format_)


def _dry_run(chosen: Options, format_: str) -> Exit:
    from meta_audit.ingest.dry_run import dry_reread
    from meta_audit.render.dry_run import DryRereadPage

    with progress("reading again") as line:
        counts, changes = dry_reread(options.db(), ImportReporter(line), chosen)
    write(DryRereadPage(counts, changes), format_)
    return Exit.ATTENTION if counts.reread else Exit.DONE
