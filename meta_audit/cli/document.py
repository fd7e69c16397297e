"""`meta-audit document`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.output import write_bytes, write_text
from meta_audit.cli.reading import read
from meta_audit.errors import NotFoundError, UsageError
from meta_audit.render.escape import escape, escape_lines

if TYPE_CHECKING:
    from meta_audit.query.results import KeptDocument


@click.command(short_help="Print the original bytes of a document.")
@click.argument("what", metavar="SHA256|JOB")
@click.option("--namespace", metavar="NS", help="Only jobs of this namespace.")
@click.option("--output", metavar="FILE", help="Write the bytes to this file.")
@click.option("--raw", is_flag=True, help="Print the very bytes to a terminal, too.")
@options.DB
def command(
    what: str, namespace: str | None, output: str | None, raw: bool, db: str | None
) -> Exit:
    """Print the kept original bytes of a document, exactly.

    Of a JOB, those of the document that shows its newest state; of a SHA256 (or 8 digits and
    more of it), of that document, a rejected one too. The bytes are checked against the hash.
    A terminal gets them escaped, since it would obey what is in them; a pipe or a file exactly.
    """
    from meta_audit.query.documents import kept_document
    from meta_audit.query.results import Candidates

    found = read(db, lambda session: kept_document(session, what, namespace))
    if isinstance(found, Candidates):  # an error, since stdout is for bytes alone
        jobs = ", ".join(job.job_id for job in found.candidates)
        raise NotFoundError(
            f"{what} may be any of {len(found.candidates) + found.more:,} jobs: {jobs}",
            advice="Give the whole ID, or --namespace.",
        )
    write_document(found, output=output, raw=raw)
    return Exit.DONE


def write_document(document: KeptDocument, *, output: str | None = None, raw: bool) -> None:
    """Write a document to a file, a pipe or, escaped, to a terminal. Raises `UsageError`."""
    content = document.content
    if len(content) < document.size:
        note = f"Only the first {len(content):,} bytes of {document.size:,} are kept"
        click.echo(f"{note} ({document.rejected}).", err=True)
    if output is not None:
        try:
            Path(output).write_bytes(content)
        except OSError as error:
            raise UsageError(f"cannot write {output}: {error.strerror}") from error
        click.echo(f"{document.sha256}: {len(content):,} bytes to {escape(output)}", err=True)
    elif raw or not sys.stdout.isatty():
        write_bytes(content)
    else:
        write_text(escape_lines(content.decode(errors="backslashreplace")) + "\n")
        click.echo("Escaped for the terminal: a pipe, --output or --raw get the bytes.", err=True)
