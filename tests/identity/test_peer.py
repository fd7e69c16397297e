"""Peer IDs and client IDs: their forms, and what they are made of."""

import hashlib
from base64 import b32encode, b64decode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meta_audit.identity import base58
from meta_audit.identity.client import client_id, is_client_id
from meta_audit.identity.keys import KeyType, PublicKey, encode_public_key
from meta_audit.identity.peer import multihash, parse_peer_id
from tests.identity.samples import is_peer_id, peer_id, real_pairs


def to_cid(protobuf: bytes) -> str:
    data = b"\x01\x72" + multihash(protobuf)
    return "b" + b32encode(data).decode().rstrip("=").lower()


@pytest.mark.parametrize("pair", real_pairs(), ids=lambda pair: pair.id)
def test_real_ids_are_made_of_their_keys(pair) -> None:
    assert peer_id(b64decode(pair.public_key)) == pair.id
    assert is_peer_id(pair.id)


@pytest.mark.parametrize(
    ("key_type", "prefix"),
    [
        (KeyType.RSA, "Qm"),
        (KeyType.ED25519, "12D3KooW"),
        (KeyType.SECP256K1, "16Uiu2HA"),
        (KeyType.ECDSA, "Qm"),
    ],
)
def test_ids_of_each_type(keys: dict[KeyType, PublicKey], key_type: KeyType, prefix: str) -> None:
    assert peer_id(encode_public_key(keys[key_type])).startswith(prefix)


@given(st.sampled_from(KeyType), st.binary(max_size=80))
@example(KeyType.ED25519, bytes(38))
@example(KeyType.ED25519, bytes(39))
def test_both_forms_of_an_id_are_one_peer(key_type: KeyType, data: bytes) -> None:
    protobuf = encode_public_key(PublicKey(key_type, data))
    expected = multihash(protobuf)
    assert expected[0] == (0x00 if len(protobuf) <= 42 else 0x12)
    assert parse_peer_id(peer_id(protobuf)) == expected
    assert to_cid(protobuf).startswith("bafz")
    assert parse_peer_id(to_cid(protobuf)) == expected


@given(st.text(st.characters(), max_size=200), st.sampled_from(["", "1", "Qm", "bafz"]))
def test_no_text_raises(text: str, prefix: str) -> None:
    is_peer_id(prefix + text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "11",  # an identity multihash of nothing
        "n-e002001e-9f7c-4e1f-a7d7-5e7d5a8a1e7e",
        "node-0",
        "Qm",
        "QmdZQ7ZbhnvWY1J12XYKGHApJ6aufKyLNSvf8jZBrBaAV",  # a character short
        "QmdZQ7ZbhnvWY1J12XYKGHApJ6aufKyLNSvf8jZBrBaAVLL",
        "QMdZQ7ZbhnvWY1J12XYKGHApJ6aufKyLNSvf8jZBrBaAVL",
        " QmdZQ7ZbhnvWY1J12XYKGHApJ6aufKyLNSvf8jZBrBaAVL",
        "QmdZQ7ZbhnvWY1J12XYKGHApJ6aufKyLNSvf8jZBrBaAVL\n",
        base58.encode(b"\x00\x24" + b"\x01" * 36),  # identity, but not of a container
        base58.encode(b"\x00\x2b" + encode_public_key(PublicKey(KeyType.RSA, bytes(39)))),
        base58.encode(b"\x13\x20" + bytes(32)),  # another hash function
        "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",  # a CID of another codec
        "bafz",
        "bafzbeie",
    ],
)
def test_other_texts_are_not_peer_ids(text: str) -> None:
    assert not is_peer_id(text)


def test_a_cid_has_one_text(keys: dict[KeyType, PublicKey]) -> None:
    protobuf = encode_public_key(keys[KeyType.ED25519])
    cid = to_cid(protobuf)
    assert is_peer_id(cid)
    for other in (cid.upper(), cid[:-1] + cid[-1].upper(), cid + "=", cid + "a", cid + " "):
        assert other == cid or not is_peer_id(other)
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    last = [cid[:-1] + char for char in alphabet]
    assert len({parse_peer_id(text) for text in last} - {None}) == sum(map(is_peer_id, last))


def test_client_id_is_the_digest_of_the_modulus_without_leading_zero() -> None:
    assert client_id(0x01FF) == hashlib.sha256(b"\x01\xff").hexdigest()
    assert client_id(0x80) == hashlib.sha256(b"\x80").hexdigest()
    assert client_id(0) == hashlib.sha256(b"").hexdigest()  # Go: big.Int(0).Bytes() is empty
    assert is_client_id(client_id(5))


@pytest.mark.parametrize(
    "text", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n", "٣" * 64]
)
def test_other_texts_are_not_client_ids(text: str) -> None:
    assert not is_client_id(text)
