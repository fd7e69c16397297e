"""Client IDs: the names of clients up to Bacalhau v1.5.1.

`ConvertToClientID` in Bacalhau's pkg/system/signing.go: the SHA-256 of the modulus of the
client's RSA key as Go's `big.Int.Bytes` has it, in lower-case hexadecimal.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

_CLIENT_ID: Final = re.compile("[0-9a-f]{64}")


def client_id(modulus: int) -> str:
    """Return the client ID of an RSA modulus (big-endian, no leading zero)."""
    return hashlib.sha256(modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")).hexdigest()


def is_client_id(text: str) -> bool:
    """Tell if the text has the form of a client ID: 64 lower-case hexadecimal digits."""
    return _CLIENT_ID.fullmatch(text) is not None
