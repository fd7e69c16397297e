"""`meta-audit sql`."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.option import option
from meta_audit.cli.output import screen, write, write_report, write_stream
from meta_audit.errors import UsageError

if TYPE_CHECKING:
    from meta_audit.api import AuditStore


def _read_query(context: click.Context, _: click.Parameter, query: str | None) -> str | None:
    """Read the query from a file or standard input: its text is what is asked, and logged."""
    return query if query is None or context.resilient_parsing else _text(query)


class _Seconds(click.FloatRange):
    """Take a number of seconds. No bound holds off NaN, which never ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        seconds = super().convert(value, param, ctx)
        return self.fail(f"{value} is not a number.", param, ctx) if isnan(seconds) else seconds


@click.command()
@click.argument("query", required=False, metavar="[QUERY|FILE|-]", callback=_read_query)
@option(
    "--check",
    metavar="FILE",
    help="Try the queries in FILE (- for standard input), each ended by ;, without running them.",
)
@option(
    "--timeout",
    type=_Seconds(min=0, min_open=True, max=1_000_000),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="Give up when the database has worked for so long.",
)
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

        checked = store.check_sql(_read(check))
        code = Exit.DONE if checked.ok else Exit.ATTENTION
        return write_report(CheckedStatementsPage(checked), _whole(format_), code)
    if query is None:
        from meta_audit.render.contract import ContractPage

        write(ContractPage(store.contract()), _whole(format_))
        return Exit.DONE
    from meta_audit.render.rows import write_rows

    with store.select(query, seconds=timeout) as found:
        write_stream(write_rows(found, format_, screen()))
    return Exit.DONE


def _whole(format_: str) -> str:
    """Return the format of what is no list. Raises `UsageError`."""
    if format_ not in ("text", "json"):
        raise UsageError(f"--format {format_} is for the rows of a query", advice="Use json.")
    return format_


def _text(query: str) -> str:
    if query == "-" or _is_file(query):
        return _read(query)
    if query.endswith(".sql"):
        raise UsageError(f"there is no file {query}", advice="Name a file, or write the query.")
    return query


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or with NUL
        return False


def _read(path: str) -> str:
    try:
        with click.open_file(path, encoding="utf-8-sig") as opened:
            content: str = opened.read()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8", advice="Save it as UTF-8.") from error
    return content
