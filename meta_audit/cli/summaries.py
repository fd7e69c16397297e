"""How an import's summary is printed, and what it says to a script."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.ingest.result import ImportResult
    from meta_audit.store.opening import Store


def finish(result: ImportResult, store: Store, format_: str) -> int:
    """Print the summary; the exit code."""
    if format_ == "json":
        import orjson

        sys.stdout.write(orjson.dumps(result.shape()).decode() + "\n")
    else:
        _print_text(result, store)
        _print_checkpoint(result)
    _print_keys(result)
    if result.log_error:
        click.echo(f"Error: {escape(str(result.log_error))}", err=True)
        click.echo(escape(result.log_error.advice), err=True)
        return Exit.STORE
    if result.signal:
        click.echo(_interrupted(result), err=True)
        return 128 + result.signal
    if result.counts.refused:
        return Exit.SOURCE
    return Exit.FINDINGS if result.needs_attention else Exit.DONE


def _interrupted(result: ImportResult) -> str:
    if result.cut_off:
        return (
            f"Interrupted: the documents that came from {escape(result.cut_off)} so far are saved."
            " It cannot be read again."
        )
    return "Interrupted: run the same command again to complete the import."


def _print_text(result: ImportResult, store: Store) -> None:
    summary = result.counts
    rate = f", {summary.documents / result.seconds:,.0f}/s" if result.seconds else ""
    click.echo(
        f"Import {result.import_id} {result.status}: {_count(summary.documents, 'document')}"
        f" from {_count(summary.sources, 'source')} in {result.seconds:.1f} s{rate}"
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
    for number, what in ((summary.truncated, "cut off"), (summary.partial, "not complete")):
        if number:
            click.echo(f"  {_count(number, 'source')} {what}: see `v_sources`")
    if summary.known_rejected:
        click.echo(f"  {_count(summary.known_rejected, 'document')} rejected before, as now")
    if result.nothing_found:
        click.echo("  Nothing found: no file is a job document. Is a directory not mounted?")
    if summary.rejected or summary.known_rejected:
        click.echo("  See `meta-audit rejections list`.")
    click.echo(f"  Store: {escape(store.name)}")


def _print_checkpoint(result: ImportResult) -> None:
    if result.sealed:
        checkpoint = result.sealed.checkpoint
        kept = f", also in {escape(str(result.checkpoint_log))}" if result.checkpoint_log else ""
        click.echo(
            f"  Checkpoint: {_count_entries(checkpoint.size)},"
            f" root sha256:{checkpoint.root.hex()[:16]}...{'' if result.log_error else kept}"
        )


def _count_entries(number: int) -> str:
    return f"{number:,} {'entry' if number == 1 else 'entries'}"


def _print_keys(result: ImportResult) -> None:
    """A key that is new is shown once: its secret's place, and the public half to keep."""
    if result.new_key_file:
        click.echo(f"New signing key: {escape(str(result.new_key_file))}", err=True)
    if result.sealed.new_verifier:
        click.echo(f"Verifier key of this store: {result.sealed.new_verifier}", err=True)
        click.echo("Give it to whoever shall verify; keep a copy outside.", err=True)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
