"""A client with a key of its own."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@pytest.fixture(scope="session")
def rsa_signed() -> Callable[[Any], bytes]:
    key = rsa.generate_private_key(65537, 2048)
    public = b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)).decode()

    def sign(payload: Any) -> bytes:
        raw = json.dumps(payload)
        signature = b64encode(key.sign(raw.encode(), PKCS1v15(), SHA256())).decode()
        return (
            f'{{"payload":{raw},"signature":"{signature}","client_public_key":"{public}"}}'.encode()
        )

    return sign
