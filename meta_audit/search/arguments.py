r"""Read the arguments of `find`: expressions that must all match, or plain pairs KEY=VALUE.

A plain pair is taken as it stands: it is split at its first `=`, and in its key `\=` is `=`
and `\\` a backslash. It needs no quotes for the shell's argument `note=a fine job`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from meta_audit.search import words
from meta_audit.search.expression import EVERYTHING, All, Equals, join
from meta_audit.search.parser import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.search.expression import Expression

_PAIR: Final = re.compile(r"((?:[^=\\]|\\[\\=]|\\(?![\\=]))*)=(.*)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\([\\=])")
_PREFIX: Final = "|".join((words.HAS, words.LACKS, *words.PLACES, *words.FIELDS, *words.TIMES))
_FIELD: Final = re.compile(rf"(?:{_PREFIX}):")
_NO_PLAIN_KEY: Final = re.compile(r'[\s"()!~<>]')
_SPACE: Final = re.compile(r"\s")
_EXPRESSION: Final = re.compile(r"[=~<>]|\s(?:and|or)(?:[\s(]|$)", re.IGNORECASE)


def read_arguments(arguments: Sequence[str]) -> Expression:
    """Return what all arguments say together. Raises `ExpressionError`."""
    if not arguments:
        return EVERYTHING
    return join(All, [_plain_pair(argument) or parse(argument) for argument in arguments])


def _plain_pair(argument: str) -> Equals | None:
    """Return the pair of an argument; None if it is to be read as an expression.

    That is: the key has a space, a quote, a parenthesis, `!`, `~`, `<` or `>`, or begins with
    a field and a colon; or the value begins with a quote, or has behind a space the word `and`
    or `or`, or one of `= ~ < >`.
    """
    match = _PAIR.fullmatch(argument)
    if match is None:
        return None
    key, value = match.groups()
    if _FIELD.match(key) or _NO_PLAIN_KEY.search(key) or value.startswith('"'):
        return None
    space = _SPACE.search(value)
    if space and _EXPRESSION.search(value, space.start()):
        return None
    return Equals(_ESCAPED.sub(r"\1", key), (value,))
