"""Report an import that has ended, the same for every command that imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit
from meta_audit.cli.output import write_report
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.ingest.result import Summary
    from meta_audit.ingest.run import Import
    from meta_audit.store.opening import Store


def report(run: Import, summary: Summary, store: Store, format_: str) -> int:
    """Print what an import did, and return the exit code."""
    from meta_audit.render.import_result import ImportPage, ImportResult

    sealed = run.sealed
    result = ImportResult(
        summary,
        store.name,
        sealed.checkpoint.size if sealed else 0,
        sealed.checkpoint.root.hex() if sealed else "",
        str(run.checkpoint_log or "") if not run.log_error else "",
        str(run.new_key_file or ""),
        str(sealed.new_verifier or "") if sealed else "",
    )
    code = Exit.FINDINGS if summary.rejected else Exit.DONE
    if run.log_error:
        code = Exit.STORE
    elif summary.refused:
        code = Exit.SOURCE
    write_report(ImportPage(result), format_, code)
    if run.log_error:
        click.echo(f"Error: {escape(str(run.log_error))}", err=True)
        click.echo(escape(run.log_error.advice), err=True)
        return code
    if run.signal:
        click.echo("Interrupted: run the same command again to complete the import.", err=True)
        return 128 + run.signal
    return code
