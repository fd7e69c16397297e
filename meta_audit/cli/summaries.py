"""How an import's summary is printed, and what it says to a script."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.ingest.run import Import
    from meta_audit.ingest.summary import Summary
    from meta_audit.store.opening import Store

FORMAT_OF_SUMMARY = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the summary.",
)


def finish(run: Import, summary: Summary, store: Store, format_: str) -> int:
    """Print the summary; the exit code."""
    if format_ == "json":
        import orjson  # noqa: PLC0415

        sys.stdout.write(orjson.dumps(summary.shape()).decode() + "\n")
    else:
        _print_text(summary, store)
    if run.signal:
        click.echo("Interrupted: run the same command again to complete the import.", err=True)
        return 128 + run.signal
    if summary.refused:
        return Exit.SOURCE
    return Exit.FINDINGS if summary.rejected else Exit.DONE


def _print_text(summary: Summary, store: Store) -> None:
    rate = f", {summary.documents / summary.seconds:,.0f}/s" if summary.seconds else ""
    click.echo(
        f"Import {summary.import_id} {summary.status}: {_count(summary.documents, 'document')}"
        f" from {_count(summary.sources, 'source')} in {summary.seconds:.1f} s{rate}"
    )
    click.echo(
        f"  {summary.new:,} new, {summary.changed:,} changed, {summary.unchanged:,} unchanged,"
        f" {summary.rejected:,} rejected"
    )
    click.echo(
        f"  {_count(summary.jobs, 'job')} and {_count(summary.meta_pairs, 'Meta pair')} added"
    )
    for title, counts in (("rejected", summary.reasons), ("finding", summary.findings)):
        for name, number in sorted(counts.items()):
            click.echo(f"  {title} {name}: {number:,}")
    if summary.refused:
        click.echo(f"  {_count(summary.refused, 'source')} could not be read")
    if summary.rejected:
        click.echo("  See `meta-audit rejections list`.")
    click.echo(f"  Store: {escape(store.shown)}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
