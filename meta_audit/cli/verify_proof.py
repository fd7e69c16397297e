"""`meta-audit verify-proof`: needs no store, and no SQLAlchemy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.option import option
from meta_audit.cli.output import write_report
from meta_audit.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from meta_audit.ledger.note import VerifierKey


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@options.KEYS
@option(
    "--checkpoint",
    metavar="FILE",
    help="Checkpoints of the store that you kept: the proof's must be one of them.",
)
@options.TEXT_OR_JSON
@options.verbosity
def command(file: str, *, keys: list[VerifierKey], checkpoint: str | None, format_: str) -> Exit:
    """Check the proof in FILE (- for standard input) that `meta-audit prove` or `export` wrote.

    Give the verifier key of the store (--key), or a checkpoint of it that you kept
    (--checkpoint): from the proof alone you cannot tell who made it. Each step of the check
    names the specification that it follows.

    The exit code is 0 if the proof holds under a key or a checkpoint that you gave, and else 1.
    """
    from meta_audit.api import check_proof
    from meta_audit.render.proof import ProofsPage

    kept = _read(checkpoint) if checkpoint else None
    try:
        folder = str(Path(file).parent)
        checked = check_proof(_read(file), keys=keys, checkpoints=kept, folder=folder)
    except LedgerError as error:
        raise UsageError(f"cannot read the checkpoints in {checkpoint}: {error}") from error
    return write_report(
        ProofsPage(checked), format_, Exit.DONE if checked.valid else Exit.ATTENTION
    )


def _read(path: str) -> bytes:
    try:
        with click.open_file(path, "rb") as opened:
            content: bytes = opened.read()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return content
