"""`meta-audit prove`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, complete, options
from meta_audit.cli.option import option
from meta_audit.cli.output import note, nothing_found, write, write_bytes, write_file
from meta_audit.errors import UsageError
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.api import AuditStore


@click.command()
@click.argument("job", required=False, shell_complete=complete.job)
@options.NAMESPACE
@option("--all", "every", is_flag=True, help="Prove every document of the job: a JSON list.")
@option(
    "--find",
    "expressions",
    multiple=True,
    metavar="EXPR",
    shell_complete=complete.terms,
    help="Prove the newest document of every job that `find` finds; may be repeated.",
)
@option("--output", metavar="FILE", help="Write the proof to this file.")
@options.reads_store
def command(
    store: AuditStore,
    job: str | None,
    *,
    namespace: str | None,
    every: bool,
    expressions: tuple[str, ...],
    output: str | None,
) -> Exit:
    """Prove that the ledger holds the newest document of JOB, or of every job that is found.

    The proof is one JSON object. It holds the original document, its entry in the ledger, the
    inclusion proof, the signed checkpoint and the verifier key. `meta-audit verify-proof` checks
    it without a store or a network. It shows that the record has not changed since it was
    ingested. It does not show that the record is true, or that there are no others.
    """
    from meta_audit.query.results import Candidates

    if (job is None) == (not expressions):
        raise UsageError("give either JOB or --find", advice="--find EXPR finds many jobs.")
    if job is None:
        return _prove_found(store, expressions, output)
    found = store.prove(job, namespace=namespace, every=every)
    if isinstance(found, Candidates):
        from meta_audit.render.jobs import CandidatesPage

        write(CandidatesPage(found), "text", to_stderr=True)
        return Exit.ATTENTION
    if output is None:
        write_bytes(found)
    else:
        write_file(output, found)
        note(f"Proof written to {escape(output)}")
    return Exit.DONE


def _prove_found(store: AuditStore, expressions: tuple[str, ...], output: str | None) -> Exit:
    to = sys.stdout.buffer if output is None else output
    from meta_audit.render.layout import count

    number = store.export(to, *expressions, format_="proofs", replace=True)
    sys.stdout.buffer.flush()
    if not number:
        return nothing_found(store, *expressions)
    if output is not None:
        note(f"{count(number, 'proof')} written to {escape(output)}")
    return Exit.DONE
