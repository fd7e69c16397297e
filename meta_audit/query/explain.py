"""Explain why no job matches: unknown names, and how many jobs match each part alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from meta_audit.errors import ExpressionError
from meta_audit.nul import unescape_nul
from meta_audit.query.aliases import identities_named
from meta_audit.query.matching import ACTIVITY, Search, count
from meta_audit.query.numbers import Numbers
from meta_audit.query.results import Reason
from meta_audit.query.texts import storable
from meta_audit.query.unknown import (
    LOOKED_AT,
    check_import,
    known_keys,
    known_values,
    nearest,
    unknown,
)
from meta_audit.search.expression import (
    All,
    AnyOf,
    Equals,
    Has,
    Is,
    Matches,
    Not,
    conjuncts,
    terms,
)
from meta_audit.search.globs import ANY
from meta_audit.search.normal_form import as_text, key_as_text
from meta_audit.search.parser import parse
from meta_audit.search.words import CLOSED, USUAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.search.expression import Expression, Place, Term
    from meta_audit.store.session import Session

    OfKey = Equals | Matches | Has

COUNTED: Final = 100_000
"""Most jobs that are counted."""
IDENTITIES: Final = ("client", "requester", "node", "installation", "key")
OFFERED: Final = 3
"""Most other expressions that a hint offers."""
_OTHER_PLACES: Final[dict[Place, tuple[Place, ...]]] = {
    "meta": ("label",),
    "job": ("task", "label"),
    "task": ("job", "label"),
    "label": ("meta",),
}
_VALUES: Final = f"SELECT value FROM meta_pairs WHERE key_id = ? LIMIT {LOOKED_AT}"  # noqa: S608


def reasons(session: Session, search: Search) -> tuple[Reason, ...]:
    """Return why no job matches: each part that must match, alone.

    Raises `NotFoundError` for the first name that must match and that the store does not know.
    """
    asked = _Asked(session, search.now)
    for term in _positive(search.expression):
        asked.check(term)
    parts = conjuncts(search.expression)
    return tuple(asked.reason(part) for part in parts)


def unknown_keys(session: Session, search: Search) -> tuple[str, ...]:
    """Return the keys of an expression, and of columns, that the store does not know."""
    numbers = Numbers(session)
    parts = (*terms(search.expression), *search.columns)
    keys = [part.key for part in parts if isinstance(part, Equals | Matches | Has)]
    return tuple(dict.fromkeys(printable(key) for key in keys if numbers.key(key) is None))


class _Asked:
    def __init__(self, session: Session, now: int) -> None:
        self._session = session
        self._now = now
        self._numbers = Numbers(session)

    def check(self, term: Term) -> None:
        """Raise `NotFoundError` for a name that the store does not know."""
        if isinstance(term, Is):
            self._check_field(term)
        elif isinstance(term, Equals | Matches | Has) and self._numbers.key(term.key) is None:
            field = self._as_field(term)
            if field:
                raise unknown("Meta key", term.key, f"Did you mean {field}?")
            like = nearest(term.key, known_keys(self._session))
            raise unknown("Meta key", term.key, offer([self._with_key(key) for key in like]))

    def _check_field(self, term: Is) -> None:
        if term.field == "import":
            check_import(self._session, int(term.value))
        elif self._is_unknown(term):
            same: list[Expression] = [Is(field, term.value) for field in IDENTITIES]
            if term.field in IDENTITIES and storable(term.value):
                named = identities_named(self._session, term.value)
                same += [Is(term.field, identity) for identity in named]
            others = map(self._if_any, [*same, All((term, ACTIVITY))])
            found = [one for some in others for one in some]
            known = [*USUAL.get(term.field, ()), *known_values(self._session, term.field)]
            raise unknown(term.field, term.value, offer(found or nearest(term.value, known)))

    def _is_unknown(self, term: Is) -> bool:
        """Tell whether a value is neither one that may be nor one that a job has."""
        if term.field in CLOSED or term.value in USUAL.get(term.field, ()):
            return False
        return not count(self._session, Search(term), 1)

    def reason(self, part: Expression) -> Reason:
        """Return how many jobs match a part alone, and what may be meant instead."""
        jobs = self._count(part)
        hint = ""
        if not jobs and isinstance(part, Equals | Matches | Has):
            hint = offer(list(dict.fromkeys(self._others(part)))[:OFFERED])
        return Reason(printable(as_text(part)), min(jobs, COUNTED), jobs > COUNTED, hint)

    def _others(self, term: OfKey) -> Iterator[str]:
        """Yield similar terms that jobs match."""
        if field := self._as_field(term):
            yield field
        places: tuple[Place, ...] = (term.place, *_OTHER_PLACES[term.place])
        for place in places[1:]:
            yield from self._if_any(replace(term, place=place))
        key = self._numbers.key(term.key)
        if isinstance(term, Equals) and any(ANY in value for value in term.values):
            for value in term.values:
                yield from self._if_any(Matches(term.key, value, term.place))
        elif isinstance(term, Equals) and key is not None:
            known = [unescape_nul(row[0]) for row in self._session.query(_VALUES, key)]
            for value in dict.fromkeys(v for one in term.values for v in nearest(one, known)):
                for place in places:
                    yield from self._if_any(Equals(term.key, (value,), place))

    def _as_field(self, term: OfKey) -> str:
        """Return what a key may mean that is also the name of a field or a time."""
        if not isinstance(term, Equals) or term.place != "meta" or len(term.values) > 1:
            return ""
        try:
            same = parse(f"{term.key}:{as_text(term).partition('=')[2]}")
        except ExpressionError:
            return ""
        return "" if isinstance(same, Has | Not) else next(self._if_any(same), "")

    def _with_key(self, key: str) -> str:
        places: tuple[Place, ...] = ("meta", "label")
        found = (self._if_any(Has(key, p), shown=key_as_text(key, p)) for p in places)
        return next((one for some in found for one in some), key_as_text(key))

    def _if_any(self, expression: Expression, *, shown: str = "") -> Iterator[str]:
        """Yield the expression with the number of its jobs, if there are any."""
        jobs = self._count(expression)
        if jobs:
            yield f"{shown or as_text(expression)} ({counted_jobs(jobs)})"

    def _count(self, expression: Expression) -> int:
        return count(self._session, Search(expression, self._now), COUNTED + 1)


def printable(text: str) -> str:
    """Return a text of the command line, without bytes that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def _positive(expression: Expression) -> Iterator[Term]:
    """Yield the terms that are not negated."""
    if isinstance(expression, All | AnyOf):
        for part in expression.parts:
            yield from _positive(part)
    elif not isinstance(expression, Not):
        yield expression


def offer(others: list[str]) -> str:
    """Ask whether others are meant."""
    return f"Did you mean {' or '.join(others)}?" if others else ""


def counted_jobs(number: int) -> str:
    """Write a number of jobs, as exactly as it was counted."""
    if number > COUNTED:
        return f"more than {COUNTED:,} jobs"
    return f"{number:,} job{'' if number == 1 else 's'}"
