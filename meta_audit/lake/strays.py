"""Find what a lake holds and no ledger in it stands for: columns, stores, rows of no entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meta_audit.lake.expected import OF_DOCUMENTS, OF_VERSIONS
from meta_audit.lake.reading import scanned
from meta_audit.lake.tables import LEDGER, NUMBERS, STORE, TABLES, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import pyarrow as pa

    from meta_audit.lake.catalog import Lake

JOBS_AT_ONCE: Final = 100_000
_ENTRY: Final = {
    **dict.fromkeys((*LEDGER, *OF_DOCUMENTS, "v_jobs", "v_readings"), "entry_index"),
    "v_rejections": "rejection_id",
}
"""Column with the number of an entry, by table."""
_VERSION: Final = ["job_key", "version_no"]


def wrong_columns(lake: Lake) -> Iterator[tuple[str, str]]:
    """Yield tables whose columns are not those of the contract, and what differs."""
    for name in TABLES:
        found = {field.name: field.type for field in lake.table(name).schema().as_arrow()}
        wanted = {field.name: field.type for field in arrow_schema(name)}
        for column in wanted.keys() - found.keys():
            yield name, f"the column {column} is not there"
        for column in found.keys() - wanted.keys():
            yield name, f"the column {column} is none of the contract"
        for column in wanted.keys() & found.keys():
            if _plain(found[column]) != _plain(wanted[column]):
                yield name, f"the column {column} has the type {found[column]}"


def unknown_stores(lake: Lake, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield tables with rows of stores that have no ledger in the lake, and their names."""
    from pyiceberg import expressions  # noqa: PLC0415 - an extra

    build: Any = expressions
    others = build.Or(build.IsNull(STORE), build.NotIn(STORE, tuple(known)))
    for name in TABLES:
        rows = scanned(lake.table(name), others, (STORE,))
        for store in sorted(set(rows.column(STORE).to_pylist()), key=str):
            yield name, str(store)


def beyond(lake: Lake, store: str, entries: int) -> Iterator[tuple[str, str]]:
    """Yield tables with rows of entries that the ledger does not have."""
    from pyiceberg import expressions  # noqa: PLC0415 - an extra

    build: Any = expressions
    of_store = build.EqualTo(STORE, store)
    for name, column in _ENTRY.items():
        outside = build.Or(
            build.IsNull(column),
            build.Or(build.LessThan(column, 0), build.GreaterThanOrEqual(column, entries)),
        )
        rows = scanned(lake.table(name), build.And(of_store, outside), (column,))
        for index in rows.column(column).to_pylist():
            yield name, f"a row of entry {index}, which the ledger does not have"


def unseen_versions(lake: Lake, store: str, last_job: int) -> Iterator[tuple[str, int | None, str]]:
    """Yield tables with rows of versions of jobs that no document shows, and the job's key."""
    from pyiceberg import expressions  # noqa: PLC0415 - an extra

    build: Any = expressions
    of_store = build.EqualTo(STORE, store)
    outside = build.Or(
        build.IsNull("job_key"),
        build.Or(build.LessThan("job_key", 1), build.GreaterThan("job_key", last_job)),
    )
    for name in OF_VERSIONS:
        for row in _pairs(lake, name, build.And(of_store, outside)).to_pylist():
            yield name, row["job_key"], _unseen(row)
    numbers = scanned(lake.table(NUMBERS), build.And(of_store, outside))
    for key in numbers.column("job_key").to_pylist():
        yield NUMBERS, key, f"job number {key}, which no document shows"
    for low in range(1, last_job + 1, JOBS_AT_ONCE):
        within = (
            build.GreaterThanOrEqual("job_key", low),
            build.LessThan("job_key", low + JOBS_AT_ONCE),
        )
        wanted = build.And(of_store, *within)
        seen = _pairs(lake, "v_observations", wanted)
        for name in OF_VERSIONS:
            unseen = _pairs(lake, name, wanted).join(seen, _VERSION, join_type="left anti")
            for row in unseen.to_pylist():
                yield name, row["job_key"], _unseen(row)


def _pairs(lake: Lake, table: str, wanted: Any) -> pa.Table:
    """Return the distinct versions of jobs that rows of a table have."""
    rows = scanned(lake.table(table), wanted, _VERSION)
    return rows.select(_VERSION).group_by(_VERSION).aggregate([])


def _unseen(row: dict[str, Any]) -> str:
    return f"version {row['version_no']} of job number {row['job_key']}, which no document shows"


def _plain(type_: pa.DataType) -> str:
    """Return a type; large texts and bytes are texts and bytes."""
    return str(type_).removeprefix("large_")
