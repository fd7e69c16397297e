"""Twenty requesters with real libp2p public keys, and how their file was made.

`requesters.json` holds, per requester, the key type, the base64 of the libp2p public-key
protobuf (what Bacalhau up to v1.2.0 writes as `bacalhau.org/requester.publicKey`) and the
peer ID that belongs to it (`bacalhau.org/requester.id`). The private keys were never stored.
The file is made once, because an RSA key cannot be made from a seed:

    python -m bench.requesters > bench/requesters.json
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).with_name("requesters.json")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_RSA, _ED25519 = 0, 1
_IDENTITY_LIMIT = 42
"""libp2p peer-id specification: keys up to this many bytes are not hashed."""


class Requester(NamedTuple):
    """One node that accepts jobs."""

    key_type: str
    public_key: str
    """base64 of the libp2p public-key protobuf."""
    peer_id: str


def load() -> list[Requester]:
    """Return the committed requesters, in the order of the file."""
    return [Requester(**entry) for entry in json.loads(_FILE.read_text("ascii"))]


def peer_id(protobuf: bytes) -> str:
    """Return the peer ID of a libp2p public key: base58btc of its multihash."""
    if len(protobuf) <= _IDENTITY_LIMIT:
        multihash = bytes((0x00, len(protobuf))) + protobuf
    else:
        multihash = b"\x12\x20" + hashlib.sha256(protobuf).digest()
    number, digits = int.from_bytes(multihash, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = _BASE58[digit] + digits
    return "1" * (len(multihash) - len(multihash.lstrip(b"\0"))) + digits


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _make(count: int = 20) -> list[Requester]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    made = []
    for number in range(count):
        if number % 4 == 3:
            raw = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()
            key_type, name = _ED25519, "Ed25519"
        else:
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            raw = private.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            key_type, name = _RSA, "RSA-2048"
        protobuf = bytes((0x08, key_type, 0x12)) + _varint(len(raw)) + raw
        made.append(Requester(name, base64.b64encode(protobuf).decode(), peer_id(protobuf)))
    return made


if __name__ == "__main__":
    print(json.dumps([requester._asdict() for requester in _make()], indent=1))
