"""Containers, base64, fingerprints, and the keys inside."""

import hashlib
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.identity.key_loading import is_public_key, load_client_key
from meta_audit.identity.keys import (
    MAX_BASE64_CHARS,
    KeyType,
    PublicKey,
    decode_base64,
    encode_public_key,
    key_fingerprint,
    parse_public_key,
    subject_public_key_info,
)
from tests.identity.samples import SPKI, real_pairs, to_base64

PUBLIC_KEYS = st.builds(PublicKey, st.sampled_from(KeyType), st.binary(max_size=300))


@given(PUBLIC_KEYS)
def test_container_round_trip(key: PublicKey) -> None:
    assert parse_public_key(encode_public_key(key)) == key


@pytest.mark.parametrize("size", [0, 127, 128, 16_383])
def test_container_round_trip_at_the_edges_of_the_varint(size: int) -> None:
    key = PublicKey(KeyType.RSA, bytes(size))
    assert parse_public_key(encode_public_key(key)) == key


@pytest.mark.parametrize("size", [16_384, 40_000, 1_000_000])
def test_containers_beyond_any_key_are_refused(size: int) -> None:
    varint = bytes((size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14))
    assert parse_public_key(b"\x08\x00\x12" + varint + bytes(size)) is None
    assert parse_public_key(b"\x08\x00\x12\x80\x01" + bytes(size)) is None


@given(st.binary(max_size=80))
def test_only_the_deterministic_form_is_a_container(protobuf: bytes) -> None:
    key = parse_public_key(protobuf)
    assert key is None or encode_public_key(key) == protobuf


@pytest.mark.parametrize(
    "protobuf",
    [
        "",
        "0801",
        "080112",
        "08011201",  # shorter than it says
        "080112010000",  # longer
        "0801128100aa",  # varint not minimal
        "080112ffffff7f",
        "0804120100",  # unknown type
        "088000120100",  # type not minimal
        "1201000801",  # fields out of order
        "12020000",  # no type
        "080112010018ff01",  # another field
    ],
)
def test_other_protobufs_are_refused(protobuf: str) -> None:
    assert parse_public_key(bytes.fromhex(protobuf)) is None


@given(st.binary(max_size=300))
def test_base64_round_trip(data: bytes) -> None:
    assert decode_base64(b64encode(data).decode()) == data


@given(st.text(st.characters(), max_size=60))
def test_only_canonical_base64_decodes(text: str) -> None:
    data = decode_base64(text)
    assert data is None or b64encode(data).decode() == text


@pytest.mark.parametrize(
    "text", ["YR==", "YQ", "YQ==\n", " YQ==", "Y-_=", "CAAS...BAAE=", "ＹＱ=="]
)
def test_other_base64_is_refused(text: str) -> None:
    assert decode_base64(text) is None


def test_base64_is_bounded() -> None:
    assert decode_base64("A" * MAX_BASE64_CHARS) is not None
    assert decode_base64("A" * (MAX_BASE64_CHARS + 4)) is None


@pytest.mark.parametrize("key_type", KeyType)
def test_a_key_of_each_type_is_one(keys: dict[KeyType, PublicKey], key_type: KeyType) -> None:
    assert is_public_key(keys[key_type])


@pytest.mark.parametrize("claimed", KeyType)
@pytest.mark.parametrize("real", KeyType)
def test_a_key_is_of_its_own_type_only(
    keys: dict[KeyType, PublicKey], real: KeyType, claimed: KeyType
) -> None:
    assert is_public_key(PublicKey(claimed, keys[real].data)) == (real == claimed)


@pytest.mark.parametrize("key_type", KeyType)
def test_a_key_with_a_byte_too_many_or_few_is_none(
    keys: dict[KeyType, PublicKey], key_type: KeyType
) -> None:
    data = keys[key_type].data
    for broken in (data[:-1], data + b"\0", b"", b"\0" * len(data) + b"\0"):
        assert not is_public_key(PublicKey(key_type, broken))


@given(PUBLIC_KEYS)
def test_garbage_as_a_key_never_raises(key: PublicKey) -> None:
    assert is_public_key(key) == (key.type is KeyType.ED25519 and len(key.data) == 32) or (
        key.type is KeyType.SECP256K1
    )
    assert load_client_key(key.data) is None


def _numbers(bits: int, exponent: int) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(exponent, (1 << bits) - 3).public_key()


@pytest.mark.parametrize(
    ("bits", "exponent", "taken"),
    [
        (1_023, 65_537, False),
        (1_024, 3, True),
        (8_192, 2**31 - 1, True),
        (8_193, 65_537, False),
        (2_048, 2**31 + 1, False),
        (2_048, (1 << 2_047) + 1, False),
    ],
)
def test_rsa_keys_are_bounded(bits: int, exponent: int, taken: bool) -> None:
    key = _numbers(bits, exponent)
    container = PublicKey(KeyType.RSA, key.public_bytes(Encoding.DER, SPKI))
    assert is_public_key(container) == taken
    pkcs1 = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    assert (load_client_key(pkcs1) is not None) == taken


def test_keys_in_another_encoding_are_refused(rsa_key: rsa.RSAPrivateKey) -> None:
    public = rsa_key.public_key()
    pkcs1 = public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    spki = public.public_bytes(Encoding.DER, SPKI)
    assert not is_public_key(PublicKey(KeyType.RSA, pkcs1))
    assert load_client_key(spki) is None
    assert load_client_key(pkcs1) is not None

    koblitz = ec.generate_private_key(ec.SECP256K1()).public_key()
    whole = koblitz.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert not is_public_key(PublicKey(KeyType.SECP256K1, whole))

    nist = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = nist.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    assert load_der_public_key(head + point)
    assert not is_public_key(PublicKey(KeyType.ECDSA, head + point))


def test_keys_of_other_algorithms_are_refused() -> None:
    others = [
        ed448.Ed448PrivateKey.generate().public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ec.generate_private_key(ec.BrainpoolP256R1()).public_key(),
        dsa.generate_private_key(1024).public_key(),
    ]
    for other in others:
        der = other.public_bytes(Encoding.DER, SPKI)
        assert not is_public_key(PublicKey(KeyType.RSA, der))
        assert not is_public_key(PublicKey(KeyType.ECDSA, der))


@pytest.mark.parametrize("curve", [ec.SECP224R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_the_curves_of_go_are_taken(curve: ec.EllipticCurve) -> None:
    der = ec.generate_private_key(curve).public_key().public_bytes(Encoding.DER, SPKI)
    assert is_public_key(PublicKey(KeyType.ECDSA, der))


@pytest.mark.parametrize("key_type", KeyType)
def test_the_pkix_form_is_the_same_key(keys: dict[KeyType, PublicKey], key_type: KeyType) -> None:
    key = keys[key_type]
    loaded = load_der_public_key(subject_public_key_info(key))
    if key_type is KeyType.ED25519:
        again = loaded.public_bytes(Encoding.Raw, PublicFormat.Raw)
    elif key_type is KeyType.SECP256K1:
        again = loaded.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    else:
        again = loaded.public_bytes(Encoding.DER, SPKI)
    assert again == key.data


@pytest.mark.parametrize("pair", real_pairs(), ids=lambda pair: pair.id)
def test_the_fingerprint_is_the_digest_of_the_pkix_form(pair) -> None:
    key = parse_public_key(b64decode(pair.public_key))
    pkix = load_der_public_key(subject_public_key_info(key)).public_bytes(Encoding.DER, SPKI)
    digest = b64encode(hashlib.sha256(pkix).digest()).decode().rstrip("=")
    assert key_fingerprint(pair.public_key) == f"SHA256:{digest}"


def test_no_key_no_fingerprint(keys: dict[KeyType, PublicKey]) -> None:
    assert key_fingerprint("") == key_fingerprint("...") == key_fingerprint("YQ==") == ""
    assert len({key_fingerprint(to_base64(key)) for key in keys.values()}) == 4
