"""`meta-audit compare`."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.option import argument
from meta_audit.cli.output import write
from meta_audit.cli.server import reach

if TYPE_CHECKING:
    from meta_audit.api import AuditStore


@click.command()
@argument("url")
@options.of_server
@options.FORMAT
@options.reads_store
def command(
    store: AuditStore,
    url: str,
    *,
    namespace: str,
    labels: tuple[str, ...],
    credentials: str | None,
    ca_file: str | None,
    format_: str,
) -> Exit:
    """Tell where an orchestrator and the store differ: is everything here?

    URL is as for `meta-audit pull`. Jobs are missing, or changed since the last pull; a job is gone
    if a pull from the same URL, with the same namespace and labels, took it before and the server
    lists it no more. For a file of documents or IDs use `meta-audit has`.

    The exit code is 1 if anything differs.
    """
    from meta_audit.query.comparison import compare
    from meta_audit.query.presence import Asked
    from meta_audit.render.comparison import ComparisonPage
    from meta_audit.sources.orchestrator import Pull

    with reach(
        url, namespace=namespace, labels=labels, credentials=credentials, ca_file=ca_file
    ) as (address, transport):
        listed = [
            Asked(number, partial(str, job.job_id), sha256(job.item.content).digest())
            for number, job in enumerate(Pull(address, transport).listed(), 1)
        ]
    found = store.read(lambda session: compare(session, address.uri, listed))
    write(ComparisonPage(found), format_)
    return Exit.ATTENTION if found.differences else Exit.DONE
