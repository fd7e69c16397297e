"""`meta-audit verify`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.option import option
from meta_audit.cli.output import write_report
from meta_audit.cli.progress import progress

if TYPE_CHECKING:
    from meta_audit.api import AuditStore
    from meta_audit.ledger.note import VerifierKey


@click.command()
@option(
    "--against",
    multiple=True,
    metavar="FILE",
    help="Checkpoints that you kept outside the store; may be repeated.  [default: the file of"
    " checkpoints beside the store, if there is one]",
)
@option(
    "--since",
    type=click.IntRange(1),
    metavar="N",
    help="Check only what is newer than checkpoint N.",
)
@options.KEYS
@options.VERIFIERS
@option("--deep", is_flag=True, help="Also parse every kept document again.")
@options.TEXT_OR_JSON
@options.verifies_store
def command(
    store: AuditStore,
    *,
    against: tuple[str, ...],
    since: int | None,
    keys: list[VerifierKey],
    jobs: int | None,
    deep: bool,
    format_: str,
) -> Exit:
    """Check that nobody changed the store since its documents were ingested.

    Hashes, ledger entries, checkpoints and signatures are computed again from what is stored.
    Nothing is written.

    Give the verifier key that you got when the store was made (--key), and checkpoints that you
    kept elsewhere (--against). Without them, a store that was rewritten as a whole looks intact.

    The last line says whether the store is intact, and what was not checked. The exit code is 0
    if it is intact, and 1 if not.
    """
    from meta_audit.render.verification import VerificationPage

    with progress("verifying") as line:
        report = store.verify(
            against=against,
            since=since or 0,
            keys=keys,
            jobs=jobs,
            deep=deep,
            progress=partial(line.show, "verifying"),
        )
    code = Exit.DONE if report.verdict == "intact" else Exit.ATTENTION
    return write_report(VerificationPage(report), format_, code)
