"""`meta-audit db`: the store itself."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@click.group(short_help="The store itself: where it is, its schema.")
def command() -> None:
    """The store itself: where it is, its schema."""


@command.command()
@options.DB
def path(db: str | None) -> None:
    """Print where the store is, or would be made."""
    from meta_audit.store.location import locate, shown

    click.echo(escape(shown(locate(db))))


@command.command(name="upgrade")
@options.DB
def upgrade_command(db: str | None) -> None:
    """Bring a store of an older schema to this program's."""
    from meta_audit.schema import HEAD
    from meta_audit.store.opening import open_to_upgrade

    store = open_to_upgrade(db)
    try:
        before = store.revision()
        if before < HEAD:
            store.upgrade()
        after = store.revision()
    finally:
        store.close()
    if before == after:
        click.echo(f"{escape(store.name)} has schema {after}: nothing to do.")
    else:
        click.echo(f"{escape(store.name)}: schema {before or 'none'} -> {after}")


@command.command(name="copy", short_help="Copy a whole store into an empty one, and verify it.")
@click.argument("from_", metavar="FROM")
@click.argument("to", metavar="TO")
@options.ALLOW_UNSAFE_SERVER
def copy_command(from_: str, to: str, *, allow_unsafe_server: bool) -> int:
    """Copy the store FROM into TO, an empty or new one, and verify the copy.

    Each is a path or a URL: SQLite to PostgreSQL, back again, or within one engine. Ledger and
    checkpoints go along. The copy is made in one transaction: whole, or not at all.
    """
    from meta_audit.cli.verify import verified
    from meta_audit.store.opening import open_to_read, open_to_write
    from meta_audit.store.transfer import copy

    source = open_to_read(from_)
    try:
        target = open_to_write(to, allow_unsafe_server=allow_unsafe_server)
        try:
            with _counting() as copied:
                counts = copy(source, target, copied)
        finally:
            target.close()
    finally:
        source.close()
    rows = sum(counts.values())
    click.echo(f"Copied {rows:,} rows from {escape(source.name)} to {escape(target.name)}.")
    report = verified(to, against=())
    click.echo(f"The copy is {report.verdict}: {report.entries:,} entries of the ledger checked.")
    return Exit.DONE if report.verdict == "intact" else Exit.FINDINGS


@command.command(name="backup", short_help="Copy an SQLite store while others write to it.")
@click.argument("file", metavar="FILE")
@options.DB
def backup_command(file: str, db: str | None) -> None:
    """Copy an SQLite store into a new FILE, while others may write to it.

    The copy is a store like any other: check it with `meta-audit verify --db FILE`.
    """
    from meta_audit.store.opening import open_to_read
    from meta_audit.store.transfer import backup

    store = open_to_read(db)
    try:
        size = backup(store, file)
    finally:
        store.close()
    click.echo(f"Backed up {escape(store.name)} to {escape(file)}: {size:,} bytes.")


@command.command(name="roles", short_help="Who may change and who may read, on PostgreSQL.")
@click.option("--owner", default="meta_audit_owner", show_default=True, help="Upgrades the store.")
@click.option("--importer", default="meta_audit_importer", show_default=True, help="Adds facts.")
@click.option("--auditor", default="meta_audit_auditor", show_default=True, help="Only reads.")
@click.option("--apply", "apply_", is_flag=True, help="Run the SQL, instead of printing it.")
@options.DB
def roles_command(owner: str, importer: str, auditor: str, *, apply_: bool, db: str | None) -> None:
    """Print the SQL that makes three roles of a PostgreSQL store, or run it.

    The owner has the tables and upgrades them; the importer may insert facts, and neither update
    nor delete them; the auditor may read. None of them can log in: grant them to those who can.
    Run this again after an upgrade (docs/postgresql.md).
    """
    from meta_audit.store.opening import open_to_upgrade
    from meta_audit.store.postgresql.roles import Roles

    store = open_to_upgrade(db)
    try:
        session = store.session()
        sql = store.backend.role_statements(session, Roles(owner, importer, auditor))
        if apply_:
            session.transaction(lambda: [session.query(statement) for statement in sql])
    finally:
        store.close()
    if apply_:
        click.echo(f"{escape(store.name)}: roles {escape(f'{owner}, {importer}, {auditor}')}.")
    else:
        click.echo("".join(f"{statement};\n" for statement in ("BEGIN", *sql, "COMMIT")), nl=False)


@contextmanager
def _counting() -> Iterator[Callable[[str, int], None]]:
    """On a terminal, show which table is being copied."""
    if not sys.stderr.isatty():
        yield lambda _table, _rows: None
        return
    total = 0

    def show(table: str, rows: int) -> None:
        nonlocal total
        total += rows
        sys.stderr.write(f"\r\x1b[K{total:,} rows, {table}")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
