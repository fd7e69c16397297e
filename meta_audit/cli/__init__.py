"""The command line. Only here are errors caught and turned into exit codes.

Commands live in modules of their own and are imported when they are called, so that
`--help`, `--version` and completion start at once.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from contextlib import suppress
from enum import IntEnum
from importlib import import_module
from typing import TYPE_CHECKING, Final, TextIO

import click

from meta_audit import __version__
from meta_audit.errors import (
    LedgerError,
    MetaAuditError,
    NotFoundError,
    ProcessError,
    SourceError,
    StoreError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.ingest.options import Limits


class Exit(IntEnum):
    """What the program's exit code says (docs/cli.md)."""

    DONE = 0
    """Done, nothing to report."""
    FINDINGS = 1
    """Done, with something to report: documents rejected, nothing found, a check that failed."""
    USAGE = 2
    """The command line is wrong."""
    SOURCE = 3
    """A source could not be read."""
    STORE = 4
    """The store could not be reached, or has the wrong schema."""
    INTERNAL = 70
    """A bug in this program (EX_SOFTWARE of sysexits.h)."""
    OUTPUT = 74
    """What was to be printed could not be written (EX_IOERR of sysexits.h)."""


EXIT_OF: Final[tuple[tuple[type[MetaAuditError], Exit], ...]] = (
    (UsageError, Exit.USAGE),
    (NotFoundError, Exit.FINDINGS),
    (SourceError, Exit.SOURCE),
    (StoreError, Exit.STORE),
    (LedgerError, Exit.FINDINGS),
    (ProcessError, Exit.INTERNAL),
)

DISK_ERRORS: Final = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF)
"""What writing to a file may fail with and is no bug; the last where it is not open."""
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "ingest": ("meta_audit.cli.ingest", "Take job documents into the store."),
    "trace": ("meta_audit.cli.trace", "Who sent a job, and how do we know?"),
    "find": ("meta_audit.cli.find", "List the jobs that match."),
    "document": ("meta_audit.cli.document", "Print the original bytes of a document."),
    "verify": ("meta_audit.cli.verify", "Is the store what was ingested? Check all of it."),
    "prove": ("meta_audit.cli.prove", "Write a proof of a job's record that a stranger can check."),
    "verify-proof": ("meta_audit.cli.verify_proof", "Check a proof, without the store."),
    "checkpoint": ("meta_audit.cli.checkpoint", "Signed checkpoints of the ledger, and the key."),
    "rejections": ("meta_audit.cli.rejections", "Documents that were not taken."),
    "db": ("meta_audit.cli.db", "The store itself: where it is, its schema."),
}
"""Command: its module, and its help in a line."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,
        cmd_name: str,
    ) -> click.Command | None:
        """Import one command. Its module calls it `command`."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(cmd_name)
        return command

    def format_commands(
        self,
        ctx: click.Context,
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="meta-audit")
def cli() -> None:
    """Audit store for Bacalhau jobs: who sent a job, with what metadata, and how do we know?

    Exit codes: 0 done; 1 done, with something to report; 2 wrong usage; 3 a source could not
    be read; 4 the store could not be reached.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit."""
    _open_what_is_closed()
    sys.exit(run(arguments))


def _open_what_is_closed() -> None:
    """Where the process was started without its streams, reading and printing fail as on a disk.

    Messages go nowhere. Without this, a file or a connection might stand in their places.
    """
    for name, flags, mode in (
        ("stdin", os.O_WRONLY, "r"),
        ("stdout", os.O_RDONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode))


def run(arguments: Sequence[str] | None = None, limits: Limits | None = None) -> int:
    """Run the program, and return its exit code. No traceback reaches a user.

    `limits` of imports are for tests.
    """
    try:
        return _run(arguments, limits)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        return _could_not_print(error)


class _Warnings(logging.Handler):
    """Prints what the layers below have to say while they work, as that they wait."""

    def emit(self, record: logging.LogRecord) -> None:
        from meta_audit.render.escape import escape

        click.echo(escape(record.getMessage()), err=True)


def _run(arguments: Sequence[str] | None, limits: Limits | None) -> int:
    from meta_audit.render.escape import escape

    logger = logging.getLogger("meta_audit")
    if not logger.handlers:
        logger.addHandler(_Warnings())
    try:
        result = cli.main(args=arguments, prog_name="meta-audit", standalone_mode=False, obj=limits)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message(), err=True)
        return Exit.USAGE
    except click.ClickException as error:
        click.echo(f"Error: {escape(error.format_message())}", err=True)
        if isinstance(error, click.UsageError) and error.ctx:
            click.echo(error.ctx.get_usage(), err=True)
        return Exit.USAGE
    except MetaAuditError as error:
        click.echo(f"Error: {escape(str(error))}", err=True)
        if error.advice:
            click.echo(escape(error.advice), err=True)
        return next((c for kind, c in EXIT_OF if isinstance(error, kind)), Exit.INTERNAL)
    except BrokenPipeError:
        _discard(sys.stdout)
        return Exit.DONE
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise
        if os.environ.get("META_AUDIT_DEBUG"):
            raise
        click.echo(f"Internal error: {escape(f'{type(error).__name__}: {error}')}", err=True)
        click.echo(
            "This is a bug. Run again with META_AUDIT_DEBUG=1 and report what it says.", err=True
        )
        return Exit.INTERNAL
    return int(result or 0)


def _could_not_print(error: OSError) -> Exit:
    """Say so on stderr, which may be what failed."""
    _discard(sys.stdout)
    try:
        click.echo(f"Error: cannot write what is to be printed: {error.strerror}", err=True)
        click.echo(
            "What was done stands: run the same command again when that is mended.", err=True
        )
    except OSError:
        _discard(sys.stderr)
    return Exit.OUTPUT


def _discard(stream: TextIO) -> None:
    """What is still to be written to it goes nowhere."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
