"""Objects of a schema (tables, views, indexes, triggers …) as text that can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Named(NamedTuple):
    """Name one object: its kind, the relation it belongs to, and its own name."""

    kind: str
    relation: str
    """The table or view; empty for a function."""
    name: str
    """Empty where the object is the relation itself."""

    def __str__(self) -> str:
        """Name it for a person."""
        if not self.name:
            return f"{self.kind} {self.relation}"
        return f"{self.kind} {self.name}" + (f" of {self.relation}" if self.relation else "")


class Objects(NamedTuple):
    """Everything that a schema defines, and how it describes itself."""

    definitions: Mapping[Named, str]
    comments: frozenset[tuple[str, str, str]]
    """Rows of `schema_comments`."""

    @property
    def relations(self) -> frozenset[str]:
        """Names of the tables and views."""
        return frozenset(named.relation for named in self.definitions if named.relation)
