"""The options that several commands share: one catalogue, so that they read the same everywhere.

`--db`, `--quiet` and `--verbose` may stand before the command or after it. They are kept in the
context of the whole run, and read back by `db`, `is_quiet` and `is_verbose`.
"""

from __future__ import annotations

import os
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from meta_audit.cli import complete, log
from meta_audit.cli.groups import LazyGroup
from meta_audit.cli.option import option
from meta_audit.search.sorts import SORTS

if TYPE_CHECKING:
    from collections.abc import Callable

_Command = TypeVar("_Command", bound="Callable[..., Any]")

_DB: Final = complete.DB
_QUIET: Final = "meta_audit.quiet"
_VERBOSE: Final = "meta_audit.verbose"
_FILE: Final = "meta_audit.file"


_SERVER: Final = (
    option("--namespace", default="", metavar="NS", help="Only jobs in this namespace."),
    option(
        "--label",
        "labels",
        multiple=True,
        metavar="SELECTOR",
        help="Only jobs whose labels match, as env=prod; may be repeated (servers from v1.4).",
    ),
    option(
        "--credentials",
        metavar="FILE",
        help="File with lines BACALHAU_API_KEY=..., or BACALHAU_API_USERNAME=... and "
        "BACALHAU_API_PASSWORD=....  [default: the environment]",
    ),
    option(
        "--ca-file", metavar="FILE", help="Certificates (PEM) to trust in place of the system's."
    ),
)


def db() -> str | None:
    """Return what `--db` was given, before the command or after it, or in a file."""
    meta = click.get_current_context().meta
    if _DB in meta:
        given: str = meta[_DB]
        return given
    return None if "META_AUDIT_DB" in os.environ else _general().get("db")


def is_quiet() -> bool:
    """Tell whether `--quiet` was given."""
    meta = click.get_current_context().meta
    return _QUIET in meta or (_VERBOSE not in meta and bool(_general().get("quiet")))


def is_verbose() -> bool:
    """Tell whether `--verbose` was given."""
    meta = click.get_current_context().meta
    return _VERBOSE in meta or (_QUIET not in meta and bool(_general().get("verbose")))


def read_file(context: click.Context, path: str, log_format: str | None) -> None:
    """Take options from a file, where neither command line nor environment have them."""
    from meta_audit.cli.config import read_config

    config = read_config(path)
    group, name = context.command, context.invoked_subcommand
    if not isinstance(group, LazyGroup) or name is None:
        return
    config.check(group, context)
    context.meta[_FILE] = config.general
    if log_format is None:
        log.choose(config.general.get("log-format", "text"), name)
    command = group.get_command(context, name)
    if command is not None:
        context.default_map = {name: config.defaults(command, context, name)}


def _general() -> dict[str, Any]:
    """Return what a file says for the whole program."""
    general: dict[str, Any] = click.get_current_context().meta.get(_FILE, {})
    return general


def _keep_db(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    if context.meta.setdefault(_DB, value) != value:
        raise click.UsageError("--db is given twice, with different values", context)


def _keep_quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
    _keep_flag(context, _QUIET, given=value)


def _keep_verbose(context: click.Context, _: click.Parameter, value: bool) -> None:
    _keep_flag(context, _VERBOSE, given=value)


def _keep_flag(context: click.Context, name: str, *, given: bool) -> None:
    if given:
        context.meta[name] = True
    if {_QUIET, _VERBOSE} <= context.meta.keys():
        raise click.UsageError("--quiet and --verbose cannot be used together", context)


DB = option(
    "--db",
    metavar="PATH|URL",
    may_be_empty=True,
    expose_value=False,
    callback=_keep_db,
    help="The store: a path, or postgresql://USER@HOST/DATABASE.  [default: $META_AUDIT_DB, else "
    "a file in the user's data directory, see `meta-audit db path`]",
)
_QUIET_OPTION = option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_keep_quiet,
    help="Print no progress and no notes, and no report of work that went well.",
)
_VERBOSE_OPTION = option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_keep_verbose,
    help="Also name what is otherwise only counted.",
)


def verbosity(command: _Command) -> _Command:
    """Give a command or group `--quiet` and `--verbose`."""
    return _QUIET_OPTION(_VERBOSE_OPTION(command))


def of_server(command: _Command) -> _Command:
    """Give a command the options that say what to ask a server for, and how."""
    for decorate in reversed(_SERVER):
        command = decorate(command)
    return command


def common(command: _Command) -> _Command:
    """Give a command or group `--db`, `--quiet` and `--verbose`."""
    return DB(verbosity(command))


LOG_QUERIES = option(
    "--log-queries/--no-log-queries",
    default=None,
    help="Log who asks what before it is answered, on PostgreSQL.  [default: for members of the "
    "auditor's role]",
)


def reads_store(command: _Command) -> _Command:
    """Give a command the common options, and as `store` the store that they name, to read.

    The question is logged first, where that is wanted.
    """

    @wraps(command)
    def with_store(*, log_queries: bool | None, **arguments: Any) -> Any:
        from meta_audit.api import AuditStore
        from meta_audit.cli.question_log import log_this
        from meta_audit.store.opening import open_to_read

        opened = open_to_read(db())
        with AuditStore(opened) as store:
            log_this(opened, wanted=log_queries)
            return command(store=store, **arguments)

    return LOG_QUERIES(common(with_store))  # type: ignore[return-value]


def verifies_store(command: _Command) -> _Command:
    """Do as `reads_store`, with a store that may be damaged; nothing is written to it."""

    @wraps(command)
    def with_store(**arguments: Any) -> Any:
        from meta_audit import api

        with api.open(db(), damaged=True) as store:
            return command(store=store, **arguments)

    return common(with_store)  # type: ignore[return-value]


ALLOW_UNSAFE_SERVER = option(
    "--allow-unsafe-server",
    is_flag=True,
    help="Write although the PostgreSQL server runs with fsync, full_page_writes or "
    "synchronous_commit off: a crash may lose saved work.",
)
COERCE_SCALARS = option(
    "--coerce-scalars",
    is_flag=True,
    help="Take Meta and label values that are not strings as the text that Bacalhau v1.0.4-v1.3.2 "
    "stored, with a finding. Otherwise the document is rejected, as v1.4 and later do.",
)
JOBS = option(
    "--jobs",
    type=click.IntRange(0, 64),
    metavar="N",
    help="Number of extra processes that parse. 0: parse in the main process.  "
    "[default: 1, or 0 on a single processor]",
)


VERIFIERS: Final = option(
    "--jobs",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Check with N processes.  [default: one per processor]",
)


def processes(jobs: int | None) -> int:
    """Return the number of extra processes that `--jobs` means, by default for this machine."""
    return min(1, (os.cpu_count() or 1) - 1) if jobs is None else jobs


CHECKPOINT_LOG = option(
    "--checkpoint-log",
    metavar="PATH",
    help="Append the signed checkpoint to this file.  [default: $META_AUDIT_CHECKPOINT_LOG, "
    "else PATH-OF-THE-STORE.checkpoints]",
)
NAMESPACE = option(
    "--namespace",
    metavar="NS",
    may_be_empty=True,
    shell_complete=complete.namespace,
    help="Only jobs in this namespace.",
)


def _check_expressions(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Report a wrong expression before a store is looked for."""
    from meta_audit.search.arguments import read_arguments

    read_arguments(values)
    return values


def _parse_columns(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    from meta_audit.search.normal_form import key_as_text
    from meta_audit.search.parser import parse_keys

    return tuple(key_as_text(column.key, column.place) for column in parse_keys(value))


JOB_SORT = option(
    "--sort",
    type=click.Choice(SORTS),
    default="created",
    show_default=True,
    help="Order: times from the newest on, texts from A on.",
)
EXPRESSIONS = click.argument(
    "expressions",
    nargs=-1,
    metavar="[EXPR]...",
    callback=_check_expressions,
    shell_complete=complete.terms,
)
COLUMNS = option(
    "--columns",
    metavar="KEY,...",
    callback=_parse_columns,
    shell_complete=complete.columns,
    help="Add the values of these Meta keys (label:KEY: labels) in the newest version.",
)


def parse_keys(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[Any]:
    """Read verifier keys. Raises `UsageError`."""
    if not values:
        return []
    from meta_audit.errors import LedgerError, UsageError
    from meta_audit.ledger.note import VerifierKey

    try:
        return [VerifierKey.parse(value.strip()) for value in values]
    except LedgerError as error:
        raise UsageError(f"--key: {error}", advice="Give it as name+hash+key.") from error


KEYS = option(
    "--key",
    "keys",
    multiple=True,
    metavar="VKEY",
    callback=parse_keys,
    help="A verifier key that you trust, as name+hash+key; may be repeated.",
)


def format_option(*formats: str, help_: str) -> Callable[[_Command], _Command]:
    """Return the option `--format`, for text and the other formats that a command can write."""
    return option(
        "--format",
        "format_",
        type=click.Choice(["text", *formats]),
        default="text",
        show_default=True,
        help=help_,
    )


TEXT_OR_JSON = format_option("json", help_="Text for people, or everything for programs.")
FORMAT = format_option(
    "json", "ndjson", "csv", help_="A table for people, or everything for programs."
)
LIMIT = option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="Show at most N.",
)
NUMBER = click.IntRange(1, (1 << 63) - 1)
"""A number that every store can hold."""
LIMIT_OR_ALL = option(
    "--limit",
    type=NUMBER,
    metavar="N",
    help="Show at most N.  [default: 50 for text and json, all for ndjson and csv]",
)


def most(limit: int | None, format_: str) -> int | None:
    """Return how many rows to write in a format where `--limit` says so, or not."""
    return 50 if limit is None and format_ in ("text", "json") else limit


AS_OF = option(
    "--as-of",
    metavar="TIME",
    help="What the store knew then: leave out imports that began after TIME (2024-03-31, or "
    "2024-03-31T14:30:00Z).",
)
AT = option(
    "--at",
    metavar="TIME",
    help="What was so at the end of TIME, by all that is known now: 2024-03, 2024-03-01, "
    "2024-03-01T10:00.",
)
SINCE = option(
    "--since",
    metavar="TIME",
    help="Not before TIME: 2024, 2024-03, 2024-03-31, or 2024-03-31T14:30:00Z.",
)
UNTIL = option("--until", metavar="TIME", help="Not after TIME; 2024-03 is until the end of March.")
SORT = option(
    "--sort",
    type=click.Choice(["count", "name", "first", "last"]),
    default="count",
    show_default=True,
    help="By number of jobs, by name, or by the first or last time.",
)
