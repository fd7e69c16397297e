"""`meta-audit alias add` and `meta-audit alias remove`."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, complete, options
from meta_audit.cli.import_output import report_log
from meta_audit.cli.option import option
from meta_audit.cli.output import done, write
from meta_audit.cli.progress import ImportReporter
from meta_audit.cli.writing import opened_to_write
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.ingest.run import Import
    from meta_audit.store.opening import Store


@click.command(name="add")
@click.argument("identity", metavar="ID", shell_complete=complete.identity)
@click.argument("name")
@option("--from", "since", metavar="DATE", help="From the beginning of DATE on.")
@option("--until", metavar="DATE", help="Until before the beginning of DATE.")
@option("--reason", default="", metavar="TEXT", help="How you know.")
@options.CHECKPOINT_LOG
@options.ALLOW_UNSAFE_SERVER
@options.common
def add(
    identity: str,
    name: str,
    *,
    since: str | None,
    until: str | None,
    reason: str,
    checkpoint_log: str | None,
    allow_unsafe_server: bool,
) -> Exit:
    """Name a client, node, key or installation.

    ID is as in `meta-audit who`: the whole value, the beginning of one, or the fingerprint of a
    key. The store must know it. NAME is that of a person or a team. An identity may have
    several names, and a name several identities.

    --from and --until limit the time in which the name holds: `trace` shows the names that held
    when the job was created. Your user name and the time are recorded and signed.
    """
    from meta_audit.query.name_identity import IdentityCandidates, name_identity
    from meta_audit.record.aliases import Alias
    from meta_audit.render.who import IdentityCandidatesPage

    valid = _beginning(since), _beginning(until)
    with opened_to_write(allow_unsafe_server=allow_unsafe_server) as store:
        meant = store.read(lambda session: name_identity(session, identity))
        if isinstance(meant, IdentityCandidates):
            write(IdentityCandidatesPage(meant), "text")
            return Exit.ATTENTION
        arguments = ["alias", "add", meant.value, name]
        given = {"--from": since, "--until": until, "--reason": reason}
        arguments += [f"{option}={text}" for option, text in given.items() if text]
        alias = Alias(meant.value, name, *valid, reason)
        result = _import(store, checkpoint_log).give_alias(alias, arguments)
    done(f"Import {result.import_id}: {escape(meant.value)} is known as {escape(name)}")
    return report_log(result)


@click.command(name="remove")
@click.argument("number", type=options.NUMBER)
@option("--reason", default="", metavar="TEXT", help="Why the name no longer holds.")
@options.CHECKPOINT_LOG
@options.ALLOW_UNSAFE_SERVER
@options.common
def remove(
    number: int, *, reason: str, checkpoint_log: str | None, allow_unsafe_server: bool
) -> Exit:
    """Take a name back.

    NUMBER is the first number in a line of `meta-audit alias list`. What was said stays in the
    store and its ledger.
    """
    arguments = ["alias", "remove", f"{number}", *([f"--reason={reason}"] if reason else [])]
    with opened_to_write(allow_unsafe_server=allow_unsafe_server) as store:
        result = _import(store, checkpoint_log).withdraw_alias(number, reason, arguments)
    done(f"Import {result.import_id}: alias {number} taken back")
    return report_log(result)


def _beginning(date: str | None) -> int | None:
    from meta_audit.period import parse_period

    return parse_period(date, now=time_ns()).start if date else None


def _import(store: Store, checkpoint_log: str | None) -> Import:
    from meta_audit.ingest.options import Options
    from meta_audit.ingest.run import Import

    return Import(store, ImportReporter(), Options(checkpoint_log=checkpoint_log))
