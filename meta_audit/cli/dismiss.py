"""`meta-audit rejections dismiss`."""

from __future__ import annotations

from contextlib import closing

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.importing import report_log
from meta_audit.cli.output import done
from meta_audit.render.escape import escape


@click.command(name="dismiss")
@click.argument("number", type=int)
@click.option("--reason", required=True, metavar="TEXT", help="Why it needs no more attention.")
@options.CHECKPOINT_LOG
@options.ALLOW_UNSAFE_SERVER
@options.common
def command(
    number: int, *, reason: str, checkpoint_log: str | None, allow_unsafe_server: bool
) -> Exit:
    """Take a rejection off the list, with a reason.

    NUMBER is the first number in a line of `meta-audit rejections list`. The reason, your user
    name and the time are recorded and signed; this cannot be undone. The rejection and its
    bytes stay: `meta-audit rejections list --all` shows them.
    """
    from meta_audit.ingest.dismiss import dismiss
    from meta_audit.store.opening import open_to_write

    with closing(open_to_write(options.db(), allow_unsafe_server=allow_unsafe_server)) as store:
        result = dismiss(store, number, reason, checkpoint_log)
    done(f"Rejection {number} dismissed by import {result.import_id}: {escape(reason)}")
    return report_log(result)
