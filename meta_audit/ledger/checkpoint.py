"""Checkpoints (C2SP tlog-checkpoint): size and root of the tree, signed.

The specification is https://c2sp.org/tlog-checkpoint. Everything malformed raises
`LedgerError`.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from typing import Final, Literal, Self

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
_DASH: Final = "\u2014 ".encode()
"""Begins a line with a signature."""


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


def file_bytes(content: bytes) -> bytes:
    """Return a file of checkpoints as UTF-8 with plain line ends, as an editor or shell saved it.

    Byte order marks go, also those within: files may have been joined. Raises `LedgerError` for
    UTF-16 that is broken.
    """
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        try:
            content = content.decode("utf-16").encode()
        except UnicodeError as error:
            raise LedgerError(f"the file of checkpoints is broken UTF-16: {error}") from error
    return content.replace(BOM_UTF8, b"").replace(b"\r\n", b"\n")


def note_parts(content: bytes) -> list[bytes]:
    """Cut a file of checkpoints where each begins; the last part may be incomplete.

    A checkpoint is its text, an empty line, and signatures. Empty lines before the next one
    may be missing, and are left out here.
    """
    parts: list[bytes] = []
    part = b""
    state: Literal["between", "text", "separator", "signatures"] = "between"
    for line in content.splitlines(keepends=True):
        is_empty = line == b"\n"
        if state == "signatures" and not line.startswith(_DASH):
            parts.append(part)
            part, state = b"", "between"
        if state == "between":
            if is_empty:
                continue
            state = "text"
        elif state == "text" and is_empty:
            state = "separator"
        elif state == "separator":
            state = "signatures"
        part += line
    return [*parts, part] if part else parts


def split_checkpoints(text: str) -> tuple[str, ...]:
    """Return the signed checkpoints in a file, in its order. They are not read yet.

    Raises `LedgerError` where the file ends within one.
    """
    notes = [part.decode() for part in note_parts(text.encode())]
    for number, note in enumerate(notes, 1):
        if "\n\n" not in note.rstrip("\n"):
            raise LedgerError(
                f"the file of checkpoints ends inside checkpoint {number}",
                advice="complete or remove its last lines",
            )
    return tuple(note if note.endswith("\n") else f"{note}\n" for note in notes)


def note_texts(content: bytes) -> frozenset[str]:
    """Return the text of each checkpoint in a file. Raises `LedgerError`."""
    try:
        notes = split_checkpoints(file_bytes(content).decode())
    except UnicodeDecodeError as error:
        raise LedgerError(f"the file of checkpoints is not UTF-8: {error}") from error
    return frozenset(Note.parse(note).text for note in notes)
