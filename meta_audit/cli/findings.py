"""`meta-audit findings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from meta_audit.cli import Exit, complete, options
from meta_audit.cli.output import write

if TYPE_CHECKING:
    from meta_audit.api import AuditStore


@click.command()
@click.argument("code", required=False, metavar="[NAME]", shell_complete=complete.finding)
@options.SINCE
@options.UNTIL
@options.LIMIT_OR_ALL
@options.FORMAT
@options.reads_store
def command(
    store: AuditStore, code: str | None, format_: str, limit: int | None, **choice: Any
) -> Exit:
    """List what an auditor should look at: the kinds of findings, or with NAME those of one kind.

    Kinds are counted by jobs and documents, the worst first. The findings of one kind come with
    job and source, the newest first. --since and --until choose them by the beginning of the
    import that brought them. docs/catalogue.md explains each name.
    """
    from meta_audit.render.findings import FindingCountsPage, FindingPlacesPage

    if code is None:
        counts = store.findings(limit=options.most(limit, format_), **choice)
        write(FindingCountsPage(counts), format_)
        return Exit.DONE
    places = store.finding(code, limit=options.most(limit, format_), **choice)
    write(FindingPlacesPage(places), format_)
    return Exit.DONE
