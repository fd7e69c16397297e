"""`meta-audit document`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, complete, log, options
from meta_audit.cli.option import option
from meta_audit.cli.output import note, write, write_bytes, write_file
from meta_audit.render.escape import escape, escape_lines

if TYPE_CHECKING:
    from meta_audit.api import AuditStore
    from meta_audit.query.results import KeptDocument


@click.command()
@click.argument("what", metavar="SHA256|JOB", shell_complete=complete.job)
@options.NAMESPACE
@option("--output", metavar="FILE", help="Write the bytes to this file.")
@option("--raw", is_flag=True, help="Print the exact bytes even to a terminal.")
@options.reads_store
def command(
    store: AuditStore, what: str, namespace: str | None, output: str | None, raw: bool
) -> Exit:
    """Print the original bytes of a document, exactly as they came.

    For a JOB, this is the document that shows its newest state. A SHA256 may be shortened to 8
    digits or more; it may be that of a rejected document. The bytes are checked against the
    hash. On a terminal, control characters are escaped; a pipe or a file gets the exact bytes.
    """
    from meta_audit.query.results import Candidates

    found = store.document(what, namespace=namespace)
    if isinstance(found, Candidates):
        from meta_audit.render.jobs import CandidatesPage

        write(CandidatesPage(found), "text", to_stderr=True)
        return Exit.ATTENTION
    write_document(found, output=output, raw=raw)
    return Exit.DONE


def write_document(document: KeptDocument, *, output: str | None = None, raw: bool) -> None:
    """Write a document to a file, a pipe or, escaped, to a terminal. Raises `UsageError`."""
    content = document.content
    if len(content) < document.size:
        kept = f"Only the first {len(content):,} bytes of {document.size:,} are kept"
        log.say(f"{kept} ({document.rejected}).")
    if output is not None:
        write_file(output, content)
        note(f"{document.sha256}: {len(content):,} bytes written to {escape(output)}")
    elif raw or not sys.stdout.isatty():
        write_bytes(content)
    else:
        text = escape_lines(content.decode(errors="backslashreplace"))
        write_bytes(f"{text}\n".encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
        note("Escaped for the terminal: use a pipe, --output or --raw for the exact bytes.")
