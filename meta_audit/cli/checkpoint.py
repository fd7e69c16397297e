"""`meta-audit checkpoint`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.output import write_json, write_text
from meta_audit.cli.reading import read
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.ledger.checkpoint import Checkpoint


def _parse(note: str) -> Checkpoint:
    from meta_audit.ledger.checkpoint import Checkpoint
    from meta_audit.ledger.note import Note

    return Checkpoint.parse(Note.parse(note).text)


@click.group(short_help="Signed checkpoints of the ledger, and the key.")
def command() -> None:
    """Signed checkpoints of the ledger, and the key that signs them."""


@command.command(name="list")
@options.DB
@options.TEXT_OR_JSON
def list_command(db: str | None, format_: str) -> None:
    """List the checkpoints, the oldest first."""
    sql = "SELECT checkpoint_id, import_id, tree_size, note FROM checkpoints ORDER BY checkpoint_id"
    rows = read(db, lambda session: session.query(sql))
    if format_ == "json":
        names = ("checkpoint_id", "import_id", "tree_size", "note")
        write_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    lines = ["checkpoint  import     entries  root (sha256)"]
    for number, import_id, size, note in rows:
        lines.append(f"{number:>10}  {import_id:>6}  {size:>10,}  {_parse(note).root.hex()}")
    write_text("\n".join(lines) + "\n")


@command.command()
@click.argument("number", type=click.IntRange(1), metavar="N")
@options.DB
def show(number: int, db: str | None) -> None:
    """Print the signed note of checkpoint N, exactly."""
    from meta_audit.verify.prove import note_of

    write_text(read(db, lambda session: note_of(session, number)))


@command.command()
@click.argument("old", type=click.IntRange(1))
@click.argument("new", type=click.IntRange(1))
@options.DB
@options.TEXT_OR_JSON
def consistency(old: int, new: int, db: str | None, format_: str) -> Exit:
    """Prove that the ledger of checkpoint OLD is the beginning of that of NEW.

    The proof is that of RFC 9162 §2.1.4; it is checked before it is shown.
    """
    from meta_audit.ledger.note import encode_base64
    from meta_audit.verify.prove import consistency as prove_consistency

    proof, notes = read(db, lambda session: prove_consistency(session, old, new))
    hashes = [encode_base64(one) for one in proof]
    if format_ == "json":
        shape = {"format": "meta-audit/consistency/1", "old": notes[0], "new": notes[1]}
        write_json({**shape, "consistency_proof": hashes})
        return Exit.DONE
    first, second = map(_parse, notes)
    lines = [
        f"Checkpoint {old}: {first.size:,} entries, root sha256:{first.root.hex()}",
        f"Checkpoint {new}: {second.size:,} entries, root sha256:{second.root.hex()}",
        *hashes,
        "Consistent: the first is the beginning of the second (RFC 9162 §2.1.4.2).",
    ]
    write_text("\n".join(lines) + "\n")
    return Exit.DONE


@command.command()
@options.DB
def key(db: str | None) -> None:
    """Print the verifier keys of the store, name+hash+key, the newest last.

    Give them to whoever shall verify, and keep a copy outside: a key that is read from the
    store itself proves nothing against someone who can write to it.
    """
    sql = "SELECT verifier FROM ledger_keys ORDER BY key_no"
    rows = read(db, lambda session: session.query(sql))
    write_text("".join(f"{escape(row[0])}\n" for row in rows))
