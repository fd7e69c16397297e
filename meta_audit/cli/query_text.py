"""Take a query in SQL from the command line, a file or standard input."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any, Final

import click

from meta_audit.cli.option import option
from meta_audit.errors import UsageError


class Seconds(click.FloatRange):
    """Take a number of seconds. No bound holds off NaN, which never ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        seconds = super().convert(value, param, ctx)
        return self.fail(f"{value} is not a number.", param, ctx) if isnan(seconds) else seconds


def read_text(path: str) -> str:
    """Return the text of a file; - is standard input. Raises `UsageError`."""
    try:
        with click.open_file(path, encoding="utf-8-sig") as opened:
            content: str = opened.read()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8", advice="Save it as UTF-8.") from error
    return content


def whole(format_: str) -> str:
    """Return the format of what is no list. Raises `UsageError`."""
    if format_ not in ("text", "json"):
        raise UsageError(f"--format {format_} is for the rows of a query", advice="Use json.")
    return format_


def _read_query(context: click.Context, _: click.Parameter, query: str | None) -> str | None:
    """Read the query from a file or standard input: its text is what is asked, and logged."""
    return query if query is None or context.resilient_parsing else _text(query)


def _text(query: str) -> str:
    if query == "-" or _is_file(query):
        return read_text(query)
    if query.endswith(".sql"):
        raise UsageError(f"there is no file {query}", advice="Name a file, or write the query.")
    return query


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or with NUL
        return False


QUERY: Final = click.argument(
    "query", required=False, metavar="[QUERY|FILE|-]", callback=_read_query
)
TIMEOUT: Final = option(
    "--timeout",
    type=Seconds(min=0, min_open=True, max=1_000_000),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="Give up when the database has worked for so long.",
)
