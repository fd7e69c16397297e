"""Cut an expression into tokens.

A word ends earlier where a key may stand than where a value stands: `a=b=c` is the key `a` and
the value `b=c`. So the parser says what it expects.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from meta_audit.errors import ExpressionError
from meta_audit.search.words import RESERVED

TokenKind = Literal["word", "quoted", "sign", "end"]

SIGNS: Final = ("!=", "!~", "<=", ">=", "=", "~", "<", ">", ":", "(", ")", ",", "!")
"""The longer ones first."""
OPENING: Final = "=!~<>:"
"""No value begins with one of these, unless it is quoted: it is probably a slip."""
_SPACE: Final = re.compile(r"[ \t\r\n]*")
KEY: Final = re.compile(r"""[^ \t\r\n"\\()=!~<>:,]+""")
VALUE: Final = re.compile(r"""[^ \t\r\n"\\()]+""")
ITEM: Final = re.compile(r"""[^ \t\r\n"\\(),]+""")
_ESCAPE: Final = r"""\\(["\\tnr]|x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})"""
"""A quote, a backslash, or a character as pages show it (`meta_audit.render.escape`)."""
_QUOTED: Final = re.compile(rf'"((?:[^"\\]|{_ESCAPE})*)"')
_SHORT: Final = {"t": "\t", "n": "\n", "r": "\r"}


def _meant(escape: re.Match[str]) -> str:
    """Return the character that an escape stands for."""
    if len(escape[1]) > 1:
        return chr(int(escape[1][1:], 16))
    return _SHORT.get(escape[1], escape[1])


class Token(NamedTuple):
    """Hold a token and its place."""

    kind: TokenKind
    text: str
    """Its text, without quotes and escapes."""
    start: int

    @property
    def reserved(self) -> str:
        """The reserved word that it is, or an empty text."""
        word = self.text.lower()
        return word if self.kind == "word" and word in RESERVED else ""

    def is_sign(self, *signs: str) -> bool:
        """Tell whether it is one of these signs."""
        return self.kind == "sign" and self.text in signs

    @property
    def shown(self) -> str:
        """The token as a message names it."""
        return "the end" if self.kind == "end" else f"`{self.text[:40]}`"


class Scanner:
    """Give the tokens of a text, one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._at = 0
        self._next: Token | None = None

    def peek(self) -> Token:
        """Return the next token, where a key may stand."""
        if self._next is None:
            self._next = self._cut(KEY)
        return self._next

    def take(self) -> Token:
        """Return the next token, and go on behind it."""
        token = self.peek()
        self._next = None
        return token

    def take_value(self, *, of_list: bool = False) -> Token:
        """Take a value; one of a list ends at a comma. The next token must not be known yet."""
        start = self._skip()
        if self.text[start : start + 1] in OPENING:
            return self._cut(KEY)
        return self._cut(ITEM if of_list else VALUE)

    def fail(self, message: str, at: Token | int, advice: str = "") -> ExpressionError:
        """Return the error that something is wrong at a place."""
        position = at if isinstance(at, int) else at.start
        return ExpressionError(message, self.text, position, advice=advice)

    def _skip(self) -> int:
        match = _SPACE.match(self.text, self._at)
        return match.end() if match else self._at

    def _cut(self, word: re.Pattern[str]) -> Token:
        start = self._skip()
        if start == len(self.text):
            self._at = start
            return Token("end", "", start)
        if self.text[start] == '"':
            return self._quoted(start)
        found = word.match(self.text, start)
        if found:
            self._check(found[0], start)
            self._at = found.end()
            return Token("word", found[0], start)
        for sign in SIGNS:
            if self.text.startswith(sign, start):
                self._at = start + len(sign)
                return Token("sign", sign, start)
        raise self._misplaced(start)

    def _quoted(self, start: int) -> Token:
        match = _QUOTED.match(self.text, start)
        if match is None:
            raise self.fail(
                "the quotes are not closed, or hold a backslash alone",
                start,
                r"Within quotes write \" for a quote and \\ for a backslash.",
            )
        self._at = match.end()
        return Token("quoted", re.sub(_ESCAPE, _meant, match[1]), start)

    def _check(self, word: str, start: int) -> None:
        """Refuse what is probably not meant: characters that nobody sees, and single quotes."""
        if word[0] == "'":
            raise self._misplaced(start)
        if not word.isprintable():
            raise self._misplaced(
                start + next(n for n, c in enumerate(word) if not c.isprintable())
            )

    def _misplaced(self, at: int) -> ExpressionError:
        char = self.text[at]
        if char == "'":
            return self.fail("single quotes quote nothing", at, "Use double quotes.")
        name = char if char.isprintable() else f"U+{ord(char):04X}"
        return self.fail(
            f"`{name}` must be quoted",
            at,
            r"Put the whole word in double quotes; within them write \" and \\.",
        )
