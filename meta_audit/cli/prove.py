"""`meta-audit prove`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.output import write_bytes
from meta_audit.cli.reading import read
from meta_audit.errors import UsageError
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.store.session import Session


@click.command(short_help="Write a proof of a job's record that a stranger can check.")
@click.argument("job")
@click.option("--namespace", metavar="NS", help="Only jobs of this namespace.")
@click.option("--all", "every", is_flag=True, help="Prove every document of the job: a JSON list.")
@click.option("--output", metavar="FILE", help="Write the proof to this file.")
@options.DB
def command(
    job: str, *, namespace: str | None, every: bool, output: str | None, db: str | None
) -> Exit:
    """Prove what the newest document of JOB says, and that the ledger holds it.

    The proof is one JSON object: the original document, its ledger entry, the inclusion proof,
    the signed checkpoint and the verifier key. `meta-audit verify-proof` checks it with no store
    and no network. It shows that the record is what was ingested, not that what was ingested is
    true.
    """
    from meta_audit.query.identify import identify
    from meta_audit.query.results import Candidates
    from meta_audit.verify.prove import prove

    def work(session: Session) -> Candidates | list[bytes]:
        found = identify(session, job, namespace)
        if isinstance(found, Candidates):
            return found
        return prove(session, (found.job_key, found.activity_key), every=every)

    found = read(db, work)
    if isinstance(found, Candidates):
        from meta_audit.cli.jobs import write_candidates

        return write_candidates(found, "text")
    content = b"[\n" + b",\n".join(found) + b"]\n" if every else found[0]
    if output is None:
        write_bytes(content)
        return Exit.DONE
    try:
        Path(output).write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from error
    click.echo(f"Proof written to {escape(output)}", err=True)
    return Exit.DONE
