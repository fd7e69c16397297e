"""Export a row per job as Parquet."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from meta_audit.errors import UsageError
from meta_audit.export.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.export.matched import MatchedJobs

ROWS_PER_GROUP: Final = 20_000
INTEGERS: Final = (
    *("version", "revision", "version_no", "versions", "priority", "count", "created_ns"),
    *("modified_ns", "entry_index", "first_import", "last_import"),
)
TIMES: Final = "created_at", "modified_at", "first_seen", "last_seen"
_EPOCH: Final = datetime(1970, 1, 1)


def write(jobs: MatchedJobs, _: str) -> Iterator[bytes]:
    """Yield a Parquet file, whose times are nanoseconds in UTC. Raises `UsageError`."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            f"Parquet needs pyarrow: {error}",
            advice="Install it: pip install 'meta-audit[parquet]'.",
        ) from error
    types = {name: pa.int64() for name in INTEGERS}
    types |= dict.fromkeys(TIMES, pa.timestamp("ns", "UTC"))
    schema = pa.schema([(name, types.get(name, pa.string())) for name in jobs.columns])
    sink = Sink()
    rows = jobs.rows()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        while some := list(islice(rows, ROWS_PER_GROUP)):
            columns = [
                [_nanoseconds(v) for v in column] if field.name in TIMES else list(column)
                for field, column in zip(schema, zip(*some, strict=True), strict=True)
            ]
            arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield sink.take()
    yield sink.take()


def _nanoseconds(rfc3339: Any) -> int | None:
    """Return a time as nanoseconds since 1970."""
    if rfc3339 is None:
        return None
    seconds, _, fraction = str(rfc3339).removesuffix("Z").partition(".")
    whole = datetime.fromisoformat(seconds) - _EPOCH
    return (whole.days * 86_400 + whole.seconds) * 1_000_000_000 + int(fraction.ljust(9, "0"))
