"""`meta-audit find`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from meta_audit.cli import Exit, complete, options
from meta_audit.cli.output import write

if TYPE_CHECKING:
    from meta_audit.api import AuditStore
    from meta_audit.search import Pair


def _parse_terms(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> Any:
    if not values:
        return ()
    from meta_audit.search import parse_term

    return tuple(map(parse_term, values))


@click.command()
@click.argument(
    "terms",
    nargs=-1,
    metavar="[KEY=VALUE]...",
    callback=_parse_terms,
    shell_complete=complete.terms,
)
@click.option(
    "--client",
    metavar="ID",
    shell_complete=complete.client,
    help="Only jobs that this client sent.",
)
@click.option(
    "--requester",
    metavar="ID",
    shell_complete=complete.requester,
    help="Only jobs that this node accepted.",
)
@options.NAMESPACE
@options.LIMIT
@options.FORMAT
@options.reads_store
def command(
    store: AuditStore,
    terms: tuple[Pair, ...],
    *,
    client: str | None,
    requester: str | None,
    namespace: str | None,
    limit: int,
    format_: str,
) -> Exit:
    r"""List the jobs that match, newest first.

    KEY=VALUE is a Meta pair of the job or of one of its tasks, in any version of it. A job must
    match everything that is given; without conditions all jobs match. Both sides must be equal
    to what was stored. Write \= for = in the key.

    `meta-audit trace` and --format json show whether an ID was proven or only claimed. The exit
    code is 1 if no job matches.
    """
    from meta_audit.query.find import find
    from meta_audit.render.jobs import FoundPage
    from meta_audit.search import Search

    search = Search(terms, client, requester, namespace)
    found = store.read(lambda session: find(session, search, limit))
    write(FoundPage(found), format_)
    return Exit.DONE if found.jobs else Exit.ATTENTION
