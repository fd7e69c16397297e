r"""Meta keys that look like other keys, and characters that nobody can see.

Nothing here changes what is stored: keys stay as they were written, and look-alikes are
findings. After Unicode Technical Standard 39 (skeletons), with a table of the letters that
imitate ASCII in Latin, Cyrillic, Greek and Armenian instead of its six thousand entries.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

RESERVED_PREFIX: Final = "bacalhau.org/"
"""Bacalhau's pkg/models/constants.go, `MetaReservedPrefix`; compared by `strings.HasPrefix`."""

MAX_FOLDED_CHARS: Final = 256
"""Beginning of a key that is folded: Python's normalisation is quadratic in combining marks
(3 s for 60,000 of them)."""

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
_UNSEEN: Final = re.compile(f"[{_BLANK}{_FORMAT}{_JOINERS}{_VARIATION}\t\n\r]")

# Upper-case letters are listed where the lower-case form imitates another letter or none.
_LOOKALIKES: Final = {
    "a": "\u0430\u0410\u03b1\u0391\u0251\u1d00",
    "b": "\u0432\u0412\u03b2\u0392\u044c\u042c\u0185\u0184\u0299",
    "c": "\u0441\u0421\u03f2\u03f9\u1d04",
    "d": "\u0501\u0500\u1d05",
    "e": "\u0435\u0415\u03b5\u0395\u1d07",
    "f": "\u0192",
    "g": "\u0261\u0581\u0262",
    "h": "\u043d\u041d\u0397\u04bb\u04ba\u0570\u029c",
    "i": "\u0456\u0406\u03b9\u0399\u0131\u0269\u026a",
    "j": "\u0458\u0408\u03f3\u037f\u0237\u1d0a",
    "k": "\u043a\u041a\u03ba\u039a\u1d0b",
    "l": "\u04cf\u04c0\u0196\u029f",
    "m": "\u043c\u041c\u039c\u1d0d",
    "n": "\u043f\u03b7\u039d\u0578\u0274",
    "o": "\u043e\u041e\u03bf\u039f\u03c3\u0585\u0555\u1d0f",
    "p": "\u0440\u0420\u03c1\u03a1\u1d18",
    "q": "\u051b\u051a\u0566",
    "r": "\u0433\u1d26\u0280",
    "s": "\u0455\u0405\ua731",
    "t": "\u0442\u0422\u03c4\u03a4\u1d1b",
    "u": "\u03c5\u057d\u054d\u028b\u1d1c",
    "v": "\u03bd\u0475\u0474\u1d20",
    "w": "\u0461\u0460\u051d\u051c\u03c9\u1d21",
    "x": "\u0445\u0425\u03c7\u03a7",
    "y": "\u0443\u0423\u04af\u04ae\u03b3\u03a5\u028f",
    "z": "\u03b6\u0396\u1d22",
    ".": "\u06d4\u3002\ua4f8",
    "/": "\u2044\u2215\u2571\u29f8",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u02d7",
    ":": "\u02d0\ua789",
}
_TO_ASCII: Final = str.maketrans(
    {lookalike: char for char, lookalikes in _LOOKALIKES.items() for lookalike in lookalikes}
)
# Folds what a reader takes for one another within ASCII; too coarse for keys of users.
_ASCII_TWINS: Final = str.maketrans({"i": "l", "1": "l", "|": "l", "!": "l", "0": "o", "\\": "/"})


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


def skeleton(key: str) -> str:
    """Return what a key looks like: keys of equal skeletons look alike.

    Without invisible characters, compatibility forms (NFKC) and case folded, look-alike letters
    as ASCII. Of a key above `MAX_FOLDED_CHARS` only that much is folded so, the rest by case.
    """
    if key.isascii() and key.isprintable():
        return key.casefold()
    head, rest = key[:MAX_FOLDED_CHARS], key[MAX_FOLDED_CHARS:]
    # The table goes first for what normalises to another shape (lunate sigma), then for what
    # decomposes to a look-alike and its marks, last for what folds to one.
    head = unicodedata.normalize("NFKD", head.translate(_TO_ASCII)).translate(_TO_ASCII)
    head = _UNSEEN.sub("", head).casefold().translate(_TO_ASCII)
    return unicodedata.normalize("NFKC", head) + rest.casefold()


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
    seen = unicodedata.normalize("NFKD", skeleton(key[:MAX_FOLDED_CHARS])).translate(_ASCII_TWINS)
    letters = (char for char in seen if not (unicodedata.combining(char) or char.isspace()))
    return "".join(letters).startswith(RESERVED_PREFIX)
