"""`meta-audit sql`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.option import option
from meta_audit.cli.output import screen, write, write_report, write_stream
from meta_audit.cli.query_text import QUERY, TIMEOUT, read_text, whole
from meta_audit.errors import UsageError

if TYPE_CHECKING:
    from meta_audit.api import AuditStore


@click.command()
@QUERY
@option(
    "--check",
    metavar="FILE",
    help="Try the queries in FILE (- for standard input), each ended by ;, without running them.",
)
@TIMEOUT
@option(
    "--datasette",
    is_flag=True,
    help="Print what the views mean as metadata for Datasette: titles, columns, tables to hide.",
)
@options.FORMAT
@options.reads_store
def command(
    store: AuditStore,
    *,
    query: str | None,
    check: str | None,
    timeout: float,
    datasette: bool,
    format_: str,
) -> Exit:
    """Ask the store in SQL; without a query, list the views and their columns.

    QUERY is one SELECT. It may stand in a FILE, or come from standard input (-). The database
    lets it only read, whatever it says. All rows are printed; add LIMIT to get fewer.

    --check says which saved queries do not work with this store, for example after an upgrade;
    then the exit code is 1.
    """
    if datasette:
        from meta_audit.render.contract import DatasettePage

        if query is not None or check is not None:
            raise UsageError("--datasette takes no query", advice="Give it alone.")
        write(DatasettePage(Path(store.name).stem), "json")
        return Exit.DONE
    if check is not None:
        if query is not None:
            raise UsageError("give either a query or --check", advice="--check takes a file.")
        from meta_audit.render.contract import CheckedStatementsPage

        checked = store.check_sql(read_text(check))
        code = Exit.DONE if checked.ok else Exit.ATTENTION
        return write_report(CheckedStatementsPage(checked), whole(format_), code)
    if query is None:
        from meta_audit.render.contract import ContractPage

        write(ContractPage(store.contract()), whole(format_))
        return Exit.DONE
    from meta_audit.render.rows import write_rows

    with store.select(query, seconds=timeout) as found:
        write_stream(write_rows(found, format_, screen()))
    return Exit.DONE
