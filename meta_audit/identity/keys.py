"""Read public keys as documents carry them: base64, libp2p's container, fingerprints.

Nothing here needs the `cryptography` library; whether the key inside the container is one
is for `meta_audit.identity.key_loading` to say.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64encode
from enum import IntEnum
from typing import Final

from msgspec import Struct

MAX_BASE64_CHARS: Final = 2_048
"""Longest base64 text of a key or signature that is looked at (RSA 8192 bits: 1,424)."""

_TYPE_TAG: Final = 0x08
"""Field 1, varint."""
_DATA_TAG: Final = 0x12
"""Field 2, length-delimited."""


class KeyType(IntEnum):
    """Type of a libp2p key (libp2p specs, peer-ids/peer-ids.md, `enum KeyType`)."""

    RSA = 0
    ED25519 = 1
    SECP256K1 = 2
    ECDSA = 3


class PublicKey(Struct, frozen=True):
    """A libp2p public key taken out of its container, the key itself not looked at."""

    type: KeyType
    data: bytes
    """RSA and ECDSA: PKIX DER; Ed25519: 32 bytes; Secp256k1: 33 bytes, compressed point."""


def decode_base64(text: str) -> bytes | None:
    """Return the bytes of a standard, padded base64 text, None when it is none.

    Only the one canonical text of given bytes is taken (RFC 4648, section 3.5: the unused
    bits are zero; no white space), so that a changed character can never go unnoticed.
    Go writes no other. A text above `MAX_BASE64_CHARS` is none.
    """
    if len(text) > MAX_BASE64_CHARS:
        return None
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    return data if binascii.b2a_base64(data, newline=False) == text.encode("ascii") else None


def encode_public_key(key: PublicKey) -> bytes:
    """Return the libp2p container of a key of up to 16,383 bytes: the deterministic protobuf."""
    size = len(key.data)
    varint = bytes((size,)) if size < 0x80 else bytes((size & 0x7F | 0x80, size >> 7))
    return bytes((_TYPE_TAG, key.type, _DATA_TAG)) + varint + key.data


def parse_public_key(protobuf: bytes) -> PublicKey | None:
    """Take a libp2p key out of its container, None when it is not in the one form allowed.

    The form is deterministic (libp2p specs, peer-ids/peer-ids.md, "Keys"): both fields, in
    order of their tags, minimal varints, no other field.
    """
    if len(protobuf) < 4 or protobuf[0] != _TYPE_TAG or protobuf[2] != _DATA_TAG:
        return None
    if protobuf[1] > max(KeyType):
        return None
    start = 4 if protobuf[3] < 0x80 else 5
    key = PublicKey(KeyType(protobuf[1]), protobuf[start:])
    if len(key.data) >> 14 or encode_public_key(key) != protobuf:
        return None
    return key


_SPKI_PREFIX: Final = {
    KeyType.RSA: b"",
    KeyType.ECDSA: b"",
    # SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING }: RFC 8410, section 4.
    KeyType.ED25519: bytes.fromhex("302a300506032b6570032100"),
    # SEQUENCE { SEQUENCE { OID ecPublicKey, OID secp256k1 }, BIT STRING }: RFC 5480.
    KeyType.SECP256K1: bytes.fromhex("3036301006072a8648ce3d020106052b8104000a032200"),
}


def subject_public_key_info(key: PublicKey) -> bytes:
    """Return the PKIX DER (SubjectPublicKeyInfo) of a key; the point stays as it is written."""
    return _SPKI_PREFIX[key.type] + key.data


def fingerprint(spki: bytes) -> str:
    """Return `SHA256:` and the unpadded base64 of the SHA-256 of a SubjectPublicKeyInfo.

    The same key has the same fingerprint in a libp2p container and in PKCS#1. A stranger gets
    the digest from a PEM file by `openssl pkey -pubin -outform DER | openssl dgst -sha256`
    (Secp256k1: with `-ec_conv_form compressed`). ssh hashes another encoding: its fingerprints
    look the same and are not.
    """
    return "SHA256:" + b64encode(hashlib.sha256(spki).digest()).decode("ascii").rstrip("=")


def key_fingerprint(key_base64: str) -> str:
    """Return the fingerprint of a requester's key as documents carry it, "" when it is none.

    Of the container only; `checks.check_requester` also looks at the key inside.
    """
    protobuf = decode_base64(key_base64)
    key = None if protobuf is None else parse_public_key(protobuf)
    return "" if key is None else fingerprint(subject_public_key_info(key))
