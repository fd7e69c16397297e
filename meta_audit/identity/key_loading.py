"""Load public keys with the `cryptography` library, within bounds that hostile keys cannot leave.

A key is taken only in the exact encoding that its writer must use: it is written again and
compared, so that each key has one text and one ID.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256K1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from meta_audit.identity.keys import KeyType, PublicKey

MIN_RSA_BITS: Final = 1_024
"""Shorter keys can be factored: they prove nothing."""
MAX_RSA_BITS: Final = 8_192
"""go-libp2p's own limit; a check at it costs about a millisecond."""
MAX_RSA_EXPONENT: Final = 2**31 - 1
"""Go's own limit (crypto/rsa, `checkPub`): a huge exponent makes a check slow."""

_CURVES: Final = frozenset({"secp224r1", "secp256r1", "secp384r1", "secp521r1"})
"""The curves that Go's crypto/x509 reads."""


def is_public_key(key: PublicKey) -> bool:
    """Tell if the data of a libp2p container is a public key of the stated type."""
    match key.type:
        case KeyType.ED25519:
            return len(key.data) == 32
        case KeyType.SECP256K1:
            return len(key.data) == 33 and _is_secp256k1_point(key.data)
        case KeyType.RSA:
            return _load_rsa(key.data, PublicFormat.SubjectPublicKeyInfo) is not None
        case KeyType.ECDSA:
            loaded = _load_der(key.data, PublicFormat.SubjectPublicKeyInfo)
            return isinstance(loaded, EllipticCurvePublicKey) and loaded.curve.name in _CURVES


def load_client_key(pkcs1: bytes) -> RSAPublicKey | None:
    """Load a client's key (RSA, PKCS#1 DER as Go's `x509.MarshalPKCS1PublicKey` writes it)."""
    return _load_rsa(pkcs1, PublicFormat.PKCS1)


def _is_secp256k1_point(data: bytes) -> bool:
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256K1(), data)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _load_rsa(der: bytes, form: PublicFormat) -> RSAPublicKey | None:
    key = _load_der(der, form)
    if not isinstance(key, RSAPublicKey) or not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        return None
    return key if key.public_numbers().e <= MAX_RSA_EXPONENT else None


def _load_der(der: bytes, form: PublicFormat) -> RSAPublicKey | EllipticCurvePublicKey | None:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey):
        return None
    # The loader also takes PKCS#1 for PKIX, compressed points and other parameters of RSA.
    return key if key.public_bytes(Encoding.DER, form) == der else None
