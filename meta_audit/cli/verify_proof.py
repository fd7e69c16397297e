"""`meta-audit verify-proof`: needs no store, and no SQLAlchemy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.output import write_json, write_text
from meta_audit.errors import LedgerError, UsageError
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.ledger.bundle import Result

VERDICTS = {
    "verified": "Verified: under the key that you trust.",
    "consistent": "Consistent, but by whom is not shown: give the verifier key (--key).",
    "failed": "NOT VALID.",
}


@click.command(short_help="Check a proof, without the store.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@options.KEYS
@click.option(
    "--checkpoint",
    metavar="FILE",
    help="Checkpoints that you hold: the proof's must be one of them.",
)
@options.TEXT_OR_JSON
def command(file: str, *, keys: tuple[str, ...], checkpoint: str | None, format_: str) -> Exit:
    """Check the proof in FILE (- for standard input) that `meta-audit prove` wrote.

    Every step is shown with the specification that it follows. The exit code is 0 where it
    holds under a key that you gave, or where you gave none and it agrees with itself; else 1.
    """
    from meta_audit.cli.verify import parse_keys
    from meta_audit.ledger.bundle import verify_bundle
    from meta_audit.parse.readings import readings

    trusted = [str(key) for key in parse_keys(keys)]
    held = _held(checkpoint) if checkpoint else None
    results = []
    for bundle in _bundles(file):
        tried = [verify_bundle(bundle, key, readings) for key in trusted or (None,)]
        result = next((one for one in tried if one.verdict != "failed"), tried[0])
        results.append((result, _is_held(bundle, held)))
    good = all(result.verdict != "failed" and known is not False for result, known in results)
    if format_ == "json":
        shapes = [
            {"verdict": r.verdict, "steps": r.steps, "checkpoint_held": known}
            for r, known in results
        ]
        write_json({"format": "meta-audit/verify-proof/1", "valid": good, "proofs": shapes})
    else:
        write_text("\n".join([_page(result, known) for result, known in results]))
    return Exit.DONE if good and results else Exit.FINDINGS


def _bundles(file: str) -> list[bytes]:
    import msgspec

    try:
        with click.open_file(file, "rb") as opened:
            content = opened.read()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    if not content.lstrip().startswith(b"["):
        return [content]
    try:
        return [bytes(raw) for raw in msgspec.json.decode(content, type=list[msgspec.Raw])]
    except msgspec.DecodeError:
        return [content]


def _held(path: str) -> set[str]:
    """Texts of the checkpoints in a file. Raises `UsageError`, `LedgerError`."""
    from meta_audit.ledger.checkpoint import split_checkpoints
    from meta_audit.ledger.note import Note

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the checkpoints in {path}: {error}") from error
    return {Note.parse(note).text for note in split_checkpoints(text)}


def _is_held(bundle: bytes, held: set[str] | None) -> bool | None:
    import json

    from meta_audit.ledger.note import Note

    if held is None:
        return None
    try:
        return Note.parse(json.loads(bundle)["checkpoint"]).text in held
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, LedgerError):
        return False


def _page(result: Result, known: bool | None) -> str:
    lines = [
        f"{step.number:>3}. {step.status:<8}{step.title} ({step.source}): {escape(step.detail)}"
        for step in result.steps
    ]
    if known is not None:
        lines.append(f"  The checkpoint is {'' if known else 'NOT '}one of those that you hold.")
    lines.append(VERDICTS[result.verdict])
    return "\n".join(lines) + "\n"
