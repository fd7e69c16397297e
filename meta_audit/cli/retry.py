"""`meta-audit rejections retry`."""

from __future__ import annotations

import click

from meta_audit.cli import options
from meta_audit.cli.progress import Quiet
from meta_audit.cli.summaries import finish


@click.command(name="retry")
@options.COERCE_SCALARS
@options.CHECKPOINT_LOG
@options.ALLOW_UNSAFE_SERVER
@options.DB
@options.TEXT_OR_JSON
def retry(
    *,
    coerce_scalars: bool,
    checkpoint_log: str | None,
    allow_unsafe_server: bool,
    db: str | None,
    format_: str,
) -> int:
    """Offer every unresolved rejection again, after an upgrade or with other options.

    What is accepted now is marked as resolved; nothing is removed. Documents that were cut off
    (`truncated`) or kept only in part (`too_large`) are not offered: their bytes are not whole.
    """
    from meta_audit.ingest.options import Options
    from meta_audit.ingest.run import Import
    from meta_audit.store.opening import open_to_write

    store = open_to_write(db, allow_unsafe_server=allow_unsafe_server)
    try:
        run = Import(store, Quiet(), Options(0, coerce_scalars, checkpoint_log))
        option = ["--coerce-scalars"] if coerce_scalars else []
        result = run.retry(["rejections", "retry", *option])
    finally:
        store.close()
    return finish(result, store, format_)
