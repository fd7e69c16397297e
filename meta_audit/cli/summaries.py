"""How an import's summary is printed, and what it says to a script."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.ingest.result import Summary
    from meta_audit.ingest.run import Import
    from meta_audit.store.opening import Store


def finish(run: Import, summary: Summary, store: Store, format_: str) -> int:
    """Print the summary; the exit code."""
    if format_ == "json":
        import orjson

        sys.stdout.write(orjson.dumps(summary.shape()).decode() + "\n")
    else:
        _print_text(summary, store)
        _print_checkpoint(run)
    _print_keys(run)
    if run.log_error:
        click.echo(f"Error: {escape(str(run.log_error))}", err=True)
        click.echo(escape(run.log_error.advice), err=True)
        return Exit.STORE
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
    click.echo(f"  Store: {escape(store.name)}")


def _print_checkpoint(run: Import) -> None:
    if run.sealed:
        checkpoint = run.sealed.checkpoint
        kept = f", also in {escape(str(run.checkpoint_log))}" if run.checkpoint_log else ""
        click.echo(
            f"  Checkpoint: {_count_entries(checkpoint.size)},"
            f" root sha256:{checkpoint.root.hex()[:16]}...{'' if run.log_error else kept}"
        )


def _count_entries(number: int) -> str:
    return f"{number:,} {'entry' if number == 1 else 'entries'}"


def _print_keys(run: Import) -> None:
    """A key that is new is shown once: its secret's place, and the public half to keep."""
    if run.new_key_file:
        click.echo(f"New signing key: {escape(str(run.new_key_file))}", err=True)
    if run.sealed and run.sealed.new_verifier:
        click.echo(f"Verifier key of this store: {run.sealed.new_verifier}", err=True)
        click.echo("Give it to whoever shall verify; keep a copy outside.", err=True)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
