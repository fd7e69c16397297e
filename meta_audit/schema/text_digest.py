"""Compute the digests by which texts of any length are found.

PostgreSQL refuses index rows above 2,704 bytes, and a Meta value may have megabytes.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

DIGEST_BYTES: Final = 16


def digest(text: str) -> bytes:
    """Return the first 16 bytes of the SHA-256 of a text."""
    return sha256(text.encode()).digest()[:DIGEST_BYTES]


def pair_digest(key: str, value: str) -> bytes:
    """Return the digest of a key and its value, both without NUL (`nul.escape_nul`)."""
    return digest(f"{key}\0{value}")
