r"""Results as JSON: exact, and safe to print.

UTF-8, but what a terminal would obey or hide is written as `\uXXXX`, which a JSON parser
reads back as the same text (RFC 8259, section 7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from meta_audit.render.escape import is_safe

if TYPE_CHECKING:
    from collections.abc import Iterable


class _JsonEscapes:
    """For `str.translate`. Line feeds are the formatter's own: JSON has none in its strings."""

    def __getitem__(self, code: int) -> str | int:
        char = chr(code)
        if char == "\n" or is_safe(char):
            return code
        if code < 0x10000:
            return f"\\u{code:04x}"
        code -= 0x10000
        return f"\\u{0xD800 | code >> 10:04x}\\u{0xDC00 | code & 0x3FF:04x}"


_ESCAPES: Final = _JsonEscapes()


def to_json(value: Any) -> bytes:
    """Return a Struct or builtin value as an indented JSON text and a line feed."""
    return _safe(msgspec.json.format(msgspec.json.encode(value), indent=2)) + b"\n"


def to_ndjson(values: Iterable[Any]) -> Iterable[bytes]:
    """Yield each value as one line of JSON."""
    for value in values:
        yield _safe(msgspec.json.encode(value)) + b"\n"


def _safe(encoded: bytes) -> bytes:
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return encoded.decode().translate(_ESCAPES).encode()
