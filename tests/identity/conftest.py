"""Keys of every type that libp2p knows, made afresh, and the real submission."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from meta_audit.identity.keys import KeyType, PublicKey
from tests.identity.samples import DATA, SPKI, Submission


@pytest.fixture(scope="session")
def submission() -> Submission:
    content = (DATA / "signed_submission.json").read_bytes()
    parts = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    payload = bytes(parts["job_create_payload"])
    return Submission(
        msgspec.json.decode(payload)["ClientID"],
        payload,
        msgspec.json.decode(parts["signature"]),
        msgspec.json.decode(parts["client_public_key"]),
    )


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def keys(rsa_key: rsa.RSAPrivateKey) -> dict[KeyType, PublicKey]:
    """One key of each type, by the encoding that libp2p prescribes for it."""
    edwards = ed25519.Ed25519PrivateKey.generate().public_key()
    koblitz = ec.generate_private_key(ec.SECP256K1()).public_key()
    nist = ec.generate_private_key(ec.SECP256R1()).public_key()
    encoded = {
        KeyType.RSA: rsa_key.public_key().public_bytes(Encoding.DER, SPKI),
        KeyType.ED25519: edwards.public_bytes_raw(),
        KeyType.SECP256K1: koblitz.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
        KeyType.ECDSA: nist.public_bytes(Encoding.DER, SPKI),
    }
    return {key_type: PublicKey(key_type, data) for key_type, data in encoded.items()}
