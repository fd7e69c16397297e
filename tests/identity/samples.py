"""The real pairs, and how documents carry a key."""

from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.serialization import PublicFormat

from meta_audit.identity.keys import PublicKey, encode_public_key

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
