"""base58btc, the text form of peer IDs (multibase table, code `z`; Bitcoin's alphabet).

Text and bytes map one to one: a leading zero byte is a leading `1`, and there is no
padding, so no two texts stand for the same bytes.
"""

from __future__ import annotations

from typing import Final

MAX_CHARS: Final = 128
"""Longest text that is looked at: decoding is quadratic, and a peer ID has at most 60."""

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGIT: Final = {char: digit for digit, char in enumerate(_ALPHABET)}


def encode(data: bytes) -> str:
    """Return the base58btc text of `data`. Quadratic in its length: for short data only."""
    number = int.from_bytes(data, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def decode(text: str) -> bytes | None:
    """Return the bytes of a base58btc text, None when it is none or above `MAX_CHARS`."""
    if len(text) > MAX_CHARS:
        return None
    number = 0
    for char in text:
        digit = _DIGIT.get(char)
        if digit is None:
            return None
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
