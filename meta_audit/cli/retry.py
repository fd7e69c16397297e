"""`meta-audit rejections retry`."""

from __future__ import annotations

import click

from meta_audit.cli import options
from meta_audit.cli.progress import Quiet
from meta_audit.cli.summaries import FORMAT_OF_SUMMARY, finish
from meta_audit.ingest.run import Import
from meta_audit.store.opening import open_to_write


@click.command(name="retry")
@options.COERCE_SCALARS
@options.DB
@FORMAT_OF_SUMMARY
def retry(*, coerce_scalars: bool, db: str | None, format_: str) -> int:
    """Offer every unresolved rejection again, after an upgrade or with other options.

    What is accepted now is marked as resolved; nothing is removed.
    """
    store = open_to_write(db)
    try:
        run = Import(store, Quiet(), jobs=0, coerce_scalars=coerce_scalars)
        option = ["--coerce-scalars"] if coerce_scalars else []
        summary = run.retry(["rejections", "retry", *option])
    finally:
        store.close()
    return finish(run, summary, store, format_)
