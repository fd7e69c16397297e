"""The checks: what matches, and that nothing altered ever does."""

import time
from base64 import b64decode, b64encode
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.identity.keys import KeyType, PublicKey, encode_public_key, key_fingerprint
from meta_audit.identity.verdicts import check_client, check_requester, verify_submission
from tests.identity.samples import Pair, Submission, peer_id, real_pairs, to_base64

ANY_TEXT = st.text(st.characters(), max_size=100)


def flipped(text: str) -> Iterator[str]:
    """Every text that differs in one bit (of the seven of ASCII)."""
    for place, char in enumerate(text):
        for bit in range(7):
            yield text[:place] + chr(ord(char) ^ 1 << bit) + text[place + 1 :]


def flipped_bytes(data: bytes) -> Iterator[bytes]:
    for place in range(len(data) * 8):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


def client_key(key: rsa.RSAPrivateKey) -> str:
    return b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)).decode()


@pytest.mark.parametrize("pair", real_pairs(), ids=lambda pair: pair.id)
def test_real_requesters_match(pair: Pair) -> None:
    check = check_requester(pair.id, pair.public_key)
    assert check.verdict == "match"
    assert check.fingerprint == key_fingerprint(pair.public_key)
    assert check.fingerprint.startswith("SHA256:")


@pytest.mark.parametrize("key_type", KeyType)
def test_each_type_matches_its_own_id_only(
    keys: dict[KeyType, PublicKey], key_type: KeyType
) -> None:
    own = peer_id(encode_public_key(keys[key_type]))
    for other_type, other in keys.items():
        verdict = check_requester(own, to_base64(other)).verdict
        assert verdict == ("match" if other_type is key_type else "mismatch")


@pytest.mark.parametrize("pair", real_pairs()[::4], ids=lambda pair: pair.id)
def test_no_flipped_bit_of_a_requester_matches(pair: Pair) -> None:
    for broken in flipped(pair.id):
        assert check_requester(broken, pair.public_key).verdict in {"mismatch", "not_a_peer_id"}
    for broken in flipped(pair.public_key):
        assert check_requester(pair.id, broken).verdict in {"mismatch", "undecodable"}


@pytest.mark.parametrize("key_type", KeyType)
def test_no_flipped_bit_of_a_key_matches(keys: dict[KeyType, PublicKey], key_type: KeyType) -> None:
    protobuf = encode_public_key(keys[key_type])
    own = peer_id(protobuf)
    for broken in flipped_bytes(protobuf):
        check = check_requester(own, b64encode(broken).decode())
        assert check.verdict in {"mismatch", "undecodable"}
        assert bool(check.fingerprint) == (check.verdict == "mismatch")


def test_verdicts_in_their_order(keys: dict[KeyType, PublicKey]) -> None:
    key = to_base64(keys[KeyType.RSA])
    own = peer_id(encode_public_key(keys[KeyType.RSA]))
    shown = key_fingerprint(key)
    node = "n-5c1f5b1e-7a0e-4f5c-8f43-3a9a3f0f9a63"
    for absent in (None, ""):
        assert check_requester(own, absent) == check_client("a" * 64, absent)
        assert check_requester(own, absent).verdict == "no_key"
        assert check_requester(node, absent).verdict == "not_a_peer_id"
    assert check_requester(node, key).verdict == "not_a_peer_id"
    assert check_requester(node, key).fingerprint == shown
    assert check_requester(node, "...").verdict == "not_a_peer_id"
    assert check_requester(own, "...").verdict == "undecodable"
    assert (
        check_requester(own, "CAASpgIwggEiMA0GCSqG...BcyEhfEZKnAgMBAAE=").verdict == "undecodable"
    )


@pytest.mark.parametrize("key_type", [KeyType.RSA, KeyType.SECP256K1, KeyType.ECDSA])
def test_an_id_of_what_is_not_a_key_is_undecodable(key_type: KeyType) -> None:
    garbage = PublicKey(key_type, b"\x07" * 33)
    protobuf = encode_public_key(garbage)
    check = check_requester(peer_id(protobuf), to_base64(garbage))
    assert (check.verdict, check.fingerprint) == ("undecodable", "")


def test_a_short_key_hashed_against_the_rule_is_a_mismatch(keys) -> None:
    """Before 2019 libp2p hashed Ed25519 keys too; today's arithmetic says that they differ."""
    protobuf = encode_public_key(keys[KeyType.ED25519])
    hashed = peer_id(protobuf + b"\0" * 10)
    assert check_requester(hashed, b64encode(protobuf).decode()).verdict == "mismatch"


@given(ANY_TEXT, ANY_TEXT | st.none())
def test_requester_garbage_never_raises_or_matches(requester: str, key: str | None) -> None:
    assert check_requester(requester, key).verdict != "match"


@given(ANY_TEXT, ANY_TEXT | st.none(), st.binary(max_size=50), ANY_TEXT)
def test_client_garbage_never_raises_or_matches(
    client: str, key: str | None, payload: bytes, signature: str
) -> None:
    assert check_client(client, key).verdict in {"no_key", "undecodable"}
    assert verify_submission(payload, signature, key or "") == "undecodable"


def test_the_real_submission_is_the_client_s_and_verifies(submission: Submission) -> None:
    _, payload, signature, key = submission
    assert check_client(submission.client_id, key).verdict == "match"
    assert verify_submission(payload, signature, key) == "valid"


def test_no_flipped_bit_of_a_submission_verifies(submission: Submission) -> None:
    _, payload, signature, key = submission
    for broken in flipped_bytes(payload):
        assert verify_submission(broken, signature, key) == "invalid"
    for broken in (payload[:-1], payload + b"\n", b" " + payload, b""):
        assert verify_submission(broken, signature, key) == "invalid"
    for text in flipped(signature):
        assert verify_submission(payload, text, key) in {"invalid", "undecodable"}
    for data in flipped_bytes(b64decode(signature)):
        assert verify_submission(payload, b64encode(data).decode(), key) == "invalid"


def test_no_flipped_bit_of_a_client_s_key_verifies(submission: Submission) -> None:
    _, payload, signature, key = submission
    for data in flipped_bytes(b64decode(key)):
        broken = b64encode(data).decode()
        assert verify_submission(payload, signature, broken) in {"invalid", "undecodable"}
    for text in flipped(key):
        assert verify_submission(payload, signature, text) in {"invalid", "undecodable"}


def test_an_id_follows_the_modulus_alone(submission: Submission) -> None:
    """Bacalhau's rule: two keys of one modulus have one client ID, told apart by fingerprint."""
    client, _, _, key = submission
    der = b64decode(key)
    modulus = der[:-5]  # the exponent, 65537, ends the DER: 02 03 01 00 01
    assert der[-5:] == bytes.fromhex("0203010001")
    for data in flipped_bytes(modulus):
        assert check_client(client, b64encode(data + der[-5:]).decode()).verdict != "match"
    other = b64encode(modulus + bytes.fromhex("0203010003")).decode()
    assert check_client(client, other).verdict == "match"
    assert check_client(client, other).fingerprint != check_client(client, key).fingerprint


def test_no_flipped_bit_of_a_client_id_matches(submission: Submission) -> None:
    for broken in flipped(submission.client_id):
        assert check_client(broken, submission.public_key).verdict == "mismatch"


def test_other_signatures_are_refused(rsa_key: rsa.RSAPrivateKey, submission: Submission) -> None:
    payload, key = b'{"ClientID":"x"}', client_key(rsa_key)

    def sign(scheme: padding.AsymmetricPadding, digest: hashes.HashAlgorithm) -> str:
        return b64encode(rsa_key.sign(payload, scheme, digest)).decode()

    good = sign(padding.PKCS1v15(), hashes.SHA256())
    assert verify_submission(payload, good, key) == "valid"
    assert verify_submission(payload, good, submission.public_key) == "invalid"
    for other in (
        sign(padding.PKCS1v15(), hashes.SHA512()),
        sign(padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
        b64encode(b"short").decode(),
        b64encode(bytes(256)).decode(),
        b64encode(b"\xff" * 256).decode(),
    ):
        assert verify_submission(payload, other, key) == "invalid"
    for nothing in ("", "...", good[:-1]):
        assert verify_submission(payload, nothing, key) == "undecodable"
        assert verify_submission(payload, good, nothing) == "undecodable"


def test_one_key_has_one_fingerprint(rsa_key: rsa.RSAPrivateKey, keys) -> None:
    requester = to_base64(keys[KeyType.RSA])
    as_client = check_client("a" * 64, client_key(rsa_key))
    assert as_client.verdict == "mismatch"
    assert as_client.fingerprint == key_fingerprint(requester)


def test_hostile_sizes_cost_nothing(keys: dict[KeyType, PublicKey]) -> None:
    key = to_base64(keys[KeyType.RSA])
    own = peer_id(encode_public_key(keys[KeyType.RSA]))
    long = "1" * 1_000_000
    begin = time.process_time()
    assert check_requester(long, key).verdict == "not_a_peer_id"
    assert check_requester("bafz" + long, None).verdict == "not_a_peer_id"
    assert check_requester(own, long).verdict == "undecodable"
    assert check_client(long, long).verdict == "undecodable"
    assert check_client("a" * 64, long).verdict == "undecodable"
    assert verify_submission(b"{}", long, key) == "undecodable"
    assert verify_submission(b"{}", "YQ==", long) == "undecodable"
    assert key_fingerprint(long) == ""
    assert time.process_time() - begin < 2


def test_the_slowest_key_that_is_taken_stays_cheap() -> None:
    numbers = rsa.RSAPublicNumbers(2**31 - 1, (1 << 8_192) - 3)
    der = numbers.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    key = b64encode(der).decode()
    signature = b64encode(b"\x01" * 1_024).decode()
    begin = time.process_time()
    for _ in range(10):
        assert verify_submission(b"{}", signature, key) == "invalid"
    assert time.process_time() - begin < 2
