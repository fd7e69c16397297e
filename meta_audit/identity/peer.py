"""Peer IDs: the names of requesters and nodes up to Bacalhau v1.2.0 (libp2p).

libp2p specs, peer-ids/peer-ids.md, "Peer Ids": the multihash of the public key's container,
sha2-256 (`Qm…`) or, up to 42 bytes, identity (`12D3KooW…`, `16Uiu2HA…`); written in
base58btc, or as a CIDv1 of codec `libp2p-key` in base32 (`bafz…`).
"""

from __future__ import annotations

import hashlib
from base64 import b32decode, b32encode
from typing import Final

from meta_audit.identity import base58
from meta_audit.identity.keys import parse_public_key

MAX_INLINE_BYTES: Final = 42
"""Longest container that is its own multihash."""

_IDENTITY: Final = 0x00
_SHA2_256: Final = b"\x12\x20"
_CID_PREFIX: Final = b"\x01\x72"
"""CID version 1, codec libp2p-key."""


def multihash(public_key_protobuf: bytes) -> bytes:
    """Return the multihash of a public key's container: the peer ID in binary form."""
    size = len(public_key_protobuf)
    if size <= MAX_INLINE_BYTES:
        return bytes((_IDENTITY, size)) + public_key_protobuf
    return _SHA2_256 + hashlib.sha256(public_key_protobuf).digest()


def parse_peer_id(text: str) -> bytes | None:
    """Return the multihash of a peer ID in either text form, None when it is not one.

    An identity multihash must hold a key's container. Compare IDs by what this returns: both
    forms name the same peer.
    """
    if text.startswith(("Qm", "1")):
        data = base58.decode(text)
    elif text.startswith("bafz") and len(text) <= base58.MAX_CHARS:
        data = _decode_cid(text)
    else:
        return None
    return data if data is not None and _is_peer_multihash(data) else None


def _is_peer_multihash(data: bytes) -> bool:
    if data.startswith(_SHA2_256):
        return len(data) == len(_SHA2_256) + 32
    return (
        2 < len(data) <= 2 + MAX_INLINE_BYTES
        and data[0] == _IDENTITY
        and data[1] == len(data) - 2
        and parse_public_key(data[2:]) is not None
    )


def _decode_cid(text: str) -> bytes | None:
    """Return the multihash of a CIDv1 in base32 (multibase `b`: lower case, no padding)."""
    body = text[1:]
    try:
        data = b32decode(body.upper() + "=" * (-len(body) % 8))
    except ValueError:
        return None
    # b32decode ignores unused bits, and upper() folds case: only the canonical text is an ID.
    if b32encode(data).decode("ascii").rstrip("=").lower() != body:
        return None
    return data.removeprefix(_CID_PREFIX) if data.startswith(_CID_PREFIX) else None
