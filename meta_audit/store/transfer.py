"""Copy a whole store into an empty one of either engine, or into a file."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meta_audit.errors import UsageError
from meta_audit.schema.tables import DATA_TABLES, metadata
from meta_audit.store.session import rows

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from meta_audit.store.opening import Store
    from meta_audit.store.session import Session

ROWS_AT_ONCE: Final = 500
"""Rows at a time; few, because a document may have megabytes."""


def copy(source: Store, target: Store, copied: Callable[[str, int], None]) -> dict[str, int]:
    """Copy every fact in one transaction. Return the number of rows by table.

    Call `copied` with a table and the number of its rows that were copied since the last call.
    Raises `UsageError` if the target is not empty, `StoreError` if a store fails. Then nothing is
    copied.
    """
    counts = dict.fromkeys(DATA_TABLES, 0)
    into = target.session()
    try:
        into.begin()
        _check_empty(into)
        with source.snapshot() as session:
            for name in DATA_TABLES:
                table = metadata.tables[name]
                rest = session.stream(_select(table), rows_per_fetch=ROWS_AT_ONCE)
                while some := list(islice(rest, ROWS_AT_ONCE)):
                    into.insert(name, tuple(table.columns.keys()), rows(some))
                    counts[name] += len(some)
                    copied(name, len(some))
        into.commit()
        into.gather_statistics()
    finally:
        into.close()
    return counts


def backup(source: Store, path: str) -> int:
    """Copy an SQLite store into a new file, even while others write to it. Return its bytes.

    Raises `UsageError` if the store is not an SQLite file or the copy exists, `StoreError` if the
    copy fails or is damaged.
    """
    target = Path(path)
    if not path or "\0" in path:
        raise UsageError(f"{path!r} is no name of a file", advice="Name a new file.")
    if target.exists():
        raise UsageError(f"{target} exists", advice="Name a new file.")
    source.backend.backup(source.engine, source.name, target)
    return target.stat().st_size


def _check_empty(session: Session) -> None:
    for name in DATA_TABLES:
        if session.query(f"SELECT 1 FROM {name} LIMIT 1"):  # noqa: S608 - own names
            raise UsageError(
                f"{session.name} is not empty: it has {name}", advice="Copy into a new store."
            )


def _select(table: sa.Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    order = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
    return f"SELECT {names} FROM {table.name} ORDER BY {order}"  # noqa: S608 - own names
