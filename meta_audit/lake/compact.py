"""Merge small files of a lake into larger ones: each sync adds some to every table.

The rows stay what they are. The files that are merged and the new one change places in one commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meta_audit.errors import StoreError
from meta_audit.lake.arrow import in_order
from meta_audit.lake.catalog import check_form, committed, stores
from meta_audit.lake.data_files import SMALL, write
from meta_audit.lake.reading import planned, rows_of
from meta_audit.lake.tables import STORE, TABLES, arrow_schema, order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa
    from pyiceberg.table import FileScanTask, Table

    from meta_audit.lake.catalog import Lake

FILE_BYTES: Final = 40_000_000
"""Bytes of the files that are merged together."""


class Compacted(NamedTuple):
    """Count the files that were merged, and those that took their place."""

    merged: int
    made: int


def compact(
    lake: Lake, compacted: Callable[[int, int], None], *, file_bytes: int = FILE_BYTES
) -> Compacted:
    """Merge the small files of every table. Raises `StoreError` if a sync was faster."""
    check_form(lake.table("entries"))
    merged = made = 0
    for done, name in enumerate(TABLES, 1):
        table = lake.table(name)
        for store in stores(table):
            for some in list(_groups(table, store, file_bytes)):
                _merge(lake.table(name), some)
                merged += len(some)
                made += 1
        compacted(done, len(TABLES))
    return Compacted(merged, made)


def _groups(table: Table, store: str, file_bytes: int) -> Iterator[list[FileScanTask]]:
    """Yield small files of one store that are merged together, in the order of their rows."""
    from pyiceberg.expressions import EqualTo  # noqa: PLC0415 - an extra

    build: Any = EqualTo
    tasks = planned(table, build(STORE, store))
    small = [task for task in tasks if task.file.file_size_in_bytes < file_bytes // 2]
    group: list[FileScanTask] = []
    size = 0
    for task in sorted(small, key=lambda one: _first(table, one)):
        if group and size + task.file.file_size_in_bytes > file_bytes:
            if len(group) > 1:
                yield group
            group, size = [], 0
        group.append(task)
        size += task.file.file_size_in_bytes
    if len(group) > 1:
        yield group


def _first(table: Table, task: FileScanTask) -> tuple[bytes, str]:
    """Return the sort key of a file: the least number of an entry or job in it."""
    least = (task.file.lower_bounds or {}).get(_number(table), b"")
    return least[::-1], task.file.file_path  # the bounds of numbers are little-endian


def _last(table: Table, task: FileScanTask) -> bytes:
    return (task.file.upper_bounds or {}).get(_number(table), b"")[::-1]


def _number(table: Table) -> int:
    """Return the field by which the rows of a table are sorted."""
    return table.schema().find_field(order(table.name()[-1])).field_id


def _merge(table: Table, tasks: Sequence[FileScanTask]) -> None:
    nothing = arrow_schema(table.name()[-1]).empty_table()
    with committed(table) as change:
        rows = _rows_in_order(table, tasks)
        write(change, table, rows, [(task, nothing) for task in tasks], SMALL)


def _rows_in_order(table: Table, tasks: Sequence[FileScanTask]) -> Iterator[pa.Table]:
    """Yield the rows of files in their order; only files that overlap are in memory at once."""
    some: list[FileScanTask] = []
    last = b""
    for task in tasks:
        first = _first(table, task)[0]
        if some and first and last and first > last:
            yield _sorted_rows(table, some)
            some = []
        last = max(last, _last(table, task)) if some else _last(table, task)
        some.append(task)
    if some:
        yield _sorted_rows(table, some)


def _sorted_rows(table: Table, tasks: Sequence[FileScanTask]) -> pa.Table:
    rows = rows_of(table, tasks)
    counted = sum(task.file.record_count for task in tasks)
    if rows.num_rows != counted:
        raise StoreError(
            f"files of {table.name()[-1]} have {rows.num_rows:,} rows, not {counted:,} as they say",
            advice="`meta-audit lake verify` names what is wrong.",
        )
    return in_order(table.name()[-1], rows)
