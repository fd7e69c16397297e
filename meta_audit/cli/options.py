"""The options that several commands share: one catalogue, so that they read the same everywhere."""

from __future__ import annotations

import click

DB = click.option(
    "--db",
    metavar="PATH|URL",
    help="The store: a path, or sqlite:///PATH.  [default: $META_AUDIT_DB, else a file in "
    "the user's data directory, see `meta-audit db path`]",
)
COERCE_SCALARS = click.option(
    "--coerce-scalars",
    is_flag=True,
    help="Take Meta values that are not strings as the text that was written (with a finding), "
    "instead of rejecting the document as Bacalhau does.",
)
FORMAT = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "ndjson", "csv"]),
    default="text",
    show_default=True,
    help="Tables for people, or the whole content for programs.",
)
LIMIT = click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Most rows to show.",
)
