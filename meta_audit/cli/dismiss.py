"""`meta-audit rejections dismiss`."""

from __future__ import annotations

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.import_output import report_log
from meta_audit.cli.option import option
from meta_audit.cli.output import done
from meta_audit.cli.progress import ImportReporter
from meta_audit.cli.writing import opened_to_write
from meta_audit.render.escape import escape


@click.command(name="dismiss")
@click.argument("numbers", nargs=-1, required=True, type=int, metavar="NUMBER...")
@option("--reason", required=True, metavar="TEXT", help="Why nobody needs to look again.")
@options.CHECKPOINT_LOG
@options.ALLOW_UNSAFE_SERVER
@options.common
def command(
    numbers: tuple[int, ...], *, reason: str, checkpoint_log: str | None, allow_unsafe_server: bool
) -> Exit:
    """Take rejections off the list, with a reason.

    NUMBER is the first number in a line of `meta-audit rejections list`. The reason, your user
    name and the time are recorded and signed; this cannot be undone. The rejection and its
    bytes stay: `meta-audit rejections list --all` shows them.
    """
    from meta_audit.ingest.options import Options
    from meta_audit.ingest.run import Import
    from meta_audit.render.layout import count

    arguments = ["rejections", "dismiss", *map(str, numbers), f"--reason={reason}"]
    with opened_to_write(allow_unsafe_server=allow_unsafe_server) as store:
        run = Import(store, ImportReporter(), Options(checkpoint_log=checkpoint_log))
        result = run.dismiss(numbers, reason, arguments)
    dismissed = count(result.counts.dismissed, "rejection")
    done(f"Import {result.import_id}: {dismissed} dismissed: {escape(reason)}")
    return report_log(result)
