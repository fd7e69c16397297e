"""`meta-audit clients`, `requesters`, `nodes`, `keys` and `values`: what the store has."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from meta_audit.cli import Exit, complete, options
from meta_audit.cli.option import option
from meta_audit.cli.output import write

if TYPE_CHECKING:
    from collections.abc import Callable

    from meta_audit.api import AuditStore

LABELS = option("--labels", is_flag=True, help="Of labels instead of Meta.")


def _lists(command: Callable[..., Exit]) -> Any:
    """Give a command the options of lists, and the store."""

    @wraps(command)
    def with_limit(*, format_: str, limit: int | None, **arguments: Any) -> Exit:
        return command(format_=format_, limit=options.most(limit, format_), **arguments)

    listed = options.FORMAT(options.reads_store(with_limit))
    for decorate in (options.LIMIT_OR_ALL, options.UNTIL, options.SINCE, options.SORT):
        listed = decorate(listed)
    return listed


@click.command()
@_lists
def clients(store: AuditStore, format_: str, **choice: Any) -> Exit:
    """List the clients that jobs name, with counts of jobs.

    The last column says how far to trust that they sent these jobs: proven, server, claimed,
    inferred or unsubmitted. --since and --until choose jobs by create time.
    """
    from meta_audit.render.counts import IdentityCountsPage

    found = store.clients(**choice)
    write(IdentityCountsPage(found), format_)
    return Exit.DONE if found.total else Exit.ATTENTION


@click.command()
@_lists
def requesters(store: AuditStore, format_: str, **choice: Any) -> Exit:
    """List the nodes that accepted jobs, with counts of jobs.

    The last column says how far to trust that they accepted these jobs. --since and --until
    choose jobs by create time.
    """
    from meta_audit.render.counts import IdentityCountsPage

    found = store.requesters(**choice)
    write(IdentityCountsPage(found), format_)
    return Exit.DONE if found.total else Exit.ATTENTION


@click.command()
@_lists
def nodes(store: AuditStore, format_: str, **choice: Any) -> Exit:
    """List the nodes that executions and events name, with counts of jobs.

    A node may have only been asked to run a job: `meta-audit history JOB` shows what became of
    it. --since and --until choose executions and events by their time.
    """
    from meta_audit.render.counts import NodeCountsPage

    found = store.nodes(**choice)
    write(NodeCountsPage(found), format_)
    return Exit.DONE if found.total else Exit.ATTENTION


@click.command()
@LABELS
@_lists
def keys(store: AuditStore, *, labels: bool, format_: str, **choice: Any) -> Exit:
    """List the Meta keys of jobs and tasks, with counts of jobs.

    A job counts if any version of it has the key. With --sort name, keys that differ by case
    stand together; keys of the list that look alike are named. --since and --until choose jobs
    by create time.
    """
    from meta_audit.render.counts import KeyCountsPage

    found = store.keys(labels=labels, **choice)
    write(KeyCountsPage(found), format_)
    return Exit.DONE if found.total else Exit.ATTENTION


@click.command()
@click.argument("key", shell_complete=complete.key)
@LABELS
@_lists
def values(store: AuditStore, key: str, *, labels: bool, format_: str, **choice: Any) -> Exit:
    """List the values of a Meta key, with counts of jobs.

    A job counts if any version of it, or of one of its tasks, has the value. --since and --until
    choose jobs by create time.
    """
    from meta_audit.render.counts import ValueCountsPage

    found = store.values(key, labels=labels, **choice)
    write(ValueCountsPage(found), format_)
    return Exit.DONE if found.total else Exit.ATTENTION
