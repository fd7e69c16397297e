"""`meta-audit report`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.option import option
from meta_audit.cli.output import write

if TYPE_CHECKING:
    from meta_audit.api import AuditStore


@click.command()
@option("--since", metavar="TIME", help="Only jobs created from this time on.")
@option("--until", metavar="TIME", help="Only jobs created until the end of this time.")
@options.format_option(
    "json", "html", help_="Text for people, everything for programs, or one file to hand over."
)
@options.reads_store
def command(store: AuditStore, since: str | None, until: str | None, format_: str) -> Exit:
    """Report on a period: is everything here, from whom, and what to look at?

    TIME is a date (2024-03-01), a date and time in UTC (2024-03-01T12:00:00Z), a month (2024-03),
    a year, or -7d for 7 days ago. All of --until belongs to the period.

    The report counts the jobs created in the period and the imports made in it, shows what each
    orchestrator covers and its longest gap, the clients and how they are known, and lists what is
    missing, rejected or contradictory. It changes nothing and checks no hashes.
    """
    from meta_audit.render.report import ReportPage

    write(ReportPage(store.report(since=since, until=until)), format_)
    return Exit.DONE
