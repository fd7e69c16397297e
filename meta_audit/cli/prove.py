"""`meta-audit prove`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.output import note, write, write_bytes, write_file
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.query.results import Candidates
    from meta_audit.store.opening import Store
    from meta_audit.store.session import Session


@click.command()
@click.argument("job")
@options.NAMESPACE
@click.option("--all", "every", is_flag=True, help="Prove every document of the job: a JSON list.")
@click.option("--output", metavar="FILE", help="Write the proof to this file.")
@options.reads_store
def command(
    store: Store, job: str, *, namespace: str | None, every: bool, output: str | None
) -> Exit:
    """Prove that the ledger holds the newest document of JOB.

    The proof is one JSON object. It holds the original document, its entry in the ledger, the
    inclusion proof, the signed checkpoint and the verifier key. `meta-audit verify-proof` checks
    it without a store or a network. It shows that the record has not changed since it was
    ingested. It does not show that the record is true.
    """
    from meta_audit.query.identify import identify
    from meta_audit.query.results import Candidates
    from meta_audit.verify.prove import prove

    def work(session: Session) -> Candidates | list[bytes]:
        found = identify(session, job, namespace)
        if isinstance(found, Candidates):
            return found
        return prove(session, (found.job_key, found.activity_key), every=every)

    found = store.read(work)
    if isinstance(found, Candidates):
        from meta_audit.render.jobs import CandidatesPage

        write(CandidatesPage(found), "text", to_stderr=True)
        return Exit.ATTENTION
    content = b"[\n" + b",\n".join(found) + b"]\n" if every else found[0]
    if output is None:
        write_bytes(content)
    else:
        write_file(output, content)
        note(f"Proof written to {escape(output)}")
    return Exit.DONE
