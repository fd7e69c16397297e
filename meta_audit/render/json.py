r"""Results as JSON: exact, and safe to print.

UTF-8, but what a terminal would obey or hide is written as `\uXXXX`, which a JSON parser
reads back as the same text (RFC 8259, section 7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from meta_audit.render.escape import is_safe

if TYPE_CHECKING:
    from meta_audit.render.layout import Screen
    from meta_audit.render.page import Page


class _JsonEscapes:
    """Map code points, for `str.translate`. Only the formatter writes line feeds."""

    def __getitem__(self, code: int) -> str | int:
        char = chr(code)
        if char == "\n" or is_safe(char):
            return code
        if code < 0x10000:
            return f"\\u{code:04x}"
        code -= 0x10000
        return f"\\u{0xD800 | code >> 10:04x}\\u{0xDC00 | code & 0x3FF:04x}"


_ESCAPES: Final = _JsonEscapes()


def render(page: Page[Any], screen: Screen) -> bytes:  # noqa: ARG001 - as every renderer
    """Return the whole content of a page as one JSON text."""
    return to_json(page.value(), indent=page.indent)


def to_json(value: Any, *, indent: int = 2) -> bytes:
    """Return a Struct or builtin value as a JSON text and a line feed; on one line for 0."""
    encoded = msgspec.json.encode(value)
    return _safe(msgspec.json.format(encoded, indent=indent) if indent else encoded) + b"\n"


def _safe(encoded: bytes) -> bytes:
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return encoded.decode().translate(_ESCAPES).encode()
