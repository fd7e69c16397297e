"""`meta-audit ingest`."""

from __future__ import annotations

import os

import click

from meta_audit.cli import options
from meta_audit.cli.progress import make_progress
from meta_audit.cli.summaries import finish
from meta_audit.render.escape import escape


@click.command(short_help="Take job documents into the store.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@options.COERCE_SCALARS
@click.option(
    "--jobs",
    type=click.IntRange(0, 64),
    help="Parse in this many processes beside the one that reads and writes; 0: in the same.  "
    "[default: one, where there are two processors or more]",
)
@options.CHECKPOINT_LOG
@options.ALLOW_UNSAFE_SERVER
@options.DB
@options.TEXT_OR_JSON
def command(
    sources: tuple[str, ...],
    *,
    coerce_scalars: bool,
    jobs: int | None,
    checkpoint_log: str | None,
    allow_unsafe_server: bool,
    db: str | None,
    format_: str,
) -> int:
    """Take job documents from each SOURCE into the store, which is made on first use.

    SOURCE is a file, a directory (with all below it) or - for standard input: JSON, NDJSON or
    YAML, plain, gzip or zstd. What cannot be taken is kept, counted, and shown by
    `meta-audit rejections list`. Running the same command again is safe, and completes an
    import that was interrupted.
    """
    from meta_audit.ingest.run import Import
    from meta_audit.sources import find
    from meta_audit.store.opening import open_to_write

    store = open_to_write(db, allow_unsafe_server=allow_unsafe_server)
    try:
        if store.created:
            click.echo(f"New store: {escape(store.name)}", err=True)
        with make_progress(sources) as progress:
            jobs = jobs if jobs is not None else min(1, (os.cpu_count() or 1) - 1)
            run = Import(
                store,
                progress,
                jobs=jobs,
                coerce_scalars=coerce_scalars,
                checkpoint_log=checkpoint_log,
            )
            arguments = ["ingest", *sources, *(["--coerce-scalars"] if coerce_scalars else [])]
            summary = run.run(find(sources), arguments)
    finally:
        store.close()
    return finish(run, summary, store, format_)
