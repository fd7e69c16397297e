"""A connection that reads the store, for one command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


@contextmanager
def reading(db: str | None) -> Iterator[Connection]:
    """Open the store and connect. Raises `StoreError`, also when a query fails within."""
    # Here and not above: a command's --help and completion import its module.
    from sqlalchemy.exc import DBAPIError

    from meta_audit.store.opening import open_to_read

    store = open_to_read(db)
    try:
        with store.engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise store.failed(error) from error
    finally:
        store.close()
