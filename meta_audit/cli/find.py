"""`meta-audit find`."""

from __future__ import annotations

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.reading import read


@click.command(short_help="List the jobs that match.")
@click.argument("terms", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--client", metavar="ID", help="Only jobs that this client sent.")
@click.option("--requester", metavar="ID", help="Only jobs that this node accepted.")
@click.option("--namespace", metavar="NS", help="Only jobs of this namespace.")
@options.LIMIT
@options.DB
@options.FORMAT
def command(
    terms: tuple[str, ...],
    *,
    client: str | None,
    requester: str | None,
    namespace: str | None,
    limit: int,
    db: str | None,
    format_: str,
) -> Exit:
    r"""List the jobs that match, the newest first.

    KEY=VALUE is a Meta pair, exactly, of the job or of one of its tasks, in any version of it.
    All that is given must match; without anything the newest jobs are listed. For a key that
    holds a = write \= there. Whether an ID was proven or only claimed is shown by `trace`, and
    by --format json. The exit code is 1 where no job matches.
    """
    from meta_audit.cli.jobs import write_jobs
    from meta_audit.query.find import find
    from meta_audit.search import Search, parse_term

    search = Search(tuple(map(parse_term, terms)), client, requester, namespace)
    found = read(db, lambda session: find(session, search, limit))
    write_jobs(found, found.jobs, format_)
    if not found.jobs:
        click.echo("No job matches.", err=True)
        return Exit.FINDINGS
    if found.more:
        click.echo(f"There are more than these {len(found.jobs):,}: see --limit.", err=True)
    return Exit.DONE
