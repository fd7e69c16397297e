"""`meta-audit rejections`: the quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from meta_audit.cli import Exit, complete, options
from meta_audit.cli.groups import LazyGroup
from meta_audit.cli.option import option
from meta_audit.cli.output import write

if TYPE_CHECKING:
    from meta_audit.api import AuditStore

LAZY: Final = {
    "retry": ("meta_audit.cli.rejections_retry", "Try every open rejection again."),
    "dismiss": ("meta_audit.cli.dismiss", "Take a rejection off the list, with a reason."),
}
"""Commands that write: they bring all of ingest with them."""


@click.group(cls=LazyGroup, lazy={"Commands": LAZY})
@options.common
def command() -> None:
    """Show documents that were not taken, and why.

    Their bytes are kept. They can be tried again after an upgrade or with other options, or
    dismissed with a reason.
    """


@command.command(name="list")
@option(
    "--reason",
    metavar="NAME",
    shell_complete=complete.reason,
    help="Only this reason, or a group such as meta.",
)
@option("--source", metavar="TEXT", help="Only sources whose name contains TEXT.")
@option("--import", "import_id", type=int, metavar="N", help="Only those of import N.")
@option("--all", "resolved", is_flag=True, help="Also those that are resolved or dismissed.")
@options.LIMIT
@options.FORMAT
@options.reads_store
def list_(
    store: AuditStore,
    *,
    reason: str | None,
    source: str | None,
    import_id: int | None,
    resolved: bool,
    limit: int,
    format_: str,
) -> Exit:
    """List open rejections, oldest first.

    A rejection is open until the same document is accepted (it is then resolved), or until it
    is dismissed.
    """
    from meta_audit.render.rejections import RejectionsPage

    found = store.rejections(
        reason=reason, source=source, import_id=import_id, resolved=resolved, limit=limit
    )
    write(RejectionsPage(found), format_)
    return Exit.DONE


@command.command()
@click.argument("number", type=int)
@option("--raw", is_flag=True, help="Print only the kept bytes, exactly.")
@options.format_option("json", help_="Text for people, or everything (the bytes in base64).")
@options.reads_store
def show(store: AuditStore, number: int, raw: bool, format_: str) -> Exit:
    """Show one rejection: why, where, and how the document begins.

    NUMBER is the first number in a line of `meta-audit rejections list`.
    """
    if raw:
        from meta_audit.cli.document import write_document

        write_document(store.rejected_document(number), raw=True)
    else:
        from meta_audit.render.rejections import RejectionPage

        write(RejectionPage(store.rejection(number)), format_)
    return Exit.DONE
