"""The command line. Errors are caught and turned into exit codes only here.

Commands live in modules of their own and are imported when they are called, so that
`--help`, `--version` and completion start at once.
"""

from __future__ import annotations

import errno
import gc
import logging
import os
import sys
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Final, TextIO

import click

from meta_audit.cli import log, options
from meta_audit.cli.groups import LazyGroup
from meta_audit.cli.option import option
from meta_audit.errors import (
    ExpressionError,
    LedgerError,
    MetaAuditError,
    NotFoundError,
    ProcessError,
    SourceError,
    StoreError,
    UsageError,
)
from meta_audit.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.ingest.options import Limits


OBJECTS_PER_COLLECTION: Final = 50_000
"""With Python's 700, a tenth of the start goes into collections that find nothing."""


class Exit(IntEnum):
    """Exit codes of the program (docs/cli.md)."""

    DONE = 0
    """Done, nothing to report."""
    ATTENTION = 1
    """Done, with something to report: documents rejected, nothing found, a check that failed."""
    USAGE = 2
    """The command line is wrong."""
    SOURCE = 3
    """A source could not be read."""
    STORE = 4
    """The store could not be reached or written, or has the wrong schema."""
    INTERNAL = 70
    """A bug in this program (EX_SOFTWARE of sysexits.h)."""
    OUTPUT = 74
    """The output could not be written (EX_IOERR of sysexits.h)."""


EXIT_OF: Final[tuple[tuple[type[MetaAuditError], Exit], ...]] = (
    (UsageError, Exit.USAGE),
    (NotFoundError, Exit.ATTENTION),
    (SourceError, Exit.SOURCE),
    (StoreError, Exit.STORE),
    (LedgerError, Exit.ATTENTION),
    (ProcessError, Exit.INTERNAL),
)

DISK_ERRORS: Final = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF)
"""Errors of writing to a file that are no bug; the last one where it is not open."""
SECTIONS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "Take in": {
        "ingest": ("meta_audit.cli.ingest", "Take job documents into the store."),
        "pull": ("meta_audit.cli.pull", "Take the jobs of an orchestrator into the store."),
        "segments": ("meta_audit.cli.segments", "Read documents on many machines, for one store."),
        "compare": ("meta_audit.cli.compare", "Tell where an orchestrator and the store differ."),
        "rejections": ("meta_audit.cli.rejections", "Show documents that were not taken, and why."),
        "reread": ("meta_audit.cli.reread", "Read kept documents again, after an upgrade."),
        "alias": ("meta_audit.cli.alias", "Name the people and teams behind IDs and keys."),
    },
    "Ask about jobs": {
        "trace": ("meta_audit.cli.trace", "Show who sent a job, and how we know."),
        "find": ("meta_audit.cli.find", "List the jobs that match."),
        "who": ("meta_audit.cli.who", "Show what is known of a client, node or key."),
        "history": ("meta_audit.cli.history", "Show a job on a time line."),
        "diff": ("meta_audit.cli.diff", "Compare two versions of a job."),
        "document": ("meta_audit.cli.document", "Print the original bytes of a document."),
        "has": ("meta_audit.cli.has", "Tell which jobs or documents of a file are here."),
        "export": ("meta_audit.cli.export", "Write the jobs that match to a file."),
        "sql": ("meta_audit.cli.sql", "Ask the store in SQL; it can only be read."),
    },
    "See what there is": {
        "clients": ("meta_audit.cli.counts:clients", "List clients, with counts of jobs."),
        "requesters": ("meta_audit.cli.counts:requesters", "List nodes that accepted jobs."),
        "nodes": ("meta_audit.cli.counts:nodes", "List nodes that ran jobs."),
        "keys": ("meta_audit.cli.counts:keys", "List Meta keys, with counts of jobs."),
        "values": ("meta_audit.cli.counts:values", "List the values of a Meta key."),
        "findings": ("meta_audit.cli.findings", "List what an auditor should look at."),
        "imports": ("meta_audit.cli.imports", "List imports: who, when, what they brought."),
        "report": ("meta_audit.cli.report", "Report on a period: what came, what is missing."),
    },
    "Prove": {
        "verify": ("meta_audit.cli.verify", "Check that nobody changed the store."),
        "prove": ("meta_audit.cli.prove", "Write a proof of a job that anyone can check."),
        "verify-proof": ("meta_audit.cli.verify_proof", "Check a proof, without the store."),
        "checkpoint": ("meta_audit.cli.checkpoint", "Show the ledger's checkpoints and keys."),
    },
    "Manage": {
        "lake": ("meta_audit.cli.lake", "Keep stores as Iceberg tables, for Spark, DuckDB ..."),
        "completion": ("meta_audit.cli.completion", "Complete with the Tab key: bash, zsh, fish."),
        "db": ("meta_audit.cli.db", "Manage the store: path, schema, copies, roles."),
    },
}
"""Commands as the help lists them: section, command, its module, and its help in a line."""
COMMANDS: Final = {name: where for section in SECTIONS.values() for name, where in section.items()}


_BEFORE_THE_COMMAND: Final = ("--config", "--log-format")


@click.group(cls=LazyGroup, lazy=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]})
@options.common
@option(
    "--config",
    metavar="FILE",
    envvar="META_AUDIT_CONFIG",
    help="Read options from this TOML file (docs/deploy.md).  [default: $META_AUDIT_CONFIG]",
)
@option(
    "--log-format",
    type=click.Choice(log.FORMATS),
    envvar="META_AUDIT_LOG_FORMAT",
    help="Write messages on stderr as text, or each as a JSON object in a line.  [default: text]",
)
@click.version_option(__version__, "-V", "--version", prog_name="meta-audit")
@click.pass_context
def cli(context: click.Context, config: str | None, log_format: str | None) -> None:
    """Keep Bacalhau jobs for audit: who sent a job, with what metadata, and how do we know?

    Begin with `meta-audit ingest FILE`, then `meta-audit trace JOB`. --db, --quiet and
    --verbose may stand before the command or after it.

    Exit codes: 0 done; 1 done, with something to report; 2 wrong usage; 3 a source could not
    be read; 4 the store could not be used.
    """
    command = context.invoked_subcommand or ""
    log.choose(log_format or "text", command)
    if config:
        options.read_file(context, config, log_format)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit."""
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    _open_what_is_closed()
    try:
        sys.exit(run(arguments))
    finally:
        gc.freeze()  # Python would look at every object again as it ends: 70 ms


def _open_what_is_closed() -> None:
    """Replace standard streams that are closed, so that no file or connection takes their place.

    Reading and printing then fail as on a broken disk; messages go nowhere.
    """
    for name, flags, mode in (
        ("stdin", os.O_WRONLY, "r"),
        ("stdout", os.O_RDONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode))


def run(arguments: Sequence[str] | None = None, limits: Limits | None = None) -> int:
    """Run the program and return its exit code. No traceback reaches a user.

    `limits` of imports are for tests.
    """
    try:
        return _run(arguments, limits)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        return _could_not_print(error)


class _Warnings(logging.Handler):
    """Print warnings of the layers below, for example that they wait for the store."""

    def emit(self, record: logging.LogRecord) -> None:
        from meta_audit.render.escape import escape

        log.say(escape(record.getMessage()), "warning")


def _run(arguments: Sequence[str] | None, limits: Limits | None) -> int:
    from meta_audit.render.escape import escape

    log.choose("text", "")
    logger = logging.getLogger("meta_audit")
    if not logger.handlers:
        logger.addHandler(_Warnings())
    if os.environ.get("_META_AUDIT_COMPLETE"):
        from meta_audit.cli.shells import register

        register()
    try:
        result = cli.main(args=arguments, prog_name="meta-audit", standalone_mode=False, obj=limits)
    except click.exceptions.Abort:
        log.say("Interrupted.", "warning")
        return 130
    except click.ClickException as error:
        is_usage = isinstance(error, click.UsageError) and error.ctx
        usage = error.ctx.get_usage() if is_usage else ""  # type: ignore[attr-defined]
        log.say(escape(_what_is_wrong(error)), "error", advice=usage)
        return Exit.USAGE
    except MetaAuditError as error:
        advice = [escape(error.advice)] if error.advice else []
        if isinstance(error, ExpressionError):
            from meta_audit.render.caret import pointed

            advice = [*pointed(error.text, error.position), *advice]
        log.say(escape(str(error)), "error", advice="\n".join(advice))
        return next((c for kind, c in EXIT_OF if isinstance(error, kind)), Exit.INTERNAL)
    except SystemExit as error:
        if error.code != 1:
            raise  # click exits with 1 where nobody reads the output any more
        _discard(sys.stdout)
        return Exit.DONE
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise
        if os.environ.get("META_AUDIT_DEBUG"):
            raise
        log.say(
            f"Internal error: {escape(f'{type(error).__name__}: {error}')}",
            "critical",
            advice="This is a bug. Run again with META_AUDIT_DEBUG=1 and report what it says.",
        )
        return Exit.INTERNAL
    return int(result or 0)


def _what_is_wrong(error: click.ClickException) -> str:
    """Return what is wrong with a command line; of an option in the wrong place, the right one."""
    if isinstance(error, click.NoSuchOption) and error.option_name in _BEFORE_THE_COMMAND:
        return f"{error.option_name} stands before the command: meta-audit {error.option_name} ..."
    return error.format_message()


def _could_not_print(error: OSError) -> Exit:
    """Report it on stderr, which may be what failed."""
    _discard(sys.stdout)
    try:
        log.say(
            f"cannot write the output: {error.strerror}",
            "error",
            advice="Completed work is saved. Fix the problem, then run the command again.",
        )
    except OSError:
        _discard(sys.stderr)
    return Exit.OUTPUT


def _discard(stream: TextIO) -> None:
    """Drop what is still to be written to a stream."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
