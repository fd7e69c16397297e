"""`meta-audit checkpoint`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.groups import LazyGroup
from meta_audit.cli.output import write, write_bytes
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.api import AuditStore


@click.group(cls=LazyGroup)
@options.common
def command() -> None:
    """Show the ledger's checkpoints and keys.

    A checkpoint is a signed statement of how many entries the ledger has and of their hash.
    Each import ends with one. Keep copies elsewhere: `meta-audit verify --against` compares the
    store with them.
    """


@command.command(name="list")
@options.TEXT_OR_JSON
@options.reads_store
def list_command(store: AuditStore, format_: str) -> Exit:
    """List the checkpoints, oldest first."""
    from meta_audit.render.checkpoints import CheckpointsPage

    write(CheckpointsPage(store.checkpoints()), format_)
    return Exit.DONE


@command.command()
@click.argument("number", type=click.IntRange(1), metavar="N")
@options.reads_store
def show(store: AuditStore, number: int) -> Exit:
    """Print the signed note of checkpoint N, exactly.

    Collect notes in a file with >>, and give the file to `meta-audit verify --against`.
    """
    write_bytes(store.checkpoint(number).encode())
    return Exit.DONE


@command.command()
@click.argument("old", type=click.IntRange(1))
@click.argument("new", type=click.IntRange(1))
@options.TEXT_OR_JSON
@options.reads_store
def consistency(store: AuditStore, old: int, new: int, format_: str) -> Exit:
    """Prove that the ledger only grew from checkpoint OLD to checkpoint NEW.

    The proof shows that the ledger of OLD is the beginning of the ledger of NEW (RFC 9162
    §2.1.4). It is checked before it is printed.
    """
    from meta_audit.render.checkpoints import ConsistencyPage

    write(ConsistencyPage(store.consistency(old, new)), format_)
    return Exit.DONE


@command.command()
@options.reads_store
def key(store: AuditStore) -> Exit:
    """Print the verifier keys of the store, name+hash+key, newest last.

    Give them to anyone who will verify, and keep a copy elsewhere. Do not read the key from the
    store that you verify: anyone who can change the store can change its keys.
    """
    write_bytes("".join(f"{escape(one)}\n" for one in store.verifier_keys()).encode())
    return Exit.DONE
