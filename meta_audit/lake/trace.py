"""Read the rows of one job from a lake, without DuckDB or Spark.

Files keep the order of arrival, so numbers of jobs (`job_key`) lie close together in a file, and
IDs do not. The ID is looked up in one table; its numbers then tell which few files of the other
tables may have the job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meta_audit.lake.tables import LOOKUP, OF_JOBS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from pyiceberg.table import Table

    from meta_audit.lake.catalog import Lake


def job_rows(lake: Lake, job_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of one job by table: files and row groups without it are not read."""
    from pyiceberg import expressions  # noqa: PLC0415 - an extra

    build: Any = expressions
    tables = lake.newest(OF_JOBS)
    of_job = build.EqualTo("job_id", job_id)
    seen = _read(tables[LOOKUP], of_job, ("job_id", "job_key"))
    keys = set(seen.column("job_key").to_pylist())
    if not keys:
        return {name: [] for name in OF_JOBS}
    wanted = build.And(of_job, build.In("job_key", keys))
    return {name: _read(tables[name], wanted).to_pylist() for name in OF_JOBS}


def _read(table: Table, wanted: Any, selected: Sequence[str] = ("*",)) -> pa.Table:
    return table.scan(row_filter=wanted, selected_fields=tuple(selected)).to_arrow()
