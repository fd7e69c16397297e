"""Describe the objects of a schema (tables, views, indexes, triggers …) as comparable text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

_COMMENTS: Final = 'SELECT relation, "column", comment FROM schema_comments'
_PROMISES: Final = """
    SELECT relation, "column", 'contract: ' || type || ', ' || unit || ', ' || example
        || ', since ' || since || ', ' || deprecated || ', ' || fast_by
    FROM contract"""


def comments(relations: Container[str]) -> str:
    """Return SQL for relation, column and text of every comment, and of every promise.

    Schemas before 0004 promised nothing in rows.
    """
    return f"{_COMMENTS} UNION ALL {_PROMISES}" if "contract" in relations else _COMMENTS


class Named(NamedTuple):
    """Name one object: its kind, the relation it belongs to, and its own name."""

    kind: str
    relation: str
    """Table or view; empty for a function."""
    name: str
    """Own name; empty if the object is the relation itself."""

    def __str__(self) -> str:
        """Return the name for a person."""
        if not self.name:
            return f"{self.kind} {self.relation}"
        return f"{self.kind} {self.name}" + (f" of {self.relation}" if self.relation else "")


class Objects(NamedTuple):
    """Hold the definitions of a schema, and its comments."""

    definitions: Mapping[Named, str]
    comments: frozenset[tuple[str, str, str]]
    """Columns that `comments` reads."""

    @property
    def relations(self) -> frozenset[str]:
        """Return the names of the tables and views."""
        return frozenset(named.relation for named in self.definitions if named.relation)
