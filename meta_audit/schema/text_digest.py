"""Find long texts by a digest of fixed size.

PostgreSQL refuses index rows above 2,704 bytes, and a Meta value may be megabytes.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

DIGEST_BYTES: Final = 16


def digest(text: str) -> bytes:
    """First 16 bytes of the SHA-256 of a text."""
    return sha256(text.encode()).digest()[:DIGEST_BYTES]


def pair_digest(key: str, value: str) -> bytes:
    """Digest of a key and its value. Neither holds a NUL: decode refuses it."""
    return digest(f"{key}\0{value}")
