"""`meta-audit rejections retry`."""

from __future__ import annotations

import click

from meta_audit.cli import options
from meta_audit.cli.import_output import report
from meta_audit.cli.progress import ImportReporter, progress
from meta_audit.cli.writing import opened_to_write


@click.command(name="retry")
@options.COERCE_SCALARS
@options.CHECKPOINT_LOG
@options.ALLOW_UNSAFE_SERVER
@options.TEXT_OR_JSON
@options.common
def command(
    *, coerce_scalars: bool, checkpoint_log: str | None, allow_unsafe_server: bool, format_: str
) -> int:
    """Try every open rejection again.

    Use it after an upgrade, or with --coerce-scalars. A rejection whose document is accepted
    now is resolved; nothing is removed. Documents of which only a part is kept (`truncated`,
    `too_large`) are not tried.
    """
    from meta_audit.ingest.options import Options
    from meta_audit.ingest.run import Import

    with (
        opened_to_write(allow_unsafe_server=allow_unsafe_server) as store,
        progress("trying again") as line,
    ):
        run = Import(store, ImportReporter(line), Options(0, coerce_scalars, checkpoint_log))
        option = ["--coerce-scalars"] if coerce_scalars else []
        result = run.retry(["rejections", "retry", *option])
    return report(result, store, format_)
