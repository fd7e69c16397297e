r"""Make text of strangers safe for a terminal.

Characters that a terminal would obey, or that a reader could not see, are written as in a
Python literal: `\x1b`, `\n`, `\u202e`, `\U000e0041`. Printable characters stay, the backslash
too, so the text cannot be read back; `--format json` is exact.

Escaped: C0 and C1 controls, DEL; bidirectional and other format characters (Cf); line and
paragraph separators (Zl, Zp) and spaces other than U+0020 (Zs); surrogates, private and
unassigned code points; and what is printable by its category but shows nothing: Unicode's
Default_Ignorable_Code_Point (DerivedCoreProperties.txt) and the blank Braille pattern.
"""

from __future__ import annotations

import re
from typing import Final

_UNSEEN: Final = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef"
)
_IS_UNSEEN: Final = re.compile(f"[{_UNSEEN}]").search
_SHORT: Final = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def _visible(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return _SHORT.get(char) or f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class _Escapes:
    """Map code points, for `str.translate`."""

    def __getitem__(self, code: int) -> str | int:
        char = chr(code)
        if char.isprintable() and not _IS_UNSEEN(char):
            return code
        return _visible(char)


_ESCAPES: Final = _Escapes()


def is_safe(text: str) -> bool:
    """Tell whether a terminal shows the text as it is, on one line."""
    return text.isprintable() and (text.isascii() or not _IS_UNSEEN(text))


def escape(text: str) -> str:
    """Return the text with all that a terminal would obey or hide made visible; on one line."""
    return text if is_safe(text) else text.translate(_ESCAPES)


def escape_lines(text: str) -> str:
    """Return the text escaped line by line: line feeds stay."""
    return text if is_safe(text) else "\n".join(map(escape, text.split("\n")))
