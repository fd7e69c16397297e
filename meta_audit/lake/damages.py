"""Gather what a check of a lake finds, and name the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.lake.store_rows import StoreRows

MOST: Final = 100
"""Most damages that are told."""


class LakeDamage(NamedTuple):
    """Name a difference: where it is, and what differs."""

    store: str
    table: str
    file: str
    """The Parquet file that has the row, and its number; empty where a row is missing."""
    detail: str


class LakeDamages:
    """Gather the damages of one store: the first ones whole, the others as a count."""

    def __init__(self, rows: StoreRows, store: str, most: int = MOST) -> None:
        self._rows, self._store, self._most = rows, store, most
        self.kept: list[LakeDamage] = []
        self.count = 0

    @property
    def has_room(self) -> bool:
        """Tell whether the next one is kept, so that it is worth looking for its cause."""
        return len(self.kept) < self._most

    def say(self, table: str, column: str, value: int | None, detail: str) -> None:
        """Add a damage of a table, with the first file that has a number in a column."""
        if self.has_room:
            file = "" if value is None else self._rows.place(table, column, value)
            self.kept.append(LakeDamage(self._store, table, file, detail))
        self.count += 1

    def merge(self, kept: Sequence[LakeDamage], count: int) -> None:
        """Add those that another check has gathered."""
        self.kept += kept[: self._most - len(self.kept)]
        self.count += count
