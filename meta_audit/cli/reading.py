"""Read the store, for one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from meta_audit.store.session import Session

_Result = TypeVar("_Result")


def read(db: str | None, work: Callable[[Session], _Result]) -> _Result:
    """Open the store and do the work on one state of it. Raises `StoreError`."""
    from meta_audit.store.opening import open_to_read

    store = open_to_read(db)
    try:
        return store.read(work)
    finally:
        store.close()
