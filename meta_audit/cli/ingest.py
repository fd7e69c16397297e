"""`meta-audit ingest`."""

from __future__ import annotations

import os
from contextlib import closing

import click

from meta_audit.cli import options
from meta_audit.cli.importing import report
from meta_audit.cli.output import note
from meta_audit.cli.progress import Quiet, progress, total_bytes
from meta_audit.render.escape import escape


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@options.COERCE_SCALARS
@click.option(
    "--jobs",
    type=click.IntRange(0, 64),
    metavar="N",
    help="Parse in N processes beside the one that reads and writes; 0: in the same.  "
    "[default: 1, or 0 on a single processor]",
)
@options.CHECKPOINT_LOG
@options.ALLOW_UNSAFE_SERVER
@options.TEXT_OR_JSON
@options.common
def command(
    sources: tuple[str, ...],
    *,
    coerce_scalars: bool,
    jobs: int | None,
    checkpoint_log: str | None,
    allow_unsafe_server: bool,
    format_: str,
) -> int:
    """Take job documents into the store. The store is made on first use.

    SOURCE is a file, a directory (with everything below it) or - for standard input. Documents
    are JSON, NDJSON or YAML, plain or compressed with gzip or zstd. A document that cannot be
    taken is kept aside: see `meta-audit rejections list`.

    It is safe to run the same command again. That completes an import that was interrupted.
    """
    from meta_audit.ingest.options import Limits, Options
    from meta_audit.ingest.run import Import
    from meta_audit.sources import find
    from meta_audit.store.opening import open_to_write

    with closing(open_to_write(options.db(), allow_unsafe_server=allow_unsafe_server)) as store:
        if store.created:
            note(f"New store: {escape(store.name)}")
        with progress("reading") as line:
            total = total_bytes(sources) if line.is_live else None
            reporter = Quiet(line, verbose=options.is_verbose(), total=total)
            jobs = jobs if jobs is not None else min(1, (os.cpu_count() or 1) - 1)
            limits = click.get_current_context().find_object(Limits) or Limits()
            run = Import(store, reporter, Options(jobs, coerce_scalars, checkpoint_log, limits))
            arguments = ["ingest", *sources, *(["--coerce-scalars"] if coerce_scalars else [])]
            result = run.run(find(sources, block_bytes=limits.block_bytes), arguments)
        if skipped := reporter.skipped_files():
            note(skipped)
    return report(result, store, format_)
