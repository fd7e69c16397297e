"""Work on a connection that reads the store, for one command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

_Result = TypeVar("_Result")


class ReadStore:
    """Stands for the store until there is one that reads."""

    def __init__(self, db: str | None) -> None:
        self.db = db

    def read(self, work: Callable[[Connection], _Result]) -> _Result:
        """Do work on a connection."""
        return read(self.db, work)


def read(db: str | None, work: Callable[[Connection], _Result]) -> _Result:
    """Do work on a connection, again from its beginning where it failed for a reason that passes.

    Raises `StoreError`, and what the work does.
    """
    from meta_audit.store.opening import REACH_SECONDS
    from meta_audit.store.retry import patience, patiently

    def once() -> _Result:
        with reading(db) as connection:
            return work(connection)

    with patience(REACH_SECONDS):
        return patiently(once)


@contextmanager
def reading(db: str | None) -> Iterator[Connection]:
    """Open the store and connect. Raises `StoreError`, also when a query fails within."""
    # Here and not above: a command's --help and completion import its module.
    from sqlalchemy.exc import DBAPIError

    from meta_audit.store.opening import open_to_read

    store = open_to_read(db)
    try:
        with store.engine.connect() as connection:
            try:
                yield connection
            except store.driver_error as error:
                connection.invalidate()  # else it would be rolled back, which may fail as well
                raise store.failed(error) from error
    except DBAPIError as error:
        raise store.failed(error) from error
    finally:
        store.close()
