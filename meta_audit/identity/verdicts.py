"""Check requesters, clients and signed submissions: attributions rest on it.

Verdicts are `model.Verdict`. A check proves that an ID and a key belong together; only a
signature proves that somebody held the key.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from meta_audit.identity.base58 import MAX_CHARS as MAX_ID_CHARS
from meta_audit.identity.client import client_id
from meta_audit.identity.key_loading import is_public_key, load_client_key
from meta_audit.identity.keys import (
    MAX_BASE64_CHARS,
    decode_base64,
    fingerprint,
    parse_public_key,
    subject_public_key_info,
)
from meta_audit.identity.peer import multihash, parse_peer_id
from meta_audit.model import Verdict

SignatureVerdict = Literal["valid", "invalid", "undecodable"]


class KeyCheck(Struct, frozen=True):
    """The result of comparing an ID with a key."""

    verdict: Verdict
    fingerprint: str
    """Of the key (`keys.fingerprint`), whatever the verdict; "" when there is no key, or none
    that decodes."""


def check_requester(requester_id: str, key_base64: str | None) -> KeyCheck:
    """Check a requester's ID against its public key (base64 of libp2p's container).

    In this order: `not_a_peer_id`, the ID is not one, so that no key could ever prove it (node
    IDs since v1.2.1); `no_key`, None or empty; `undecodable`, the base64, the container or the
    key inside it is broken (also when the broken bytes hash to the ID: nobody can hold the
    private half of what is not a key); then `match` or `mismatch`.
    """
    return _check_requester(
        _bounded(requester_id, MAX_ID_CHARS), _bounded(key_base64 or "", MAX_BASE64_CHARS)
    )


def check_client(client: str, key_base64: str | None) -> KeyCheck:
    """Check a client's ID against its public key (base64 of RSA PKCS#1 DER).

    In this order: `no_key`, None or empty; `undecodable`, not such a key; then `match` or
    `mismatch`. An ID that is not even formed like one (`client.is_client_id`) is a `mismatch`
    with every key; without a key its form is for the caller to judge.
    """
    if not key_base64:
        return KeyCheck("no_key", "")
    loaded = _client_key(_bounded(key_base64, MAX_BASE64_CHARS))
    if loaded is None:
        return KeyCheck("undecodable", "")
    return KeyCheck("match" if client == loaded.client_id else "mismatch", loaded.fingerprint)


def verify_submission(
    payload_raw: bytes, signature_base64: str, public_key_base64: str
) -> SignatureVerdict:
    """Verify the signature of a submission, v0.3 to v1.1.

    RSA PKCS#1 v1.5 with SHA-256 (RFC 8017, section 8.2.2) over the payload's bytes exactly as
    they stood in the document (`verifyRequestSignature` in Bacalhau's pkg/publicapi): writing
    the payload again breaks it. `undecodable`: the signature is not base64, or the key is not
    one (`check_client`). That the key is the client's is for `check_client` to say.
    """
    loaded = _client_key(_bounded(public_key_base64, MAX_BASE64_CHARS))
    signature = decode_base64(signature_base64)
    if loaded is None or not signature:
        return "undecodable"
    try:
        loaded.key.verify(signature, payload_raw, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):  # ValueError: OpenSSL will not compute with the key
        return "invalid"
    return "valid"


class _ClientKey(Struct, frozen=True):
    key: RSAPublicKey
    client_id: str
    fingerprint: str


def _bounded(text: str, limit: int) -> str:
    """Replace a text above the limit by one that decodes as nothing: caches hold what they get."""
    return text if len(text) <= limit else "?"


@lru_cache(maxsize=1024)
def _check_requester(requester_id: str, key_base64: str) -> KeyCheck:
    protobuf = decode_base64(key_base64)
    key = None if protobuf is None else parse_public_key(protobuf)
    if protobuf is None or key is None or not is_public_key(key):
        protobuf, shown = None, ""
    else:
        shown = fingerprint(subject_public_key_info(key))

    expected = parse_peer_id(requester_id)
    if expected is None:
        return KeyCheck("not_a_peer_id", shown)
    if not key_base64:
        return KeyCheck("no_key", "")
    if protobuf is None:
        return KeyCheck("undecodable", "")
    return KeyCheck("match" if multihash(protobuf) == expected else "mismatch", shown)


@lru_cache(maxsize=1024)
def _client_key(key_base64: str) -> _ClientKey | None:
    der = decode_base64(key_base64)
    key = None if der is None else load_client_key(der)
    if key is None:
        return None
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _ClientKey(key, client_id(key.public_numbers().n), fingerprint(spki))
