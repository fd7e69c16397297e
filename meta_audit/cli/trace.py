"""`meta-audit trace`."""

from __future__ import annotations

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.output import screen, write_json, write_text
from meta_audit.cli.reading import read


@click.command(short_help="Who sent a job, and how do we know?")
@click.argument("job")
@click.option("--namespace", metavar="NS", help="Only jobs of this namespace.")
@options.DB
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="A page for people, or the whole content for programs.",
)
def command(job: str, namespace: str | None, db: str | None, format_: str) -> Exit:
    """Show who sent a job, how we know, its metadata, its states and nodes, and the evidence.

    JOB is an ID, the beginning of one (also without its j-), or a name. Where several jobs fit,
    they are listed and the exit code is 1.
    """
    from meta_audit.query.results import Candidates
    from meta_audit.query.trace import trace

    found = read(db, lambda session: trace(session, job, namespace))
    if isinstance(found, Candidates):
        from meta_audit.cli.jobs import write_candidates

        return write_candidates(found, format_)
    if format_ == "json":
        write_json(found)
    else:
        from meta_audit.render.trace import trace_page

        write_text(trace_page(found, screen()))
    return Exit.DONE
