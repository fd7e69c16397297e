"""The real pairs, and how documents carry a key."""

from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.serialization import PublicFormat

from meta_audit.identity import base58
from meta_audit.identity.keys import PublicKey, encode_public_key
from meta_audit.identity.peer import multihash, parse_peer_id

DATA = Path(__file__).parent / "data"
SPKI = PublicFormat.SubjectPublicKeyInfo


class Pair(NamedTuple):
    """A requester: its ID, and its key in base64."""

    id: str
    public_key: str


class Submission(NamedTuple):
    """A signed submission, cut as it stands in its document."""

    client_id: str
    payload: bytes
    signature: str
    public_key: str


def real_pairs() -> list[Pair]:
    entries = msgspec.json.decode((DATA / "requesters.json").read_bytes())
    return [Pair(entry["id"], entry["public_key"]) for entry in entries]


def to_base64(key: PublicKey) -> str:
    return b64encode(encode_public_key(key)).decode()


def peer_id(protobuf: bytes) -> str:
    """The peer ID of a key, as libp2p shows it."""
    return base58.encode(multihash(protobuf))


def is_peer_id(text: str) -> bool:
    return parse_peer_id(text) is not None
