"""`meta-audit alias`: names of people and teams on identities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.groups import LazyGroup
from meta_audit.cli.output import write

if TYPE_CHECKING:
    from meta_audit.api import AuditStore

LAZY: Final = {
    "add": ("meta_audit.cli.alias_writing:add", "Name a client, node, key or installation."),
    "remove": ("meta_audit.cli.alias_writing:remove", "Take a name back."),
}
"""Commands that write: they bring all of ingest with them."""


@click.group(cls=LazyGroup, lazy={"Commands": LAZY})
@options.common
def command() -> None:
    """Give names to identities: the person or team behind a client, node or key.

    A name is a fact like others: who gave it, when and why is signed, and it can be taken back
    but not deleted. `trace`, `who`, `clients`, `requesters` and `nodes` show it, and so does
    the view v_aliases. It proves nothing: it says what somebody in your house knows.
    """


@command.command(name="list")
@options.FORMAT
@options.reads_store
def list_(store: AuditStore, format_: str) -> Exit:
    """List names that nobody took back."""
    from meta_audit.render.aliases import AliasesPage

    write(AliasesPage(store.aliases()), format_)
    return Exit.DONE
