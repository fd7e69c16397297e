"""`meta-audit verify`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.output import write_report
from meta_audit.cli.progress import progress
from meta_audit.cli.reading import reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.cli.reading import ReadStore
    from meta_audit.ledger.note import VerifierKey
    from meta_audit.verify.report import Report


@click.command()
@click.option(
    "--against",
    multiple=True,
    metavar="FILE",
    help="Checkpoints that you kept outside the store; may be repeated.  [default: the file of"
    " checkpoints beside the store, if there is one]",
)
@click.option(
    "--since",
    type=click.IntRange(1),
    metavar="N",
    help="Check only what is newer than checkpoint N.",
)
@options.KEYS
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Check with N processes.  [default: one per processor]",
)
@click.option("--deep", is_flag=True, help="Also parse every kept document again.")
@options.TEXT_OR_JSON
@options.reads_store
def command(
    store: ReadStore,
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

    report = verified(store.db, against=against, since=since, keys=keys, jobs=jobs, deep=deep)
    code = Exit.DONE if report.verdict == "intact" else Exit.FINDINGS
    return write_report(VerificationPage(report), format_, code)


def verified(
    db: str | None,
    *,
    against: Sequence[str] | None = None,
    since: int | None = None,
    keys: Sequence[VerifierKey] = (),
    jobs: int | None = None,
    deep: bool = False,
) -> Report:
    """Verify a store, from the beginning again where that is cut short."""
    from meta_audit.store.opening import REACH_SECONDS, locate, shown
    from meta_audit.store.retry import patience, patiently
    from meta_audit.verify.run import Verification

    with progress("verifying") as line, patience(REACH_SECONDS):

        def once() -> Report:
            return Verification(
                partial(reading, db),
                shown(locate(db)),
                against=_beside(db) if against == () else against or (),
                since=since or 0,
                pins=keys,
                jobs=jobs or os.cpu_count() or 1,
                deep=deep,
                progress=lambda done, total: line.show("verifying", done, total),
            ).run()

        return patiently(once)


def _beside(db: str | None) -> tuple[str, ...]:
    """Return the file of checkpoints beside an SQLite store, if there is one."""
    from meta_audit.store.opening import is_sqlite, locate

    url = locate(db)
    path = Path(f"{url.database}.checkpoints")
    return (str(path),) if is_sqlite(url) and path.is_file() and path.stat().st_size else ()
