"""Write NUL so that every engine can store it: Bacalhau takes it in texts, PostgreSQL does not.

U+0000 becomes U+FFFF and `0`, and U+FFFF, which Unicode keeps for internal use, becomes U+FFFF
and `1`. Two texts are equal exactly when their escaped forms are.
"""

from __future__ import annotations

from typing import Final

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
