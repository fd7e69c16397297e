"""The options that several commands share: one catalogue, so that they read the same everywhere."""

from __future__ import annotations

import click

DB = click.option(
    "--db",
    metavar="PATH|URL",
    help="The store: a path, or postgresql://USER@HOST/DATABASE.  [default: $META_AUDIT_DB, else "
    "a file in the user's data directory, see `meta-audit db path`]",
)
ALLOW_UNSAFE_SERVER = click.option(
    "--allow-unsafe-server",
    is_flag=True,
    help="Import although the PostgreSQL server runs with fsync, full_page_writes or "
    "synchronous_commit off, so that a crash may lose what was acknowledged.",
)
COERCE_SCALARS = click.option(
    "--coerce-scalars",
    is_flag=True,
    help="Take Meta and label values that are not strings as the text that Bacalhau v1.0.4-v1.3.2 "
    "stored, with a finding. Without this option the document is rejected, as by v1.4 and later.",
)
CHECKPOINT_LOG = click.option(
    "--checkpoint-log",
    metavar="PATH",
    help="Append the signed checkpoint to this file.  [default: $META_AUDIT_CHECKPOINT_LOG, "
    "else PATH-OF-THE-STORE.checkpoints]",
)
KEYS = click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="VKEY",
    help="A verifier key that you trust, as name+hash+key; may be repeated.",
)
TEXT_OR_JSON = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines for people, or the whole content for programs.",
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
