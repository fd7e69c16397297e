"""`meta-audit rejections`: the quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from meta_audit.catalogue import REASONS
from meta_audit.cli import Exit, options
from meta_audit.cli.document import write_document
from meta_audit.cli.output import write_csv, write_json, write_ndjson, write_text
from meta_audit.cli.reading import read
from meta_audit.render.escape import escape, escape_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.query.results import KeptDocument, RejectionSummary
    from meta_audit.store.session import Session

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
    from meta_audit.query.rejections import Filter, list_rejections

    wanted = Filter(reason, source, import_id, resolved=resolved)
    found = read(db, lambda session: list_rejections(session, wanted, limit))
    rejections = found.rejections
    if format_ == "json":
        write_json(found)
    elif format_ == "ndjson":
        write_ndjson(rejections)
    elif format_ == "csv":
        _write_csv(rejections)
    elif rejections:
        write_text("\n".join(_lines(r) for r in rejections) + "\n")
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
    from meta_audit.query.documents import rejected_document
    from meta_audit.query.rejections import one_rejection
    from meta_audit.query.results import REJECTION_FORMAT, RejectionDetail

    def work(session: Session) -> tuple[RejectionSummary, KeptDocument]:
        return one_rejection(session, number), rejected_document(session, number)

    rejection, document = read(db, work)
    if raw:
        write_document(document, raw=True)
    elif format_ == "json":
        write_json(RejectionDetail(REJECTION_FORMAT, rejection, document.content))
    else:
        write_text(_page(rejection, document.content))
    return Exit.DONE


def _lines(rejection: RejectionSummary) -> str:
    """Two lines: what and where; why. Nothing is cut: the message is what helps."""
    at = rejection.position
    where = f"{escape(rejection.source)}, document {at.document}, line {at.line}"
    head = f"{rejection.rejection_id}  {rejection.reason}  {where}, import {rejection.import_id}"
    return f"{head}\n    {escape(rejection.message)}"


def _write_csv(rejections: Sequence[RejectionSummary]) -> None:
    from meta_audit.query.results import RejectionSummary

    names = RejectionSummary.__struct_fields__
    place = names.index("position")
    rows = []
    for rejection in rejections:
        values = [getattr(rejection, name) for name in names]
        values[place : place + 1] = [rejection.position.document, rejection.position.line]
        rows.append(values)
    write_csv((*names[:place], "document", "line", *names[place + 1 :]), rows)


def _page(rejection: RejectionSummary, content: bytes) -> str:
    from meta_audit.render.layout import ELLIPSIS, Screen, fields

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
