"""Read expressions: a parser by operator precedence (Pratt) over the grammar of docs/find.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from meta_audit.period import is_date, is_moment
from meta_audit.search import words
from meta_audit.search.expression import (
    All,
    AnyOf,
    Contains,
    Equals,
    Has,
    Is,
    Matches,
    Not,
    When,
    join,
)
from meta_audit.search.tokens import Scanner

if TYPE_CHECKING:
    from meta_audit.errors import ExpressionError
    from meta_audit.search.expression import Comparison, Expression, Place, TimeField
    from meta_audit.search.tokens import Token

LONGEST: Final = 10_000
"""Most characters of an expression."""
MOST_TERMS: Final = 200
"""Most keys, fields and texts of an expression; of `in`, each value counts."""
DEEPEST: Final = 50
"""Most parentheses and `not` within one another."""
_POWERS: Final = {words.OR: 1, words.AND: 2}
"""The greater, the tighter a word joins its sides."""
_POWER_OF_NOT: Final = 3
_KINDS: Final[dict[str, type[All | AnyOf]]] = {words.OR: AnyOf, words.AND: All}
_COMPARISONS: Final = ("<", "<=", ">", ">=")
_OPERATORS: Final = (*_COMPARISONS, "=", "!=", "~", "!~")
_PREFIXES: Final = (
    *(words.HAS, words.LACKS),
    *words.PLACES,
    *words.FIELDS,
    *words.TIMES,
)
"""Words that mean something before a colon."""
_A_TERM: Final = "a term such as KEY=VALUE, client:ID or created>=2024-03"
_DATES: Final = "Write 2024, 2024-03, 2024-03-01, 2024-03-01T10:00:00Z, or -7d for 7 days ago."


def parse(text: str) -> Expression:
    """Read an expression. Raises `ExpressionError`."""
    return _Parser(text).whole()


def parse_keys(text: str) -> tuple[Has, ...]:
    """Read keys, as they stand in `has(…)`, separated by commas. Raises `ExpressionError`."""
    return _Parser(text).keys()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = Scanner(text)
        self._text = text
        self._terms = 0
        self._depth = 0

    def whole(self) -> Expression:
        self._check_length()
        found = self._expression(0)
        left = self._tokens.peek()
        if left.kind != "end":
            raise self._unjoined(left)
        return found

    def keys(self) -> tuple[Has, ...]:
        self._check_length()
        found: list[Has] = []
        while True:
            found.append(self._placed_key())
            comma = self._tokens.take()
            if comma.kind == "end":
                return tuple(dict.fromkeys(found))
            if not comma.is_sign(","):
                raise self._tokens.fail(
                    f"expected , or the end, found {comma.shown}",
                    comma,
                    "Put keys with signs or spaces in double quotes.",
                )

    def _check_length(self) -> None:
        if len(self._text) > LONGEST:
            raise self._tokens.fail(
                f"the expression has more than {LONGEST:,} characters", LONGEST, "Shorten it."
            )

    def _expression(self, power: int) -> Expression:
        """Read terms joined by words that join more tightly than `power`."""
        left = self._prefix()
        while (word := self._tokens.peek().reserved) and _POWERS.get(word, 0) > power:
            self._tokens.take()
            left = join(_KINDS[word], [left, self._expression(_POWERS[word])])
        return left

    def _prefix(self) -> Expression:
        token = self._tokens.take()
        if token.is_sign("("):
            inner = self._deeper(token, 0)
            closing = self._tokens.take()
            if closing.kind == "end":
                raise self._tokens.fail("this parenthesis is never closed", token)
            if not closing.is_sign(")"):
                raise self._unjoined(closing)
            return inner
        if token.reserved == words.NOT:
            return Not(self._deeper(token, _POWER_OF_NOT))
        if token.kind in ("end", "sign") or token.reserved:
            raise self._no_term(token)
        return self._term(token)

    def _deeper(self, token: Token, power: int) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._tokens.fail(f"nested more than {DEEPEST} deep", token, "Take it apart.")
        inner = self._expression(power)
        self._depth -= 1
        return inner

    # Terms

    def _term(self, first: Token) -> Expression:
        self._count(first)
        if first.kind == "quoted" or not self._tokens.peek().is_sign(":"):
            if first.kind == "word" and first.text in (words.HAS, words.LACKS):
                return (
                    self._call(first) if self._tokens.peek().is_sign("(") else self._of_key(first)
                )
            return self._of_key(first)
        self._tokens.take()
        word = first.text
        if word in words.PLACES:
            key = self._key()
            return self._of_key(key, cast("Place", word), may_be_text=False)
        if word in (words.HAS, words.LACKS):
            return self._has(first)
        if word in words.TIMES:
            return self._time(first, ":")
        if word in words.FIELDS:
            return self._field(first)
        raise self._unknown_field(first)

    def _of_key(self, key: Token, place: Place = "meta", *, may_be_text: bool = True) -> Expression:
        sign = self._tokens.peek()
        if sign.is_sign("=", "!="):
            self._tokens.take()
            return _negated(Equals(key.text, (self._value(sign),), place), sign.text == "!=")
        if sign.is_sign("~", "!~"):
            self._tokens.take()
            return _negated(Matches(key.text, self._value(sign), place), sign.text == "!~")
        if sign.reserved in (words.IN, words.NOT):
            return self._in(key, place)
        if sign.is_sign(*_COMPARISONS):
            return self._time(key, cast("Comparison", self._tokens.take().text))
        if not may_be_text:
            raise self._tokens.fail(
                f"expected =, !=, ~, !~ or in after the key, found {sign.shown}",
                sign,
                f"To ask whether the key is there at all, write has({place}:{key.text}).",
            )
        if sign.is_sign(":"):
            raise self._tokens.fail("a field is not quoted", key, "Quote only what follows it.")
        if not key.text:
            raise self._tokens.fail("the text is empty", key, "Every job contains it.")
        return Contains(key.text)

    def _in(self, key: Token, place: Place) -> Expression:
        is_not = self._tokens.peek().reserved == words.NOT
        if is_not:
            self._tokens.take()
            if self._tokens.peek().reserved != words.IN:
                raise self._unjoined(self._tokens.peek())
        self._tokens.take()
        opening = self._tokens.take()
        if not opening.is_sign("("):
            raise self._tokens.fail(
                f"expected ( after in, found {opening.shown}",
                opening,
                f"Write {key.text} in (A, B).",
            )
        values: list[str] = []
        while True:
            value = self._tokens.take_value(of_list=True)
            if value.kind not in ("word", "quoted"):
                raise self._tokens.fail(f"expected a value, found {value.shown}", value)
            self._count(value)
            values.append(value.text)
            sign = self._tokens.take()
            if sign.is_sign(")"):
                break
            if not sign.is_sign(","):
                raise self._tokens.fail(
                    f"expected , or ) after a value, found {sign.shown}",
                    sign,
                    "Put values with spaces in double quotes.",
                )
        return _negated(Equals(key.text, tuple(dict.fromkeys(values)), place), is_not)

    def _call(self, word: Token) -> Expression:
        opening = self._tokens.take()
        found = self._has(word)
        closing = self._tokens.take()
        if not closing.is_sign(")"):
            raise self._tokens.fail(
                f"expected ) after the key, found {closing.shown}",
                closing if closing.kind != "end" else opening,
                f"Write {word.text}(KEY).",
            )
        return found

    def _has(self, word: Token) -> Expression:
        return _negated(self._placed_key(), word.text == words.LACKS)

    def _placed_key(self) -> Has:
        key = self._key()
        place: Place = "meta"
        if key.kind == "word" and key.text in words.PLACES and self._tokens.peek().is_sign(":"):
            self._tokens.take()
            place, key = cast("Place", key.text), self._key()
        return Has(key.text, place)

    def _field(self, field: Token) -> Expression:
        token = self._value_token(field)
        name, value = field.text, token.text
        if name == "import":
            if not (value.isascii() and value.isdigit() and len(value) < 16):
                raise self._tokens.fail(f"`{value[:40]}` is not the number of an import", token)
            value = str(int(value))
        known = words.CLOSED.get(name) or words.USUAL.get(name, ())
        value = next((one for one in known if one.lower() == value.lower()), value)
        if name in words.CLOSED and value not in known:
            raise self._not_among(name, token, known)
        return Is(name, value)

    def _time(self, field: Token, comparison: Comparison) -> Expression:
        if field.kind == "quoted" or field.text not in words.TIMES:
            like = words.nearest(field.text, tuple(words.TIMES))
            raise self._tokens.fail(
                f"{comparison} compares only the times {', '.join(words.TIMES)}",
                field,
                f"Did you mean {like}?" if like else "Values of keys are texts: use = or ~.",
            )
        token = self._value_token(field)
        fits = is_date if comparison == ":" else is_moment
        if token.kind != "word" or not fits(token.text):
            advice = f"Write {field.text}>={token.text}." if is_moment(token.text) else _DATES
            raise self._tokens.fail(f"`{token.text[:40]}` is not a date or time", token, advice)
        return When(cast("TimeField", field.text), comparison, token.text)

    # Parts of terms

    def _key(self) -> Token:
        key = self._tokens.take()
        if key.kind not in ("word", "quoted"):
            raise self._tokens.fail(
                f"expected a key, found {key.shown}",
                key,
                "Put it in double quotes if it has signs.",
            )
        return key

    def _value(self, after: Token) -> str:
        return self._value_token(after).text

    def _value_token(self, after: Token) -> Token:
        value = self._tokens.take_value()
        if value.kind not in ("word", "quoted"):
            advice = 'The empty text is "". Put values with signs or spaces in double quotes.'
            if after.is_sign("=") and value.is_sign("="):
                advice = "Write one =, or put the value in double quotes."
            raise self._tokens.fail(
                f"expected a value after `{after.text}`, found {value.shown}", value, advice
            )
        return value

    def _count(self, at: Token) -> None:
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise self._tokens.fail(
                f"the expression has more than {MOST_TERMS} terms", at, "Take it apart."
            )

    # Errors

    def _no_term(self, token: Token) -> ExpressionError:
        advice = ""
        if token.reserved:
            advice = f'To search for the word itself, write "{token.text}".'
        elif token.is_sign("!"):
            advice = "Did you mean not?"
        return self._tokens.fail(f"expected {_A_TERM}, found {token.shown}", token, advice)

    def _unjoined(self, token: Token) -> ExpressionError:
        """Return the error that a term is followed by something that does not join it."""
        if token.is_sign(")"):
            return self._tokens.fail("this parenthesis was never opened", token)
        like = {"&&": words.AND, "&": words.AND, "||": words.OR, "|": words.OR}.get(token.text)
        like = like or (words.nearest(token.text, words.JOINING) if token.kind == "word" else "")
        if like:
            advice = f"Did you mean {like}?"
        elif token.is_sign(*_OPERATORS):
            advice = "Put a key or a value that has signs in double quotes."
        elif self._begins_term(token) and token.text.isdigit():
            advice = "Write T between date and time, as in 2024-03-01T10:00."
        elif self._begins_term(token):
            advice = "Put and or or between two terms, or double quotes around a value with spaces."
        else:
            advice = "Put texts and values with spaces in double quotes."
        return self._tokens.fail(
            f"expected and, or, or the end, found {token.shown}", token, advice
        )

    def _begins_term(self, token: Token) -> bool:
        if self._tokens.peek() == token:
            self._tokens.take()
        return token.kind != "sign" and self._tokens.peek().is_sign(*_OPERATORS, ":", "(")

    def _unknown_field(self, field: Token) -> ExpressionError:
        word = field.text
        like = words.nearest(word, _PREFIXES)
        advice = f"Did you mean {like}:? " if like else ""
        return self._tokens.fail(
            f"there is no field `{word}`",
            field,
            f"{advice}Put a key or a text with a colon in double quotes.",
        )

    def _not_among(self, field: str, token: Token, known: tuple[str, ...]) -> ExpressionError:
        if token.text == words.COMPUTED:
            advice = "It is not stored: meta-audit trace finds it."
        else:
            like = words.nearest(token.text, known)
            few = (
                f"Use one of: {', '.join(known)}." if len(known) < 10 else "See docs/catalogue.md."
            )
            advice = f"Did you mean {like}?" if like else few
        return self._tokens.fail(f"`{token.text[:40]}` is no {field}", token, advice)


def _negated(term: Expression, is_not: bool) -> Expression:
    return Not(term) if is_not else term
