"""Lists of what the store has, with counts of jobs, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from meta_audit.identity.confusables import skeleton
from meta_audit.query.identity_counts import IdentityCount, IdentityCounts
from meta_audit.query.node_counts import NodeCount, NodeCounts
from meta_audit.query.vocabulary import KeyCount, KeyCounts, ValueCount, ValueCounts
from meta_audit.render.columns import table
from meta_audit.render.escape import escape
from meta_audit.render.layout import cut, day
from meta_audit.render.page import Listing, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meta_audit.answer import Answer
    from meta_audit.render.layout import Screen

ALIKE: int = 10
"""Most groups of look-alike keys that are named."""
LONGEST_KEY: int = 40
"""Columns of a key in a note."""


class _CountsPage(Listing[Result]):
    """Show a list of counts as a table. Rows and their number are fields of the result."""

    header: ClassVar[tuple[str, ...]]
    listed: ClassVar[str]
    """Field of the result that has the rows: what they are called."""

    def cells(self) -> Iterable[Sequence[str]]:
        """Return the cells of each row."""
        raise NotImplementedError

    def rows(self) -> Sequence[Answer]:
        """Return the rows."""
        rows: Sequence[Answer] = getattr(self.result, self.listed)
        return rows

    def text(self, screen: Screen) -> str:
        """Return a table; nothing if there are no rows."""
        body = list(self.cells())
        return table(self.header, body, screen) if body else ""

    def notes(self) -> Sequence[str]:
        """Say that there are none, or that there are more."""
        return more_of(len(self.rows()), getattr(self.result, "total"), self.listed)  # noqa: B009


class IdentityCountsPage(_CountsPage[IdentityCounts]):
    """Show clients or requesters, and how far to trust that they were named rightly."""

    row = IdentityCount
    header = ("identity", "jobs", "first", "last", "trust")
    listed = "identities"

    def cells(self) -> Iterable[Sequence[str]]:
        """Return ID, jobs, days and trust."""
        for one in self.result.identities:
            who = _named(one.value, self.result.aliases)
            yield who, f"{one.jobs:,}", day(one.first_at), day(one.last_at), _trust(one)


class NodeCountsPage(_CountsPage[NodeCounts]):
    """Show compute nodes."""

    row = NodeCount
    header = ("node", "jobs", "executions", "first", "last")
    listed = "nodes"

    def cells(self) -> Iterable[Sequence[str]]:
        """Return ID, counts and days."""
        for one in self.result.nodes:
            counts = f"{one.jobs:,}", f"{one.executions:,}"
            who = _named(one.value, self.result.aliases)
            yield who, *counts, day(one.first_at), day(one.last_at)


def _named(value: str, aliases: Mapping[str, Sequence[str]]) -> str:
    """Return the names of an identity before its value."""
    names = aliases.get(value)
    return f"{', '.join(names)}: {value}" if names else value


class KeyCountsPage(_CountsPage[KeyCounts]):
    """Show the keys of Meta or labels."""

    row = KeyCount
    header = ("key", "jobs", "values", "first", "last")
    listed = "keys"

    def cells(self) -> Iterable[Sequence[str]]:
        """Return key, counts and days."""
        for one in self.result.keys:
            counts = f"{one.jobs:,}", f"{one.values:,}"
            yield one.key, *counts, day(one.first_at), day(one.last_at)

    def notes(self) -> Sequence[str]:
        """Name keys that look alike, too."""
        alike = look_alikes([one.key for one in self.result.keys])
        return *super().notes(), *(f"Keys that look alike: {one}" for one in alike)


class ValueCountsPage(_CountsPage[ValueCounts]):
    """Show the values of a key."""

    row = ValueCount
    header = ("value", "jobs", "first", "last")
    listed = "values"

    def cells(self) -> Iterable[Sequence[str]]:
        """Return value, jobs and days."""
        for one in self.result.values:
            yield one.value, f"{one.jobs:,}", day(one.first_at), day(one.last_at)


def more_of(shown: int, total: int, noun: str) -> Sequence[str]:
    """Say that there are no rows, or that a limit left some out."""
    if not shown:
        return (f"No {noun}.",)
    if total > shown:
        return (f"{shown:,} of {total:,} {noun} shown; --limit N shows more.",)
    return ()


def look_alikes(keys: Iterable[str]) -> list[str]:
    """Name the keys that differ by case, invisible or similar letters only."""
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(skeleton(key), []).append(cut(escape(key), LONGEST_KEY))
    alike = [", ".join(sorted(group)) for group in groups.values() if len(group) > 1]
    left = len(alike) - ALIKE
    return [*alike[:ALIKE], *([f"{left:,} more groups"] if left > 0 else [])]


def _trust(one: IdentityCount) -> str:
    names = ("proven", "server", "claimed", "inferred", "unsubmitted")
    trusts = [(name, getattr(one, name)) for name in names if getattr(one, name)]
    if len(trusts) == 1 and not one.mismatch:
        return trusts[0][0]
    words = [f"{name} {number:,}" for name, number in trusts]
    return ", ".join([*words, *([f"MISMATCH {one.mismatch:,}"] if one.mismatch else [])])
