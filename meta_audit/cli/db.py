"""`meta-audit db`: the store itself."""

from __future__ import annotations

import click

from meta_audit.cli import options
from meta_audit.render.escape import escape


@click.group(short_help="The store itself: where it is, its schema.")
def command() -> None:
    """The store itself: where it is, its schema."""


@command.command()
@options.DB
def path(db: str | None) -> None:
    """Print where the store is, or would be made."""
    from meta_audit.store.opening import locate, shown

    click.echo(escape(shown(locate(db))))


@command.command(name="upgrade")
@options.DB
def upgrade_command(db: str | None) -> None:
    """Bring a store of an older schema to this program's."""
    from meta_audit.schema import HEAD
    from meta_audit.store.opening import open_to_upgrade, revision, upgrade

    store = open_to_upgrade(db)
    try:
        before = revision(store)
        if before < HEAD:
            upgrade(store)
        after = revision(store)
    finally:
        store.close()
    if before == after:
        click.echo(f"{escape(store.shown)} has schema {after}: nothing to do.")
    else:
        click.echo(f"{escape(store.shown)}: schema {before or 'none'} -> {after}")
