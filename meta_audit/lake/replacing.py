"""Find the files of a table with rows that are replaced or filled, and what they hold then.

A file that loses rows is written again, as Iceberg's copy-on-write does. PyIceberg would look into
every file where more than 200 jobs are replaced, and write it with encodings of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from meta_audit.lake.reading import planned, rows_of
from meta_audit.lake.tables import STORE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from pyiceberg.table import FileScanTask, Table


def replaced_files(
    table: Table, store: str, keys: Sequence[int] | None
) -> Iterator[tuple[FileScanTask, pa.Table]]:
    """Yield the files that hold rows of jobs of a store, each with the rows that stay.

    `keys` are the jobs, ascending; None means all rows of the store.
    """
    import pyarrow.compute as pc  # noqa: PLC0415 - an extra
    from pyarrow import array, int64  # noqa: PLC0415
    from pyiceberg.expressions import EqualTo  # noqa: PLC0415

    build: Any = EqualTo
    for task in planned(table, build(STORE, store)):
        if keys is not None and not _may_hold(table, task, "job_key", keys):
            continue
        rows = rows_of(table, [task])
        goes = pc.equal(rows.column(STORE), store)
        if keys is not None:
            goes = pc.and_(goes, pc.is_in(rows.column("job_key"), array(keys, int64())))
        stays = rows.filter(pc.invert(pc.fill_null(goes, False)))
        if stays.num_rows < rows.num_rows:
            yield task, stays


def filled_files(
    table: Table, store: str, entries: Mapping[int, bytes]
) -> Iterator[tuple[FileScanTask, pa.Table]]:
    """Yield the files with rows of entries that have no bytes yet, each with those rows filled."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyiceberg.expressions import EqualTo  # noqa: PLC0415

    build: Any = EqualTo
    numbers = sorted(entries)
    for task in planned(table, build(STORE, store)):
        if not _may_hold(table, task, "entry_index", numbers):
            continue
        rows = rows_of(table, [task])
        content = rows.column("entry").to_pylist()
        filled = False
        for place, index in enumerate(rows.column("entry_index").to_pylist()):
            if index in entries and content[place] is None:
                content[place], filled = entries[index], True
        if filled:
            at, field = rows.column_names.index("entry"), rows.schema.field("entry")
            yield task, rows.set_column(at, field, pa.array(content, field.type))


def _may_hold(table: Table, task: FileScanTask, column: str, keys: Sequence[int]) -> bool:
    """Tell whether one of the keys lies within the bounds of a column of a file."""
    number = table.schema().find_field(column).field_id
    least, most = (
        (bounds or {}).get(number) for bounds in (task.file.lower_bounds, task.file.upper_bounds)
    )
    if least is None or most is None:
        return True
    place = bisect_left(keys, int.from_bytes(least, "little", signed=True))
    return place < len(keys) and keys[place] <= int.from_bytes(most, "little", signed=True)
