"""Signed notes (C2SP signed-note) with Ed25519 keys, as golang.org/x/mod/sumdb/note has them.

A note is text that ends in a newline, an empty line, and signature lines; the specification is
https://c2sp.org/signed-note. Everything malformed raises `LedgerError`.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from meta_audit.errors import LedgerError

MAX_SIGNATURES: Final = 100
"""Most signature lines of a note (the specification asks for at least 16; Go takes 100)."""

_ED25519: Final = b"\x01"
"""Signature type identifier, the first byte of a key's base64 part."""
_KEY_ID_BYTES: Final = 4
_PRIVATE: Final = "PRIVATE+KEY+"
_DASH: Final = "\N{EM DASH} "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}")


def encode_base64(data: bytes) -> str:
    """Write standard base64 with padding (RFC 4648 §4)."""
    return b64encode(data).decode("ascii")


def decode_base64(text: str, what: str) -> bytes:
    """Read standard base64 in its one canonical form (RFC 4648 §3.5); `what` names it."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        data = b""
    if encode_base64(data) != text:
        raise LedgerError(f"{what} is not canonical base64")
    return data


def check_text(text: str, what: str) -> None:
    """Refuse text that is not Unicode, or with an ASCII control character beside newline."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise LedgerError(f"{what} is not valid Unicode") from None
    if _CONTROL.search(text):
        raise LedgerError(f"{what} holds a control character")


def _check_name(name: str) -> None:
    check_text(name, "the key name")
    if not name or "+" in name or any(map(str.isspace, name)):
        raise LedgerError(
            f"{name!r} cannot name a key: the name must not be empty and must not hold white"
            " space or a plus",
            advice="use a name such as example.com/log",
        )


def _split_key(text: str, what: str) -> tuple[str, bytes, bytes]:
    """Take `<name>+<hex key ID>+<base64>` apart: name, key ID, 32 bytes of key."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    _check_name(name)
    if not _KEY_ID.fullmatch(key_id):
        raise LedgerError(f"{what} has no key ID of 8 lower-case hexadecimal digits")
    key = decode_base64(encoded, f"the last part of {what}")
    if key[:1] != _ED25519 or len(key) != 33:
        raise LedgerError(f"{what} is not an Ed25519 key (signature type 0x01)")
    return name, bytes.fromhex(key_id), key[1:]


class VerifierKey(Struct, frozen=True):
    """A public key and its name."""

    name: str
    public_key: bytes
    """32 bytes (RFC 8032 §5.1.5)."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `<name>+<hex key ID>+<base64(0x01 || public key)>`; the ID must fit the rest."""
        name, key_id, public_key = _split_key(text, "the verifier key")
        key = cls(name, public_key)
        if key.key_id != key_id:
            raise LedgerError("the verifier key's ID does not belong to its name and key")
        return key

    @property
    def key_id(self) -> bytes:
        """First 4 bytes of SHA-256(name || 0x0A || 0x01 || public key)."""
        data = self.name.encode() + b"\n" + _ED25519 + self.public_key
        return sha256(data).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(_ED25519 + self.public_key)}"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Tell whether `signature` is this key's over `text` (RFC 8032 §5.1.7)."""
        try:
            key = Ed25519PublicKey.from_public_bytes(self.public_key)
            key.verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey(Struct, frozen=True):
    """A private key and its name. Its text form is a secret; `repr` does not show it."""

    name: str
    seed: bytes
    """32 bytes (RFC 8032 §5.1.5)."""

    @classmethod
    def generate(cls, name: str) -> Self:
        """Make a new key from the operating system's randomness."""
        _check_name(name)
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `PRIVATE+KEY+<name>+<hex key ID>+<base64(0x01 || seed)>`."""
        if not text.startswith(_PRIVATE):
            raise LedgerError(
                f"the signing key does not begin with {_PRIVATE}",
                advice="give the whole line that was written when the key was made",
            )
        name, key_id, seed = _split_key(text.removeprefix(_PRIVATE), "the signing key")
        key = cls(name, seed)
        if key.verifier.key_id != key_id:
            raise LedgerError("the signing key's ID does not belong to its name and key")
        return key

    @property
    def verifier(self) -> VerifierKey:
        """The public key that belongs to this one."""
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        return VerifierKey(self.name, private.public_key().public_bytes_raw())

    def secret(self) -> str:
        """Write the text form that `parse` reads. Keep it secret."""
        key_id = self.verifier.key_id.hex()
        return f"{_PRIVATE}{self.name}+{key_id}+{encode_base64(_ED25519 + self.seed)}"

    def __repr__(self) -> str:
        return f"SigningKey({str(self.verifier)!r})"

    def sign(self, text: str) -> Signature:
        """Sign the text of a note (RFC 8032 §5.1.6: deterministic)."""
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        return Signature(self.name, self.verifier.key_id, private.sign(text.encode()))


class Signature(Struct, frozen=True):
    """One signature line."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"


class Note(Struct, frozen=True):
    """A text, its final newline included, and its signatures, none of them verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, note: str) -> Self:
        """Read a note; what it reads, `str` writes back without a difference."""
        check_text(note, "the note")
        text, empty_line, tail = note.rpartition("\n\n")
        if not empty_line:
            raise LedgerError("the note has no empty line between its text and its signatures")
        if not tail.endswith("\n"):
            raise LedgerError("the note does not end in a signature line and a newline")
        lines = tail.removesuffix("\n").split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise LedgerError(f"the note has more than {MAX_SIGNATURES} signatures")
        return cls(text + "\n", tuple(map(_parse_signature, lines)))

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    def verify(self, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Give the keys among `keys` that signed this note, at least one.

        Signatures of other keys are ignored. Raises `LedgerError` when a signature that names
        one of `keys` does not verify, when two of `keys` share name and ID, or when none of
        them signed.
        """
        known: dict[tuple[str, bytes], VerifierKey] = {}
        for key in keys:
            if known.setdefault((key.name, key.key_id), key) != key:
                raise LedgerError(f"two different keys are both {key.name}+{key.key_id.hex()}")
        signers: dict[VerifierKey, None] = {}
        for line in self.signatures:
            signer = known.get((line.name, line.key_id))
            if signer is None:
                continue
            if not signer.verifies(self.text, line.signature):
                raise LedgerError(f"the signature of {line.name}+{line.key_id.hex()} is false")
            signers[signer] = None
        if not signers:
            names = ", ".join(f"{line.name}+{line.key_id.hex()}" for line in self.signatures)
            raise LedgerError(
                f"no known key signed the note; it is signed by {names}",
                advice="give the verifier key that was printed when the log was made",
            )
        return tuple(signers)


def sign_note(text: str, *keys: SigningKey) -> Note:
    """Sign `text`, which must end in a newline, with each of `keys`."""
    check_text(text, "the note")
    if not text.endswith("\n"):
        raise LedgerError("the text of a note must end in a newline")
    return Note(text, tuple(key.sign(text) for key in keys))


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise LedgerError("a signature line is not of the form: em dash, name, base64")
    _check_name(name)
    data = decode_base64(encoded, "a signature")
    if len(data) <= _KEY_ID_BYTES:
        raise LedgerError("a signature is too short")
    return Signature(name, data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])
