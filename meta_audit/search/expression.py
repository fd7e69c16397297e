"""Define what an expression says, as a tree of frozen values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

Place = Literal["meta", "job", "task", "label"]
"""Place of a key: in Meta of the job or a task, or only in one of the three."""
TimeField = Literal["created", "modified", "seen"]
Comparison = Literal["<", "<=", ">", ">=", ":"]


class Equals(Struct, frozen=True):
    """A key has one of these values, exactly."""

    key: str
    values: tuple[str, ...]
    place: Place = "meta"


class Matches(Struct, frozen=True):
    """A key has a value that fits a pattern (`search.globs`)."""

    key: str
    pattern: str
    place: Place = "meta"


class Has(Struct, frozen=True):
    """A key is there, whatever its value."""

    key: str
    place: Place = "meta"


class Is(Struct, frozen=True):
    """A field of the job, or of what is known of it, has this value (`search.words.FIELDS`)."""

    field: str
    value: str


class When(Struct, frozen=True):
    """A time of the job compares so with a date or a time before now (`period`)."""

    field: TimeField
    comparison: Comparison
    moment: str


class Contains(Struct, frozen=True):
    """The ID, the name, or a Meta or label key or value contains a text."""

    text: str


class Not(Struct, frozen=True):
    """The job does not match the part."""

    part: Expression


class All(Struct, frozen=True):
    """The job matches all parts: at least two of them, none an `All`; or no part at all."""

    parts: tuple[Expression, ...]


class AnyOf(Struct, frozen=True):
    """The job matches one of the parts: at least two of them, none an `AnyOf`."""

    parts: tuple[Expression, ...]


Term: TypeAlias = Equals | Matches | Has | Is | When | Contains
Expression: TypeAlias = Term | Not | All | AnyOf
EVERYTHING = All(())
"""Every job matches it."""


def join(kind: type[All | AnyOf], parts: list[Expression]) -> Expression:
    """Join parts by `and` or `or`. Parts that are joined so themselves are taken apart."""
    flat: list[Expression] = []
    for part in parts:
        flat += part.parts if isinstance(part, kind) else (part,)
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def conjuncts(expression: Expression) -> tuple[Expression, ...]:
    """Return the parts that must all match."""
    return expression.parts if isinstance(expression, All) else (expression,)


def terms(expression: Expression) -> Iterator[Term]:
    """Yield every term, in order."""
    if isinstance(expression, Not):
        yield from terms(expression.part)
    elif isinstance(expression, All | AnyOf):
        for part in expression.parts:
            yield from terms(part)
    else:
        yield expression
