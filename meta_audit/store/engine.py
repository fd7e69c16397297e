"""What the writer needs of a database engine. `sqlite.py` and `postgresql.py` provide it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import sqlalchemy as sa


Values = Sequence[Sequence[Any]]
"""Rows, column by column: this is how they are made, and how they are packed."""


def row(*values: object) -> Values:
    """One row."""
    return [(value,) for value in values]


def rows(several: Iterable[Sequence[Any]]) -> Values:
    """Some rows."""
    return list(zip(*several, strict=True))


class Bulk(Protocol):
    """One connection that writes. `begin` waits until no other writer is at work.

    Everything raises `StoreError`; `TransientStoreError` where the transaction may be done
    again from its beginning, as `transactions.in_transaction` does.
    """

    def begin(self) -> None:
        """Open a transaction as the only writer of the store."""

    def commit(self) -> None:
        """Make the transaction durable. What raises has not been made durable."""

    def rollback(self) -> None:
        """Undo the transaction."""

    def close(self) -> None:
        """Give the connection back."""

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of one statement; parameters are written `?`."""

    def among(self, sql: str, keys: Sequence[object]) -> Iterable[tuple[Any, ...]]:
        """Rows of a query whose `AMONG KEYS` stands for `IN (keys)`, any number of them."""

    def insert(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows. The values have one sequence per column."""

    def insert_missing(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows as `insert` does, leaving out those whose key is there already."""


class Engine(Protocol):
    """What the modules `sqlite` and `postgresql` provide to open a store."""

    def make_engine(self, url: sa.URL, *, read_only: bool) -> sa.Engine:
        """Connections to the store, with the settings that each of them has."""

    def make_bulk(self, engine: sa.Engine) -> Bulk:
        """A connection to write through."""

    def must_be_safe(self, connection: sa.Connection) -> None:
        """Raise `StoreError` where what is committed may be lost again."""

    def begin_upgrade(self, connection: sa.Connection) -> None:
        """Begin a transaction that nobody else's upgrade or import runs beside."""

    def has_revision(self, connection: sa.Connection) -> bool:
        """Whether there is a table `alembic_version`."""

    def is_empty(self, connection: sa.Connection) -> bool:
        """Whether there is nothing where the tables shall be made."""

    def is_transient(self, error: BaseException) -> bool:
        """Whether an error of the driver passes, so that the same may work a while later."""

    def advice(self, error: BaseException) -> str:
        """What a person can do about an error of the driver."""
