"""Define a connection to a store, the same for every engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeVar

import sqlalchemy as sa

from meta_audit.errors import DamagedStoreError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from meta_audit.search.globs import Piece
    from meta_audit.store.retry import Retry

_Result = TypeVar("_Result")

Row = tuple[Any, ...]
Values = Sequence[Sequence[Any]]
"""Rows, column by column, as they are made and packed."""
ROWS_PER_FETCH: Final = 10_000
ROWS_PER_SELECT: Final = 1_000
"""Fewer, because a person's statement may ask for anything."""
SELECT_ADVICE: Final = (
    "Give one SELECT. `meta-audit sql` without a query lists the views and their columns."
)


def row(*values: object) -> Values:
    """Return one row as columns."""
    return [(value,) for value in values]


def rows(several: Iterable[Sequence[Any]]) -> Values:
    """Return rows as columns."""
    return list(zip(*several, strict=True))


def connect(engine: sa.Engine) -> sa.PoolProxiedConnection:
    """Return a connection of the pool. Raises the driver's own error, also of the first one.

    Raises `StoreError` if every connection stays in use, and `DamagedStoreError` if the server
    does not even say its version.
    """
    try:
        return engine.raw_connection()
    except AssertionError as error:  # of SQLAlchemy
        raise DamagedStoreError(
            f"the server does not say its version: {error}",
            advice="Somebody changed the types or functions of the server itself.",
        ) from error
    except sa.exc.DBAPIError as error:
        raise error.orig or error from error
    except sa.exc.TimeoutError as error:
        raise StoreError(
            "every connection to the store is in use",
            advice="Let fewer threads ask at once, or open the store once more.",
        ) from error


class SelectedRows(NamedTuple):
    """Hold what a person's statement gives: the names of its columns, and its rows as a stream."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


class Session(ABC):
    """Run SQL on one connection to a store.

    Statements have `?` for parameters, whatever the driver. Every method may raise `StoreError`:
    `TransientStoreError` if the transaction may be repeated from its beginning,
    `DamagedStoreError` if the store can be reached but its content cannot be read.
    """

    is_sqlite: ClassVar[bool] = False

    def __init__(self, name: str, retry: Retry) -> None:
        self.name = name
        """The store's name for a person."""
        self.retry = retry
        self.has_bad_text = False
        """True if a text that is not UTF-8 was read since `accept_bad_text`."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back, and undo uncommitted work."""

    # Reading

    @abstractmethod
    def query(self, sql: str, /, *parameters: object) -> list[Row]:
        """Return the rows of one statement."""

    def together(self, *statements: tuple[Any, ...]) -> list[list[Row]]:
        """Return the rows of several statements, each given as SQL and its parameters."""
        return [self.query(*one) for one in statements]

    def value(self, sql: str, /, *parameters: object) -> Any:
        """Return the one value of one statement."""
        return self.query(sql, *parameters)[0][0]

    @abstractmethod
    def among(self, sql: str, keys: Iterable[object]) -> Iterator[Row]:
        """Yield the rows of a query in which `AMONG KEYS` stands for `IN (keys)`.

        There may be any number of keys, all of one type.
        """

    @abstractmethod
    def stream(
        self, sql: str, /, *parameters: object, rows_per_fetch: int = ROWS_PER_FETCH
    ) -> Iterator[Row]:
        """Yield the rows of one statement, a few at a time. Other statements may come between."""

    @abstractmethod
    def select(
        self, sql: str, /, *parameters: object, seconds: float, plan_only: bool = False
    ) -> AbstractContextManager[SelectedRows]:
        """Run one statement that a person wrote, within a snapshot; the engine lets it only read.

        With `plan_only` it is not run. Raises `UsageError` if the engine does not take the
        statement, or works on it for more than `seconds`.
        """

    @abstractmethod
    def accept_bad_text(self) -> None:
        """Read texts that are not UTF-8 from now on, with a lone surrogate for each bad byte."""

    def decode(self, text: bytes) -> str:
        """Decode a text of the store as `accept_bad_text` says."""
        try:
            return text.decode()
        except UnicodeDecodeError:
            self.has_bad_text = True
            return text.decode(errors="surrogateescape")

    @abstractmethod
    def schema(self) -> str:
        """Return the name of the schema that holds the tables, to stand before their names."""

    @abstractmethod
    def joined(self, column: str) -> str:
        """Return SQL that joins the integers of a group by commas."""

    @abstractmethod
    def fits(
        self, column: str, pattern: Sequence[Piece], *, ignore_case: bool = False
    ) -> tuple[str, tuple[str, ...]]:
        """Return the condition that a text fits a pattern, and its parameters.

        With `ignore_case` the case of A-Z does not count.
        """

    @abstractmethod
    def begin_snapshot(self) -> None:
        """See the present state of the store from now on, while others write to it."""

    @abstractmethod
    def rollback(self) -> None:
        """Undo the transaction, or end the snapshot."""

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See one state of the store within this block."""
        self.begin_snapshot()
        try:
            yield
        finally:
            self.rollback()

    # Writing

    @abstractmethod
    def begin(self) -> None:
        """Open a transaction as the only writer of the store; wait for other writers."""

    @abstractmethod
    def commit(self) -> None:
        """Make the transaction durable. If this raises, it is not durable."""

    @abstractmethod
    def insert(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows, given column by column."""

    @abstractmethod
    def insert_missing(self, table: str, columns: tuple[str, ...], values: Values) -> None:
        """Insert rows except those whose key exists already."""

    @abstractmethod
    def delete(self, table: str, column: str, keys: Sequence[int]) -> None:
        """Delete the rows with these keys from a derived table."""

    @abstractmethod
    def gather_statistics(self) -> None:
        """Tell the planner of the engine what the tables hold, where it does not know."""

    def transaction(
        self,
        work: Callable[[], _Result],
        *,
        undo: Callable[[], None] | None = None,
        seconds: float | None = None,
    ) -> _Result:
        """Do the work in one transaction: it is written completely or not at all.

        Retry it while it fails for a reason that passes. Call `undo` after each rollback.
        """

        def once() -> _Result:
            self.begin()
            result = work()
            self.commit()
            return result

        def roll_back() -> None:
            self.rollback()
            if undo:
                undo()

        limit = self.retry.write_seconds if seconds is None else seconds
        return self.retry.call(once, seconds=limit, undo=roll_back)
