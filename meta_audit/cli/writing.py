"""Open the store that a command writes to."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from meta_audit.cli import options

if TYPE_CHECKING:
    from meta_audit.store.opening import Store


def opened_to_write(*, allow_unsafe_server: bool) -> closing[Store]:
    """Open the store to write, and make it if need be, unless the signing key has a fault.

    Raises `StoreError`, and `UsageError` for a name that cannot be one of a store.
    """
    from meta_audit.record.signing_key import check_given_key
    from meta_audit.store.opening import open_to_write

    check_given_key()
    return closing(open_to_write(options.db(), allow_unsafe_server=allow_unsafe_server))
