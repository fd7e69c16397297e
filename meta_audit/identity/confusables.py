"""Tell which Meta keys look alike, and which characters nobody can see.

Nothing here changes what is stored: keys stay as they were written, and look-alikes are
findings. After Unicode Technical Standard 39 (skeletons), with its table of all scripts
(`confusables.txt`) and some letters more.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

from meta_audit.model import RESERVED_PREFIX

TABLE: Final = Path(__file__).with_name("confusables.txt")

MAX_FOLDED_CHARS: Final = 256
"""Beginning of a key that is folded: Python's normalisation is quadratic in combining marks
(3 s for 60,000 of them)."""

_MOST_FOLDINGS: Final = 8
"""A letter may look like one that looks like a third: two or three foldings are enough."""

_MOST_SHOWN: Final = 5
"""Characters of an ID that are named."""

# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), in groups.
_FORMAT: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_JOINERS: Final = "\u200c\u200d"
_VARIATION: Final = "\ufe00-\ufe0f"
# What else shows nothing: C0 but tab, LF and CR; DEL and C1; line and paragraph separators;
# interlinear annotation; the blank Braille pattern.
_BLANK: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufff9-\ufffb\u2800"

# Joiners shape the text of Arabic and Indic scripts and make one emoji of several.
_JOINABLE: Final = (
    "\u0600-\u18af\u2600-\u27bf\ufe0f\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff"
    "\U0001e900-\U0001e95f\U0001f000-\U0001faff"
)
_SUSPECT: Final = re.compile(f"[{_BLANK}{_FORMAT}{_JOINERS}]")
_INVISIBLE: Final = re.compile(f"[{_BLANK}{_FORMAT}]|(?<![{_JOINABLE}])[{_JOINERS}]")
UNSEEN: Final = re.compile(f"[{_BLANK}{_FORMAT}{_JOINERS}{_VARIATION}\t\n\r]")

# Letters that Unicode's table takes for no ASCII letter, though a hasty reader does.
_MORE: Final = {
    "a": "\u1d00\u2c80\u2c81",
    "b": "\u0432\u03b2\u044c\u0185\u0184\u0299",
    "d": "\u0501\u0500\u1d05",
    "e": "\u03b5\u1d07\ua792\ua793",
    "g": "\u0262",
    "h": "\u043d\u029c",
    "j": "\u1d0a",
    "k": "\u043a\u03ba\u1d0b",
    "l": "\u0196\u029f",
    "m": "\u043c\u1d0d",
    "n": "\u043f\u03b7\u0274",
    "p": "\u1d18",
    "r": "\u0280",
    "t": "\u0442\u03c4\u1d1b",
    "w": "\u0461\u0460\u03c9",
    "x": "\u03c7",
    "z": "\u03b6",
    ".": "\u06d4\u3002",
    "-": "\u2014\u2015",
}
# Folds what a reader takes for one another within ASCII; too coarse for keys of users.
_ASCII_TWINS: Final = str.maketrans(
    {"i": "l", "1": "l", "|": "l", "!": "l", "0": "o", "\\": "/", ",": "."}
)


def has_invisible(text: str) -> bool:
    """Tell if the text holds a character that cannot be seen, or that reorders what can.

    C0 (but tab, LF, CR, which honest multi-line values hold), C1, bidirectional controls,
    zero-width and other ignorable characters. Not: variation selectors U+FE00 to U+FE0F, which
    emoji carry, and joiners (ZWJ, ZWNJ) after an emoji or a letter of a script that needs them.
    """
    if text.isascii() and text.isprintable():
        return False
    # One character class is scanned some times faster than a choice of two.
    return _SUSPECT.search(text) is not None and _INVISIBLE.search(text) is not None


@cache
def _to_lookalike() -> dict[int, str]:
    """Load the table: each letter, and what it looks like. Only keys beyond ASCII need it."""
    more = str.maketrans({one: char for char, imitations in _MORE.items() for one in imitations})
    table: dict[int, str] = {}
    for line in TABLE.read_text(encoding="ascii").partition("\n\n")[2].splitlines():
        target, _, sources = line.partition(": ")
        # What looks like a letter of `_MORE` looks like that one's target.
        text = "".join(chr(int(code, 16)) for code in target.split()).translate(more)
        table.update((int(code, 16), text) for code in sources.split())
    return table | more


def skeleton(key: str) -> str:
    """Return what a key looks like: keys of equal skeletons look alike.

    Without invisible characters, compatibility forms (NFKC) and case folded, look-alike letters
    as ASCII. Of a key above `MAX_FOLDED_CHARS` only that much is folded so, the rest by case.
    """
    if key.isascii() and key.isprintable():
        return key.casefold()
    head, rest = key[:MAX_FOLDED_CHARS], key[MAX_FOLDED_CHARS:]
    for _ in range(_MOST_FOLDINGS):
        folded = _fold(head)
        if folded == head:
            break
        head = folded
    return head + rest.casefold()


def _fold(text: str) -> str:
    # The table goes first for what normalises to another shape (lunate sigma), then for what
    # decomposes to a look-alike and its marks, last for what folds to one.
    table = _to_lookalike()
    text = unicodedata.normalize("NFKD", text.translate(table)).translate(table)
    text = UNSEEN.sub("", text).casefold().translate(table)
    return unicodedata.normalize("NFKC", text)


def disguise(name: str) -> str:
    """Tell what of an ID may be overlooked, or taken for something else; empty for nothing.

    IDs that Bacalhau makes are printable ASCII without blanks.
    """
    odd = [f"U+{ord(char):04X}" for char in dict.fromkeys(name) if not "!" <= char <= "~"]
    if odd == ["U+0020"] and name == " ".join(name.split()):
        return ""
    return ", ".join(odd[:_MOST_SHOWN])


def is_reserved(key: str) -> bool:
    """Tell if Bacalhau reserves the key for itself."""
    return key.startswith(RESERVED_PREFIX)


def imitates_reserved(key: str) -> bool:
    """Tell if the key is not reserved but begins as if it were, to somebody who reads it.

    Beyond `skeleton`, white space and diacritics do not count, and neither does what looks
    alike within ASCII (`bacaIhau.0rg/`). Only the first `MAX_FOLDED_CHARS` are looked at.
    """
    if key.startswith(RESERVED_PREFIX):
        return False
    if key[:1] not in "bB " and key.isascii() and key.isprintable():
        return False
    return read_as(key).startswith(_PREFIX_READ_AS)


def read_as(key: str) -> str:
    """Return what somebody who reads a key takes it for; two with equal results are one to them.

    Only the first `MAX_FOLDED_CHARS` are looked at.
    """
    seen = unicodedata.normalize("NFKD", skeleton(key[:MAX_FOLDED_CHARS])).translate(_ASCII_TWINS)
    letters = (char for char in seen if not (unicodedata.combining(char) or char.isspace()))
    return _SLASHES.sub("/", "".join(letters))


_SLASHES: Final = re.compile("//+")
_PREFIX_READ_AS: Final = read_as(RESERVED_PREFIX)
