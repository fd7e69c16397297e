"""Write texts so that every engine can store them: Bacalhau takes what PostgreSQL does not.

NUL becomes U+FFFF and `0`, and U+FFFF, which Unicode keeps for internal use, becomes U+FFFF and
`1`. Two texts are equal exactly when their escaped forms are. An ID or namespace that no index
takes is cut, and ends with U+FFFF, `2` and its digest.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

MAX_NAME: Final = 512
"""Most characters of a stored ID or namespace: PostgreSQL refuses index rows above 2,704 bytes."""
NUL: Final = "\0"
MARK: Final = "\uffff"


def escape_nul(text: str) -> str:
    """Return the form in which a text is stored, hashed and searched for."""
    if NUL not in text and MARK not in text:
        return text
    return text.replace(MARK, MARK + "1").replace(NUL, MARK + "0")


def unescape_nul(text: str) -> str:
    """Return the text that `escape_nul` was given; any other text comes back as it is."""
    if MARK not in text:
        return text
    return text.replace(MARK + "0", NUL).replace(MARK + "1", MARK)


def shorten_name(name: str) -> str:
    """Return the form in which an escaped job ID or namespace is stored and searched for."""
    if len(name) <= MAX_NAME:
        return name
    end = f"{MARK}2sha256:{sha256(name.encode()).hexdigest()}"
    return name[: MAX_NAME - len(end)] + end
