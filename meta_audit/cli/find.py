"""`meta-audit find`."""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, complete, options
from meta_audit.cli.option import option
from meta_audit.cli.output import note, nothing_found, screen, write, write_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.api import AuditStore
    from meta_audit.query.matching import SearchChoice


@click.command()
@options.EXPRESSIONS
@option("--client", metavar="ID", shell_complete=complete.client, help="The same as client:ID.")
@option(
    "--requester", metavar="ID", shell_complete=complete.requester, help="The same as requester:ID."
)
@options.NAMESPACE
@options.JOB_SORT
@option(
    "--after",
    metavar="JOB",
    shell_complete=complete.job,
    help="Begin behind this job of the list: its ID, or the @CURSOR that was printed.",
)
@options.LIMIT_OR_ALL
@option("--all", "every", is_flag=True, help="Show all, in every format.")
@option("--count", "only_count", is_flag=True, help="Print only how many jobs match.")
@options.COLUMNS
@options.AS_OF
@options.AT
@options.FORMAT
@options.reads_store
def command(
    store: AuditStore,
    expressions: tuple[str, ...],
    *,
    client: str | None,
    requester: str | None,
    namespace: str | None,
    sort: str,
    after: str | None,
    limit: int | None,
    every: bool,
    only_count: bool,
    columns: tuple[str, ...],
    as_of: str | None,
    at: str | None,
    format_: str,
) -> Exit:
    """List the jobs that match, newest first.

    EXPR is a pair KEY=VALUE, or an expression such as:

    \b
      'project=frontend and owner!=team-a'
      'environment in (prod, staging) and lacks(ticket)'
      'version~1.2.* or label:team=x'
      client:ID 'created:2024-03 and state:Failed'
      'finding:critical and seen>=-7d'
      acme

    Several must all match; without one, all jobs match. docs/find.md has the whole language. A
    key stands in the Meta of the job or of a task, in any version. --as-of leaves out what came
    in later, --at what documents say of later times: a job that ran then is Running. The exit
    code is 1 if no job matches; then stderr says why.
    """  # noqa: D301 - click reads the backspace
    from meta_audit.errors import UsageError
    from meta_audit.query.matching import SearchChoice
    from meta_audit.render.jobs import FoundPage

    if every and limit is not None:
        raise UsageError("--all and --limit cannot be used together")
    choice = SearchChoice(
        client=client,
        requester=requester,
        namespace=namespace,
        sort=sort,
        after=after,
        columns=columns,
        as_of=as_of,
        at=at,
    )
    if only_count:
        number = store.count(*expressions, **choice)
        click.echo(number)
        return Exit.DONE if number else nothing_found(store, *expressions, **choice)
    most = None if every else options.most(limit, format_)
    if most is None:
        with store.snapshot() as now:
            return _write_all(now, expressions, choice, format_)
    found = store.find(*expressions, limit=most, **choice)
    write(FoundPage(found, columns, sort), format_)
    return Exit.DONE if found.jobs else Exit.ATTENTION


def _write_all(
    store: AuditStore, expressions: Sequence[str], choice: SearchChoice, format_: str
) -> Exit:
    """Write all jobs, however many they are."""
    from meta_audit.query.results import FIND_FORMAT, Found
    from meta_audit.render.jobs import FoundPage, unknown_key
    from meta_audit.render.streams import stream

    columns, sort = tuple(choice["columns"]), choice["sort"]
    jobs = store.find_all(*expressions, **choice)
    first = next(jobs, None)
    if first is None:
        found = store.find(*expressions, limit=1, **choice)
        write(FoundPage(found, columns, sort), format_)
        return Exit.ATTENTION
    if columns:
        for key in store.find(*expressions, limit=1, **choice).unknown_keys:
            note(unknown_key(key, "store"))
    page = FoundPage(Found(FIND_FORMAT, (), more=False), columns, sort)
    with closing(jobs):  # before the store is, where the output cannot be written
        write_parts(stream(page, chain([first], jobs), format_, screen()), format_)
    return Exit.DONE
