"""Checkpoints (C2SP tlog-checkpoint): size and root of the tree, signed.

The specification is https://c2sp.org/tlog-checkpoint. Everything malformed raises
`LedgerError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Self

from msgspec import Struct

from meta_audit.errors import LedgerError
from meta_audit.ledger.merkle import EMPTY_ROOT, HASH_BYTES
from meta_audit.ledger.note import (
    Note,
    SigningKey,
    VerifierKey,
    check_text,
    decode_base64,
    encode_base64,
    sign_note,
)

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_MAX_SIZE: Final = 2**63 - 1


class Checkpoint(Struct, frozen=True):
    """The tree of one log at one size."""

    origin: str
    """Identity of the log, equal to the name of the key that signs it."""
    size: int
    root: bytes
    """32 bytes."""
    extensions: tuple[str, ...] = ()
    """Further lines: of a store's checkpoint its custody line (`custody.Custody`)."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a checkpoint's note; what it reads, `text` writes back."""
        check_text(text, "the checkpoint")
        *lines, rest = text.split("\n")
        if rest or len(lines) < 3 or not all(lines):
            raise LedgerError("a checkpoint is three or more lines, none of them empty")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size) or int(size) > _MAX_SIZE:
            raise LedgerError("the checkpoint's size is not a decimal number without leading zeros")
        checkpoint = cls(
            origin, int(size), decode_base64(root, "the checkpoint's root"), tuple(extensions)
        )
        if len(checkpoint.root) != HASH_BYTES:
            raise LedgerError(f"the checkpoint's root is not {HASH_BYTES} bytes long")
        if not checkpoint.size and checkpoint.root != EMPTY_ROOT:
            raise LedgerError("the checkpoint of an empty tree has another root than that tree")
        return checkpoint

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    def sign(self, key: SigningKey) -> str:
        """Give the signed note. The origin must be the key's name."""
        if key.name != self.origin:
            raise LedgerError(f"a key named {key.name!r} cannot sign for the log {self.origin!r}")
        if self.parse(self.text) != self:
            raise LedgerError("the checkpoint's values do not make a checkpoint")
        return str(sign_note(self.text, key))


def open_checkpoint(
    note: str, keys: Iterable[VerifierKey]
) -> tuple[Checkpoint, tuple[VerifierKey, ...]]:
    """Verify a signed checkpoint: what it says, and which of `keys` signed it.

    One signer's name must be the origin, so that the key of one log cannot vouch for another.
    """
    parsed = Note.parse(note)
    signers = parsed.verify(keys)
    checkpoint = Checkpoint.parse(parsed.text)
    if checkpoint.origin not in {signer.name for signer in signers}:
        raise LedgerError(
            f"the checkpoint is of the log {checkpoint.origin!r}, its known signer is"
            f" {signers[0].name!r}"
        )
    return checkpoint, signers


def split_checkpoints(text: str) -> tuple[str, ...]:
    """Take apart a file of signed checkpoints, each followed by an empty line, in file order.

    The last empty line may be missing. The notes are not read yet.
    """
    parts = text.rstrip("\n").split("\n\n") if text.strip("\n") else []
    if len(parts) % 2:
        raise LedgerError(
            f"the file of checkpoints ends inside checkpoint {len(parts) // 2 + 1}",
            advice="complete or remove its last lines",
        )
    return tuple(
        f"{head}\n\n{signatures}\n"
        for head, signatures in zip(parts[::2], parts[1::2], strict=True)
    )
