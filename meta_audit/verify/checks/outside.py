"""Check the store against checkpoints held outside: they show a rollback or a rewrite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.errors import LedgerError, UsageError
from meta_audit.ledger.checkpoint import (
    Checkpoint,
    file_bytes,
    note_parts,
    open_checkpoint,
    split_checkpoints,
)
from meta_audit.ledger.note import Note, VerifierKey
from meta_audit.verify.outcome import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meta_audit.verify.checks.checkpoints import Checkpoints
    from meta_audit.verify.checks.leaves import Heads
    from meta_audit.verify.outcome import Damages


MAX_FILE: Final = 256 * 2**20
"""Bytes of a file of checkpoints: 900,000 of them."""


class Outside(NamedTuple):
    """Hold one checkpoint of a file."""

    where: str
    note: str
    checkpoint: Checkpoint
    text: str


def read_outside(
    paths: Sequence[str], kept: Iterable[str], damages: Damages
) -> tuple[list[Outside], list[str]]:
    """Read files of checkpoints, and name those that end within one that the store has whole.

    `kept` are the notes of the store. Raises `UsageError` where a file cannot be read.
    """
    found, torn = [], []
    ends = [note.encode() for note in kept]
    for path in paths:
        try:
            content = file_bytes(_read(path))
            end = _torn_end(content, ends)
            notes = split_checkpoints(content[: len(content) - end].decode())
            if end:
                torn.append(path)
            if not notes and not end:
                raise LedgerError("it holds no checkpoint")
            for number, note in enumerate(notes, 1):
                signed = Note.parse(note).text
                where = f"{path}, checkpoint {number}"
                found.append(Outside(where, note, Checkpoint.parse(signed), signed))
        except UnicodeDecodeError as error:
            raise UsageError(f"cannot read the checkpoints in {path}: not UTF-8 text") from error
        except LedgerError as error:
            damages.add(Check.OUTSIDE, "outside", f"{path}: {error}")
    return found, torn


def _read(path: str) -> bytes:
    """Read a file, also one that never ends."""
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise UsageError(f"cannot read the checkpoints in {path}: {error.strerror}") from error
    if len(content) > MAX_FILE:
        raise UsageError(f"cannot read the checkpoints in {path}: more than {MAX_FILE:,} bytes")
    return content


def _torn_end(content: bytes, kept: Sequence[bytes]) -> int:
    """Return the number of bytes of a last checkpoint whose writing was cut off."""
    last = (note_parts(content) or [b""])[-1]
    cut = any(note.startswith(last) and last.rstrip() != note.rstrip() for note in kept)
    return len(last) if cut else 0


def check_outside(
    outside: Sequence[Outside],
    checkpoints: Checkpoints,
    keys: Sequence[VerifierKey],
    *,
    heads: Heads,
    since: int,
    damages: Damages,
) -> None:
    """Check that each is one of the store's, and that its root is that of the leaves."""
    texts = {kept.text for kept in checkpoints.kept}
    origins = {kept.checkpoint.origin for kept in checkpoints.kept}
    for one in outside:
        why = ""
        size = one.checkpoint.size
        head = heads.at.get(size)
        if one.checkpoint.origin not in origins:
            why = f"it is of the log {one.checkpoint.origin}, which this store is not"
        elif size >= since and head is None:
            why = f"it covers {size} entries, the store has fewer: cut short or rolled back"
        elif head is not None and head.root != one.checkpoint.root:
            why = f"the first {size} entries of the store have another root: it was rewritten"
        elif one.text not in texts:
            why = "the store has lost it, or has another in its place"
        else:
            try:
                open_checkpoint(one.note, keys)
            except LedgerError as error:
                why = f"{error}: the store may have been signed anew"
        if why:
            damages.add(Check.OUTSIDE, "outside", f"{one.where}: {why}")
