"""Make Arrow tables of the rows of a lake."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from meta_audit.lake.tables import arrow_schema, columns, exact_times, order

if TYPE_CHECKING:
    import pyarrow as pa

    from meta_audit.lake.told import Columns


def as_arrow(table: str, store: str, found: Columns) -> pa.Table | None:
    """Return columns as an Arrow table, in the order in which files keep them."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    if not found:
        return None
    schema, exact = arrow_schema(table), exact_times(table)
    arrays: dict[str, Any] = {}
    for name, type_ in columns(table):
        values = found[name] if name in found else found[exact[name]]
        arrays[name] = _array(values, type_, schema.field(name).type)
    count = len(next(iter(arrays.values())))
    stores = pa.repeat(pa.scalar(store), count)
    rows = pa.Table.from_arrays([stores, *arrays.values()], schema=schema)
    return in_order(table, rows)


def in_order(table: str, rows: pa.Table) -> pa.Table:
    """Return rows in the order in which files keep them; those of one job keep theirs."""
    import pyarrow.compute as pc  # noqa: PLC0415 - an extra

    by = order(table)
    column = rows.column(by)
    if column.type == "int64" and not column.null_count:
        column = column.combine_chunks()
        if not pc.any(pc.less(column[1:], column[:-1])).as_py():
            return rows
    return rows.take(pc.sort_indices(column))


def _array(values: Any, type_: str, arrow: pa.DataType) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    if isinstance(values, pa.Array):
        return _times(values) if type_ == "time" else values.cast(arrow)
    if type_ == "time":
        first = next((value for value in values if value is not None), 0)
        if isinstance(first, int):
            return _times(pa.array(values, pa.int64()))
        return pa.array(list(map(_microseconds, values)), arrow)
    if type_ == "json":
        return pa.array(list(map(_text, values)), arrow)
    return pa.array(values, arrow)


def _times(nanoseconds: pa.Array) -> pa.Array:
    """Return exact times as they are in a file: to the microsecond before."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.compute as pc  # noqa: PLC0415

    exact = nanoseconds.cast(pa.int64()).cast(pa.timestamp("ns", "UTC"))
    floor = pc.floor_temporal(exact, unit="microsecond")
    return floor.cast(pa.timestamp("us", "UTC"), safe=False)


def _microseconds(time: Any) -> datetime | None:
    """Return a time as it is in a file; the columns `…_ns` have it exactly."""
    if time is None or isinstance(time, datetime):
        return time
    return datetime.fromisoformat(f"{time[:26]}+00:00")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    from meta_audit.render.json import to_json  # noqa: PLC0415

    return to_json(value, indent=0).decode().rstrip("\n")
