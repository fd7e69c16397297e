"""Read a few rows of a table of a lake in a folder, without PyIceberg.

It reads the newest snapshot as the specification of Iceberg says: metadata, list of manifests,
manifests, and of the files only those whose bounds hold the number that is looked for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlparse

from meta_audit.lake.avro import DamagedAvroError, UnknownAvroError, records
from meta_audit.lake.data_files import UNIQUE
from meta_audit.lake.reading import reading
from meta_audit.lake.tables import columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pyarrow.parquet import ParquetFile

_DELETED: Final = 2
_DATA: Final = 0


class NotLocalError(Exception):
    """Raised for a table that only PyIceberg can read."""


class _File(NamedTuple):
    """Name a data file, with the bounds of its columns by field ID."""

    path: Path
    least: dict[int, bytes]
    most: dict[int, bytes]


class LocalTable:
    """Read the newest snapshot of a table. Raises `NotLocalError` where PyIceberg is needed."""

    def __init__(self, name: str, metadata_location: str) -> None:
        self._name = name
        self._ids: dict[str, int]
        self._files: list[_File]
        with reading(name, passing=NotLocalError):
            self._ids, self._files = _newest(metadata_location)

    def rows(self, column: str, numbers: Collection[int]) -> list[dict[str, Any]]:
        """Return the rows that have one of some numbers in a column."""
        found: list[dict[str, Any]] = []
        field = self._ids[column]
        for file in self._files:
            least, most = _number(file.least.get(field)), _number(file.most.get(field))
            if _may_hold(least, most, numbers):
                with reading(str(file.path), passing=NotLocalError):
                    found += self._rows_of(file.path, column, numbers)
        return found

    def _rows_of(
        self, path: Path, column: str, numbers: Collection[int]
    ) -> Iterator[dict[str, Any]]:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.compute as pc  # noqa: PLC0415

        wanted = pa.array(sorted(numbers), pa.int64())
        with _opened(path, self._name) as file:
            at = self._place(file, column)
            for group in range(file.metadata.num_row_groups):
                bounds = file.metadata.row_group(group).column(at).statistics
                if bounds and not _may_hold(bounds.min, bounds.max, numbers):
                    continue
                values = file.read_row_group(group, columns=[column]).column(0)
                places = pc.indices_nonzero(pc.is_in(values, value_set=wanted))
                if len(places):
                    for row in file.read_row_group(group).take(places).to_pylist():
                        yield {name: row.get(name) for name in self._ids}

    def _place(self, file: ParquetFile, column: str) -> int:
        """Return the place of a column. Raises `NotLocalError` if columns had other names."""
        for field in file.schema_arrow:
            number = int((field.metadata or {}).get(b"PARQUET:field_id", -1))
            if self._ids.get(field.name) != number:
                raise NotLocalError(f"{field.name} is another column of {self._name} now")
        names: list[str] = file.schema_arrow.names
        return names.index(column)


def _newest(metadata_location: str) -> tuple[dict[str, int], list[_File]]:
    """Return the columns of a table with their IDs, and the files of its newest snapshot."""
    metadata = json.loads(_path(metadata_location).read_bytes())
    (schema,) = (
        one for one in metadata["schemas"] if one["schema-id"] == metadata["current-schema-id"]
    )
    newest = metadata.get("current-snapshot-id")
    listed = [one for one in metadata["snapshots"] if one["snapshot-id"] == newest]
    try:
        files = [file for one in listed for file in _files(one["manifest-list"])]
    except DamagedAvroError:
        raise
    except (UnknownAvroError, KeyError) as error:
        raise NotLocalError(str(error)) from error
    return {field["name"]: field["id"] for field in schema["fields"]}, files


def _opened(path: Path, table: str) -> ParquetFile:
    """Open a file; texts that repeat are not written out for every row."""
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415 - an extra

    texts = [name for name, type_ in columns(table) if type_ == "text" and name not in UNIQUE]
    return ParquetFile(path, read_dictionary=["store", *texts])


def _files(manifest_list: str) -> Iterator[_File]:
    for manifest in records(_path(manifest_list).read_bytes()):
        if manifest.get("content", _DATA) != _DATA:
            raise NotLocalError("the table has deletes beside its files")
        for entry in records(_path(manifest["manifest_path"]).read_bytes()):
            file = entry["data_file"]
            if entry["status"] == _DELETED:
                continue
            bounds = [
                {one["key"]: one["value"] for one in file[name] or ()}
                for name in ("lower_bounds", "upper_bounds")
            ]
            yield _File(_path(file["file_path"]), *bounds)


def _path(location: str) -> Path:
    """Return where a file is. Raises `NotLocalError` if it is not in the file system."""
    parts = urlparse(location)
    if parts.scheme not in ("", "file") or parts.netloc:
        raise NotLocalError(f"{location} is no file here")
    return Path(unquote(parts.path))


def _number(bound: bytes | None) -> int | None:
    return None if bound is None else int.from_bytes(bound, "little", signed=True)


def _may_hold(least: int | None, most: int | None, numbers: Collection[int]) -> bool:
    if least is None or most is None:
        return True
    return any(least <= number <= most for number in numbers)
