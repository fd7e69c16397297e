"""Read the files of a table. What cannot be read is one `StoreError` that names it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from meta_audit.errors import MetaAuditError, StoreError
from meta_audit.lake.avro import DamagedAvroError, UnknownAvroError, records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from pyiceberg.table import FileScanTask, Table


@contextmanager
def reading(name: str, *, passing: type[Exception] = MetaAuditError) -> Iterator[None]:
    """Name a table or file that cannot be read in this block. Raises `StoreError`.

    Readers of JSON, Avro and Parquet raise almost anything where the bytes are damaged. Errors of
    the class `passing` say something else, and go on.
    """
    try:
        yield
    except (MetaAuditError, passing):
        raise
    except Exception as error:
        raise StoreError(
            f"{name} of the lake cannot be read: {_said(error)}",
            advice="If files are damaged or gone, put them back from a copy, or sync the stores "
            "into a new lake.",
        ) from error


def check_lists(table: Table, known: set[str]) -> None:
    """Check that the lists of files of the newest snapshot can be read. Raises `StoreError`.

    Manifests that are `known` are not read again; those that can be read become known.
    """
    snapshot = table.current_snapshot()
    if snapshot is None:
        return
    listed = _read_list(table, snapshot.manifest_list)
    with reading(snapshot.manifest_list):
        manifests = {entry["manifest_path"] for entry in listed}
    for location in manifests - known:
        _read_list(table, location)
        known.add(location)


def _read_list(table: Table, location: str) -> list[Any]:
    with reading(location), table.io.new_input(location).open() as opened:
        try:
            return records(opened.read())
        except DamagedAvroError:
            raise
        except UnknownAvroError:  # PyIceberg may know it
            return []


def planned(table: Table, wanted: Any = None) -> list[FileScanTask]:
    """Return the files that may hold rows; `wanted` is an expression of PyIceberg, None for all."""
    with reading(f"the list of files of {_name(table)}"):
        return list(_scan(table, wanted).plan_files())


def scanned(table: Table, wanted: Any = None, names: Sequence[str] = ("*",)) -> pa.Table:
    """Return rows, with all columns or some."""
    with reading(_name(table)):
        try:
            return _scan(table, wanted, tuple(names)).to_arrow()
        except Exception:
            for task in planned(table, wanted):
                rows_of(table, [task])
            raise


def rows_of(table: Table, tasks: Sequence[FileScanTask]) -> pa.Table:
    """Return all rows of some files."""
    from pyiceberg.expressions import AlwaysTrue  # noqa: PLC0415 - an extra
    from pyiceberg.io.pyarrow import ArrowScan  # noqa: PLC0415

    with reading(" or ".join(task.file.file_path for task in tasks)):
        return ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue()).to_table(tasks)


def _scan(table: Table, wanted: Any, names: tuple[str, ...] = ("*",)) -> Any:
    from pyiceberg.expressions import AlwaysTrue  # noqa: PLC0415 - an extra

    return table.scan(row_filter=wanted or AlwaysTrue(), selected_fields=names)


def _name(table: Table) -> str:
    return table.location().rsplit("/", 1)[-1]


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
