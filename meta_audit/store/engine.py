"""What the writer needs of a database engine. `sqlite.py` and `postgresql.py` provide it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Bulk(Protocol):
    """One connection that writes. `begin` waits until no other writer is at work."""

    def begin(self) -> None:
        """Open a transaction as the only writer of the store."""

    def commit(self) -> None:
        """Make the transaction durable."""

    def rollback(self) -> None:
        """Undo the transaction."""

    def close(self) -> None:
        """Give the connection back."""

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of one statement; parameters are written `?`."""

    def among(self, sql: str, keys: Sequence[object]) -> Iterable[tuple[Any, ...]]:
        """Rows of a query whose `AMONG KEYS` stands for `IN (keys)`, any number of them."""

    def insert(self, table: str, columns: tuple[str, ...], values: list[Any]) -> None:
        """Insert rows, given flat: the values of the first row, of the second …"""

    def insert_missing(self, table: str, columns: tuple[str, ...], values: list[Any]) -> None:
        """Insert rows, given flat, leaving out those whose key is there already."""
