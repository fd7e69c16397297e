"""A connection that reads the store, for one command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from meta_audit.errors import StoreError
from meta_audit.store.opening import open_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reading(db: str | None) -> Iterator[sa.Connection]:
    """Open the store and connect. Raises `StoreError`, also when a query fails within."""
    store = open_to_read(db)
    try:
        with store.engine.connect() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        raise StoreError(
            f"cannot read the store {store.shown}: {error.orig}",
            advice="Is the file whole? Restore it from a backup if it is not.",
        ) from error
    finally:
        store.close()
