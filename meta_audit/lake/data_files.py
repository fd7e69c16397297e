"""Write the Parquet files of a lake: PyIceberg cannot choose encodings, which half the bytes need.

Only encodings are used that Iceberg's own reader for Spark takes (since 1.10): dictionaries, plain
values, and differences of numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from meta_audit.lake.tables import LEDGER, columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table, Transaction

QUICK: Final = 9
"""Level of zstd for files that `lake compact` will write again."""
SMALL: Final = 12
"""Level of zstd for files that stay: documents are a twentieth smaller, in twice the time."""
PAGE_BYTES: Final = 1 << 23
"""Bytes of a page before compression: zstd finds repeats only within one."""
RANDOM: Final = 1
"""Level of zstd for IDs and hashes: a higher one looks for repeats, and takes more bytes."""
ROWS_PER_GROUP: Final = 100_000
"""Rows of a row group: what is read to find one job, and what shares the values of a dictionary."""
ROWS_PER_NARROW_GROUP: Final = 500_000
"""Rows of a row group of tables with many small rows of each job."""
ROWS_PER_WIDE_GROUP: Final = 20_000
"""Rows of a row group of documents and entries."""
_NARROW: Final = ("v_meta", "v_labels", "v_attributions", "v_uses", "v_executions", "v_events")
_RANDOM: Final = frozenset(("job_id", "document_sha256", "spec_sha256", "sha256"))
UNIQUE: Final = _RANDOM | {"entry", "content"}
"""Columns with other values in each job, of which a dictionary only adds to the bytes."""
_DICTIONARY_BYTES: Final = 1 << 24


def write(
    change: Transaction,
    table: Table,
    parts: Iterable[pa.Table],
    replaced: Iterable[tuple[FileScanTask, pa.Table]] = (),
    level: int = QUICK,
) -> None:
    """Add a file with the rows of these parts, in this order, to what a transaction commits.

    `replaced` are files that go, each with the rows that stay and are written again.
    """
    gone, new = [], []
    for task, stays in replaced:
        gone.append(task.file)
        new += [_written(table, [stays], level)] if stays.num_rows else []
    new += [_written(table, parts, level)] if parts else []
    if not (gone or new):
        return
    snapshot = change.update_snapshot()
    with snapshot.overwrite() if gone else snapshot.fast_append() as files:
        for file in gone:
            files.delete_data_file(file)
        for file in new:
            files.append_data_file(file)


def _written(table: Table, parts: Iterable[pa.Table], level: int) -> DataFile:
    from pyarrow import parquet  # noqa: PLC0415 - an extra
    from pyiceberg.io.pyarrow import (  # noqa: PLC0415
        compute_statistics_plan,
        data_file_statistics_from_parquet_metadata,
        parquet_path_to_id_mapping,
        schema_to_pyarrow,
    )
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat  # noqa: PLC0415
    from pyiceberg.typedef import Record  # noqa: PLC0415

    schema, name = table.schema(), table.name()[-1]
    arrow = schema_to_pyarrow(schema)
    path = table.location_provider().new_data_location(f"{uuid4()}.parquet")
    output = table.io.new_output(path)
    with (
        output.create() as opened,
        parquet.ParquetWriter(opened, arrow, **_layout(name, arrow.names, level)) as writer,
    ):
        size = _rows_per_group(name)
        for rows in _whole_groups(parts, size):
            writer.write(rows.cast(arrow), row_group_size=size)
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=writer.writer.metadata,
        stats_columns=compute_statistics_plan(schema, table.properties),
        parquet_column_mapping=parquet_path_to_id_mapping(schema),
    )
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        file_size_in_bytes=len(output),
        sort_order_id=None,
        spec_id=table.metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def _whole_groups(parts: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """Yield rows so that only the last ones do not fill a row group."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    kept, count = [], 0
    for part in parts:
        kept.append(part)
        count += part.num_rows
        if whole := count - count % size:
            rows = pa.concat_tables(kept)
            yield rows.slice(0, whole)
            kept, count = [rows.slice(whole)], count - whole
    if count:
        yield pa.concat_tables(kept)


def _rows_per_group(table: str) -> int:
    if table in LEDGER:
        return ROWS_PER_WIDE_GROUP
    return ROWS_PER_NARROW_GROUP if table in _NARROW else ROWS_PER_GROUP


def _layout(table: str, present: list[str], level: int) -> dict[str, Any]:
    """Return how the columns of a table are compressed and encoded."""
    types = dict(columns(table))
    numbers = [n for n in present if types.get(n) in ("integer", "time")]
    return {
        "compression": "zstd",
        "compression_level": {
            n: RANDOM if n in _RANDOM or n in numbers else level for n in present
        },
        "dictionary_pagesize_limit": _DICTIONARY_BYTES,
        "data_page_size": PAGE_BYTES,
        "use_dictionary": [n for n in present if n not in UNIQUE and n not in numbers],
        "column_encoding": dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
    }
