"""`meta-audit has`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.option import argument, option
from meta_audit.cli.output import write

if TYPE_CHECKING:
    from meta_audit.api import AuditStore


@click.command()
@argument("path", metavar="FILE|-")
@option("--missing", is_flag=True, help="Print only what is missing, one a line.")
@options.FORMAT
@options.reads_store
def command(store: AuditStore, path: str, *, missing: bool, format_: str) -> Exit:
    """Tell which of the jobs or documents in a file are in the store.

    FILE is a list of whole job IDs, one a line, or it holds job documents as `meta-audit ingest`
    takes them; - is standard input. A job is here if a document of it is, not only executions
    or events. A document is here if its very bytes are.

    The exit code is 1 if anything is missing.
    """
    from meta_audit.render.presence import PresencePage

    found = store.has_file(path, only_missing=missing)
    write(PresencePage(found, only_missing=missing), format_)
    return Exit.ATTENTION if found.missing else Exit.DONE
