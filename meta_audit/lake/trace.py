"""Read the rows of one job from a lake, without DuckDB or Spark.

Files keep the order of arrival, so numbers of jobs (`job_key`) lie close together in a file, and
IDs do not. The ID is looked up in one table; its numbers then tell which few files of the other
tables may have the job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meta_audit.lake.catalog import check_form
from meta_audit.lake.local_table import LocalTable, NotLocalError
from meta_audit.lake.reading import scanned
from meta_audit.lake.tables import NUMBERS, OF_JOBS, id_hash

if TYPE_CHECKING:
    from meta_audit.lake.catalog import Lake

JobRows = dict[str, list[dict[str, Any]]]
"""The rows of a job, by table."""


def job_rows(lake: Lake, job_id: str) -> JobRows:
    """Return the rows of one job: files and row groups without it are not read."""
    where = lake.metadata_locations()
    if all(name in where for name in (NUMBERS, *OF_JOBS)):
        try:
            return _local_rows(where, job_id)
        except NotLocalError:
            pass
    return scanned_rows(lake, job_id)


def _local_rows(where: dict[str, str], job_id: str) -> JobRows:
    found = LocalTable(NUMBERS, where[NUMBERS]).rows("id_hash", {id_hash(job_id)})
    keys = {row["job_key"] for row in found}
    if not keys:
        return {name: [] for name in OF_JOBS}
    return {
        name: [
            row
            for row in LocalTable(name, where[name]).rows("job_key", keys)
            if row["job_id"] == job_id
        ]
        for name in OF_JOBS
    }


def scanned_rows(lake: Lake, job_id: str) -> JobRows:
    """Return the rows of one job as PyIceberg reads them, from any storage."""
    from pyiceberg import expressions  # noqa: PLC0415 - an extra

    check_form(lake.table("v_jobs"))
    build: Any = expressions
    tables = lake.newest((NUMBERS, *OF_JOBS))
    of_hash = build.EqualTo("id_hash", id_hash(job_id))
    numbers = scanned(tables[NUMBERS], of_hash)
    keys = set(numbers.column("job_key").to_pylist())
    if not keys:
        return {name: [] for name in OF_JOBS}
    wanted = build.And(build.EqualTo("job_id", job_id), build.In("job_key", keys))
    return {name: scanned(tables[name], wanted).to_pylist() for name in OF_JOBS}
