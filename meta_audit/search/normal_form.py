"""Write expressions so that reading them gives the same expression again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meta_audit.search.expression import All, AnyOf, Contains, Equals, Has, Is, Matches, Not, When
from meta_audit.search.tokens import ITEM, KEY, OPENING, VALUE
from meta_audit.search.words import RESERVED

if TYPE_CHECKING:
    from meta_audit.search.expression import Expression, Place


def as_text(expression: Expression) -> str:
    """Return an expression in its normal form; of `EVERYTHING` the empty text."""
    if isinstance(expression, All):
        return " and ".join(_grouped(part, AnyOf) for part in expression.parts)
    if isinstance(expression, AnyOf):
        return " or ".join(map(as_text, expression.parts))
    if isinstance(expression, Not):
        return _negated(expression.part)
    return _term(expression)


def _negated(part: Expression) -> str:
    if isinstance(part, Equals | Matches | Has):
        return _term(part, is_not=True)
    return f"not {_grouped(part, All, AnyOf)}"


def _grouped(part: Expression, *kinds: type) -> str:
    return f"({as_text(part)})" if isinstance(part, kinds) else as_text(part)


def _term(term: Expression, *, is_not: bool = False) -> str:
    sign = "!" if is_not else ""
    match term:
        case Equals(key, (value,), place):
            return f"{key_as_text(key, place)}{sign}={_value(value)}"
        case Equals(key, values, place):
            listed = ", ".join(_word(value, ITEM) for value in values)
            return f"{key_as_text(key, place)} {'not in' if is_not else 'in'} ({listed})"
        case Matches(key, pattern, place):
            return f"{key_as_text(key, place)}{sign}~{_value(pattern)}"
        case Has(key, place):
            return f"{'lacks' if is_not else 'has'}({key_as_text(key, place)})"
        case Is(field, value):
            return f"{field}:{_value(value)}"
        case When(field, comparison, moment):
            return f"{field}{comparison}{moment}"
        case Contains(text):
            return key_as_text(text)
    raise TypeError(term)


def key_as_text(key: str, place: Place = "meta") -> str:
    """Return a key as it is written before an operator."""
    written = f'"{key}"' if key.lower() in RESERVED else _word(key, KEY)
    return written if place == "meta" else f"{place}:{written}"


def _value(value: str) -> str:
    return _word(value, VALUE)


def _word(text: str, bare: re.Pattern[str]) -> str:
    """Quote a text that could not stand alone."""
    if bare.fullmatch(text) and text.isprintable() and text[0] not in f"'{OPENING}":
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
