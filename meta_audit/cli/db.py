"""`meta-audit db`: the store itself."""

from __future__ import annotations

import re
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.groups import LazyGroup
from meta_audit.cli.option import argument, option
from meta_audit.cli.output import done, write_bytes
from meta_audit.cli.progress import Line, progress
from meta_audit.errors import StoreError, UsageError
from meta_audit.render.escape import escape

_MODE = re.compile("0?6[0246]{2}")


@click.group(cls=LazyGroup)
@options.common
def command() -> None:
    """Manage the store: its path, its schema, copies of it, and roles on PostgreSQL."""


@command.command()
@options.common
def path() -> None:
    """Print the path or URL of the store, also if it does not exist yet."""
    from meta_audit.store.location import locate, shown

    click.echo(escape(shown(locate(options.db()))))


def _parse_mode(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """Read permissions as chmod takes them. Raises `UsageError`."""
    if text is None:
        return None
    if not _MODE.fullmatch(text):
        raise UsageError(
            f"--mode: not the permissions of a store: {text}",
            advice="Use 0600, 0640 (a group may read) or 0660 (a group may import).",
        )
    return int(text, 8)


@command.command(name="create")
@option(
    "--mode",
    metavar="MODE",
    callback=_parse_mode,
    help="Permissions of the file, as 0640 for a group that may read it.  [default: 0600]",
)
@options.ALLOW_UNSAFE_SERVER
@options.common
def create_command(*, mode: int | None, allow_unsafe_server: bool) -> None:
    """Make an empty store. `meta-audit ingest` makes one, too, where there is none.

    Only you may read a new SQLite store. --mode opens it to your group.
    """
    from meta_audit.store.location import is_sqlite, locate, shown
    from meta_audit.store.opening import has_store, open_to_write

    url = locate(options.db())
    if mode is not None and not is_sqlite(url):
        raise UsageError(
            "--mode is for SQLite files only", advice="Use `meta-audit db roles` on PostgreSQL."
        )
    if is_sqlite(url) and Path(url.database or "").is_dir():
        raise StoreError(f"{shown(url)} is a directory", advice="Name a file with --db.")
    if has_store(options.db()):
        raise StoreError(
            f"there is a store already: {shown(url)}", advice="Name another one with --db."
        )
    with closing(open_to_write(options.db(), allow_unsafe_server=allow_unsafe_server)) as store:
        if mode is not None and store.file:
            store.file.chmod(mode)
    done(f"New store: {escape(store.name)}")


@command.command(name="upgrade")
@options.common
def upgrade_command() -> None:
    """Change the schema of an older store to the one that this program uses."""
    from meta_audit.schema import HEAD
    from meta_audit.store.opening import open_to_upgrade

    with closing(open_to_upgrade(options.db())) as store:
        before = store.revision()
        if before < HEAD or store.is_old:
            store.upgrade()
        after = store.revision()
    if before == after:
        done(f"{escape(store.name)} has schema {after}: nothing to do.")
    else:
        done(f"{escape(store.name)}: schema {before or 'none'} -> {after}")


@command.command(name="copy")
@argument("from_", metavar="FROM")
@argument("to", metavar="TO")
@options.ALLOW_UNSAFE_SERVER
@options.LOG_QUERIES
@options.verbosity
def copy_command(
    from_: str, to: str, *, allow_unsafe_server: bool, log_queries: bool | None
) -> int:
    """Copy the store FROM into TO, a new or empty store, and verify the copy.

    FROM and TO are paths or URLs, of SQLite or PostgreSQL. The ledger and the checkpoints are
    copied too. The copy is made in one transaction: it is complete, or TO stays empty.
    """
    from meta_audit.cli.question_log import log_this
    from meta_audit.render.layout import count
    from meta_audit.store.opening import open_to_read, open_to_verify, open_to_write
    from meta_audit.store.transfer import copy
    from meta_audit.verify.run import verify

    if options.db() is not None:
        raise click.UsageError("`db copy` takes no --db: name both stores, FROM and TO")
    with closing(open_to_read(from_)) as source:
        log_this(source, wanted=log_queries)
        with (
            closing(open_to_write(to, allow_unsafe_server=allow_unsafe_server)) as target,
            progress("copying") as line,
        ):
            counts = copy(source, target, _Copied(line))
        rows = count(sum(counts.values()), "row")
        done(f"Copied {rows} from {escape(source.name)} to {escape(target.name)}.")
    with closing(open_to_verify(to)) as copied, progress("verifying") as line:
        report = verify(copied, against=(), progress=partial(line.show, "verifying"))
    entries = count(report.entries, "entry")
    said = f"The copy is {report.verdict}: {entries} of the ledger checked."
    if report.verdict == "intact":
        done(said)
        return Exit.DONE
    click.echo(said)
    return Exit.ATTENTION


@command.command(name="backup")
@argument("file", metavar="FILE")
@options.LOG_QUERIES
@options.common
def backup_command(file: str, *, log_queries: bool | None) -> None:
    """Copy an SQLite store into a new FILE, even while others write to it.

    The copy is a store like any other: check it with `meta-audit verify --db FILE`. A store with
    an older schema can be backed up before `meta-audit db upgrade`.
    """
    from meta_audit.api import AuditStore
    from meta_audit.cli.question_log import log_this
    from meta_audit.store.opening import open_to_verify

    opened = open_to_verify(options.db())
    with AuditStore(opened) as store:
        log_this(opened, wanted=bool(log_queries))
        size = store.backup(file)
    done(f"Backed up {escape(store.name)} to {escape(file)}: {size:,} bytes.")


@command.command(name="roles")
@option(
    "--owner",
    default="meta_audit_owner",
    show_default=True,
    metavar="ROLE",
    help="Upgrades the store.",
)
@option(
    "--importer",
    default="meta_audit_importer",
    show_default=True,
    metavar="ROLE",
    help="Adds facts.",
)
@option(
    "--auditor",
    default="meta_audit_auditor",
    show_default=True,
    metavar="ROLE",
    help="Reads, and logs what it asks.",
)
@option("--apply", "apply_", is_flag=True, help="Run the SQL instead of printing it.")
@options.common
def roles_command(owner: str, importer: str, auditor: str, *, apply_: bool) -> None:
    """Print the SQL that makes the roles of a PostgreSQL store, or run it.

    The owner owns the tables and upgrades them. The importer may insert facts, but not update
    or delete them. The auditor may only read, and log what it asks. None of them can log in:
    grant them to users who can. Run this again after an upgrade (docs/postgresql.md).
    """
    from meta_audit.store.opening import open_to_upgrade
    from meta_audit.store.postgresql.roles import Roles

    with closing(open_to_upgrade(options.db())) as store:
        session = store.session()
        sql = store.backend.role_statements(session, Roles(owner, importer, auditor))
        if apply_:
            session.transaction(lambda: [session.query(statement) for statement in sql])
    if apply_:
        done(f"{escape(store.name)}: roles {escape(f'{owner}, {importer}, {auditor}')}.")
    else:
        text = "".join(f"{statement};\n" for statement in ("BEGIN", *sql, "COMMIT"))
        write_bytes(text.encode())


class _Copied:
    """Show which table is being copied."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._rows = 0

    def __call__(self, table: str, rows: int) -> None:
        self._rows += rows
        self._line.show(f"{self._rows:,} rows, {table}")
