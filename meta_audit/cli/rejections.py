"""`meta-audit rejections`: the quarantine."""

from __future__ import annotations

from typing import Final

import click

from meta_audit.catalogue import REASONS
from meta_audit.cli import Exit, options
from meta_audit.cli.document import write_document
from meta_audit.cli.output import screen, write_csv, write_json, write_ndjson, write_text
from meta_audit.cli.reading import reading
from meta_audit.query.documents import rejected_document
from meta_audit.query.rejections import Filter, list_rejections, one_rejection
from meta_audit.query.results import REJECTION_FORMAT, RejectionDetail, RejectionSummary
from meta_audit.render.escape import escape_lines
from meta_audit.render.layout import ELLIPSIS, Screen, fields
from meta_audit.render.tables import table

HEADER: Final = ("number", "reason", "source", "document", "line", "import", "message")
NUMBER_COLUMN: Final = 0
CSV_HEADER: Final = tuple(
    column
    for name in RejectionSummary.__struct_fields__
    for column in (("document", "line") if name == "position" else (name,))
)
EXCERPT: Final = 2_000
"""Characters of a document that `show` prints."""


class _Rejections(click.Group):
    """Imports `retry`, which brings all of ingest with it, only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), "retry"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "retry":
            from meta_audit.cli.retry import retry

            return retry
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Rejections, short_help="Documents that were not taken.")
def command() -> None:
    """Documents that were not taken: why, where, and their bytes."""


@command.command(name="list")
@click.option("--reason", metavar="NAME", help="Only this reason, or group of them (meta, text).")
@click.option("--source", metavar="TEXT", help="Only sources whose name contains this.")
@click.option("--import", "import_id", type=int, metavar="N", help="Only those of this import.")
@click.option("--all", "resolved", is_flag=True, help="Those too that were accepted later.")
@options.LIMIT
@options.DB
@options.FORMAT
def list_(
    *,
    reason: str | None,
    source: str | None,
    import_id: int | None,
    resolved: bool,
    limit: int,
    db: str | None,
    format_: str,
) -> Exit:
    """List rejections in the order in which they came: those that are not resolved yet."""
    wanted = Filter(reason, source, import_id, resolved=resolved)
    with reading(db) as connection:
        found = list_rejections(connection, wanted, limit)
    rejections = found.rejections
    if format_ == "json":
        write_json(found)
    elif format_ == "ndjson":
        write_ndjson(rejections)
    elif format_ == "csv":
        write_csv(CSV_HEADER, [_cells(r) for r in rejections])
    elif rejections:
        write_text(table(HEADER, [_line(r) for r in rejections], screen(), whole=(NUMBER_COLUMN,)))
    if not rejections:
        click.echo("No rejections.", err=True)
    elif found.total > len(rejections):
        click.echo(f"{len(rejections):,} of {found.total:,}: see --limit.", err=True)
    return Exit.DONE


@command.command()
@click.argument("number", type=int)
@click.option("--raw", is_flag=True, help="Print the kept bytes, and nothing else.")
@options.DB
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="A page for people, or the whole content (bytes as base64).",
)
def show(number: int, raw: bool, db: str | None, format_: str) -> Exit:
    """Show why and where a document was rejected, and how it begins.

    NUMBER is the one that `rejections list` shows.
    """
    with reading(db) as connection:
        rejection = one_rejection(connection, number)
        document = rejected_document(connection, number)
    if raw:
        write_document(document, raw=True)
    elif format_ == "json":
        write_json(RejectionDetail(REJECTION_FORMAT, rejection, document.content))
    else:
        write_text(_page(rejection, document.content))
    return Exit.DONE


def _line(rejection: RejectionSummary) -> tuple[str, ...]:
    at = rejection.position
    return (
        f"{rejection.rejection_id}",
        rejection.reason,
        rejection.source,
        f"{at.document}",
        f"{at.line}",
        f"{rejection.import_id}",
        rejection.message,
    )


def _cells(rejection: RejectionSummary) -> list[str | int | None]:
    values = [getattr(rejection, name) for name in RejectionSummary.__struct_fields__]
    place = RejectionSummary.__struct_fields__.index("position")
    values[place : place + 1] = [rejection.position.document, rejection.position.line]
    return values


def _page(rejection: RejectionSummary, content: bytes) -> str:
    at, resolved = rejection.position, rejection.resolved_by
    page = fields(
        [
            ("rejection", f"{rejection.rejection_id}, its index in the ledger"),
            ("reason", f"{rejection.reason}: {REASONS.get(rejection.reason, '')}"),
            ("message", rejection.message),
            ("source", rejection.source),
            ("position", f"document {at.document}, line {at.line}"),
            ("import", f"{rejection.import_id}, {rejection.observed_at or ''}"),
            ("sha256", rejection.document_sha256),
            ("size", f"{rejection.size:,} bytes, {len(content):,} of them kept"),
            ("resolved", f"accepted by import {resolved}" if resolved else "no"),
        ],
        Screen(),
        indent=0,
    )
    text = content.decode(errors="backslashreplace")
    page += ["", escape_lines(text[:EXCERPT])]
    if len(text) > EXCERPT:
        page.append(f"{ELLIPSIS} {len(text) - EXCERPT:,} characters more: --raw prints all.")
    return "\n".join(page) + "\n"
