"""`meta-audit ingest`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.progress import make_progress
from meta_audit.ingest.run import Import
from meta_audit.render.escape import escape
from meta_audit.sources import find
from meta_audit.store.opening import open_to_write

if TYPE_CHECKING:
    from meta_audit.ingest.summary import Summary
    from meta_audit.store.opening import Store


@click.command(short_help="Take job documents into the store.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--coerce-scalars",
    is_flag=True,
    help="Take Meta values that are not strings as the text that was written (with a finding), "
    "instead of rejecting the document as Bacalhau does.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Parse in this many processes beside the one that writes.",
)
@options.DB
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the summary.",
)
def command(
    sources: tuple[str, ...], *, coerce_scalars: bool, jobs: int, db: str | None, format_: str
) -> int:
    """Take job documents from each SOURCE into the store, which is made on first use.

    SOURCE is a file, a directory (with all below it) or - for standard input: JSON, NDJSON or
    YAML, plain, gzip or zstd. What cannot be taken is kept, counted, and shown by
    `meta-audit rejections list`. Running the same command again is safe, and completes an
    import that was interrupted.
    """
    store = open_to_write(db)
    try:
        if store.created:
            click.echo(f"New store: {escape(store.shown)}", err=True)
        with make_progress(sources) as progress:
            run = Import(store, progress, jobs=jobs, coerce_scalars=coerce_scalars)
            arguments = ["ingest", *sources, *(["--coerce-scalars"] if coerce_scalars else [])]
            summary = run.run(find(sources), arguments)
    finally:
        store.close()
    _print(summary, store, format_)
    if run.signal:
        click.echo("Interrupted: run the same command again to complete the import.", err=True)
        return 128 + run.signal
    return exit_code(summary)


def exit_code(summary: Summary) -> Exit:
    """What the counts say to a script."""
    if summary.refused:
        return Exit.SOURCE
    return Exit.FINDINGS if summary.rejected else Exit.DONE


def _print(summary: Summary, store: Store, format_: str) -> None:
    if format_ == "json":
        import orjson  # noqa: PLC0415

        sys.stdout.write(orjson.dumps(summary.shape()).decode() + "\n")
        return
    rate = f", {summary.documents / summary.seconds:,.0f}/s" if summary.seconds else ""
    click.echo(
        f"Import {summary.import_id} {summary.status}: {summary.documents:,} documents"
        f" from {summary.sources:,} sources in {summary.seconds:.1f} s{rate}"
    )
    click.echo(
        f"  {summary.new:,} new, {summary.changed:,} changed, {summary.unchanged:,} unchanged,"
        f" {summary.rejected:,} rejected"
    )
    click.echo(f"  {summary.jobs:,} jobs and {summary.meta_pairs:,} Meta pairs added")
    for title, counts in (("rejected", summary.reasons), ("findings", summary.findings)):
        for name, number in sorted(counts.items()):
            click.echo(f"  {title}: {number:,} {name}")
    if summary.rejected:
        click.echo("  See `meta-audit rejections list`.")
    click.echo(f"  Store: {escape(store.shown)}")
