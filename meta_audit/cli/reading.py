"""A connection that reads the store, for one command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from meta_audit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


@contextmanager
def reading(db: str | None) -> Iterator[Connection]:
    """Open the store and connect. Raises `StoreError`, also when a query fails within."""
    # Here and not above: a command's --help and completion import its module.
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    from meta_audit.store.opening import open_to_read  # noqa: PLC0415

    store = open_to_read(db)
    try:
        with store.engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise StoreError(
            f"cannot read the store {store.shown}: {error.orig}",
            advice="Is the file whole? Restore it from a backup if it is not.",
        ) from error
    finally:
        store.close()
