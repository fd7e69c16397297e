"""`meta-audit imports`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.output import write

if TYPE_CHECKING:
    from meta_audit.api import AuditStore


@click.command()
@click.argument("number", required=False, type=options.NUMBER, metavar="[N]")
@options.SINCE
@options.UNTIL
@options.LIMIT_OR_ALL
@options.FORMAT
@options.reads_store
def command(
    store: AuditStore, number: int | None, format_: str, limit: int | None, **choice: Any
) -> Exit:
    """List the runs that wrote to the store, or with N what import N brought.

    The newest come first: when each began, who ran it, and what it brought. Import N is shown
    with its rejections, its sources (those with a problem first), and what is left to do.
    """
    from meta_audit.render.imports import ImportDetailPage, ImportsPage

    if number is None:
        write(ImportsPage(store.imports(limit=options.most(limit, format_), **choice)), format_)
        return Exit.DONE
    if format_ not in ("text", "json"):
        raise click.UsageError("one import is written as text or json")
    write(ImportDetailPage(store.import_(number)), format_)
    return Exit.DONE
