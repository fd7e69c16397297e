"""`meta-audit who`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, complete, options
from meta_audit.cli.output import write

if TYPE_CHECKING:
    from meta_audit.api import AuditStore


@click.command()
@click.argument("identity", metavar="ID", shell_complete=complete.identity)
@options.AS_OF
@options.AT
@options.TEXT_OR_JSON
@options.reads_store
def command(
    store: AuditStore, identity: str, *, as_of: str | None, at: str | None, format_: str
) -> Exit:
    """Show what is known of a client, node, key or installation.

    ID is the whole value, the beginning of one (the n- of a node may be left out), or the
    fingerprint of a key (SHA256:...). If several fit, they are listed and the exit code is 1.

    The page shows its roles, how far to trust that it was named rightly, when it was first and
    last seen, with whom it appears, and its newest jobs. One key under two IDs, and one ID with
    two keys, stand out.
    """
    from meta_audit.query.name_identity import IdentityCandidates
    from meta_audit.render.who import IdentityCandidatesPage, WhoPage

    found = store.who(identity, as_of=as_of, at=at)
    if isinstance(found, IdentityCandidates):
        write(IdentityCandidatesPage(found), format_)
        return Exit.ATTENTION
    write(WhoPage(found), format_)
    return Exit.DONE
