"""Read the rows that a lake has of one store, and tell in which file a row is."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from meta_audit.lake.reading import planned, reading, scanned
from meta_audit.lake.tables import STORE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import pyarrow as pa

    from meta_audit.lake.catalog import Lake

LakeRow = dict[str, Any]
Groups = dict[tuple[int, int], list[tuple[Any, ...]]]


class StoreRows:
    """Read rows of one store."""

    def __init__(self, lake: Lake, store: str) -> None:
        self._lake = lake
        self._store = store

    def all(self, table: str) -> list[LakeRow]:
        """Return all rows of a table."""
        return self._read(table, None)

    def between(self, table: str, column: str, low: int, high: int) -> list[LakeRow]:
        """Return the rows with a number from `low` to below `high`."""
        return self._read(table, self._within(column, low, high))

    def among(self, table: str, column: str, numbers: Collection[int]) -> list[LakeRow]:
        """Return the rows with some numbers, and perhaps others between them."""
        if not numbers:
            return []
        low, high = min(numbers), max(numbers) + 1
        if high - low <= 2 * len(numbers):
            return self.between(table, column, low, high)
        from pyiceberg.expressions import In  # noqa: PLC0415 - an extra

        build: Any = In
        return self._read(table, build(column, set(numbers)))

    def place(self, table: str, column: str, number: int) -> str:
        """Return the file of the first row with a number, and its place there."""
        import pyarrow.compute as pc  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415

        found = self._lake.table(table)
        within = self._of_store(self._within(column, number, number + 1))
        for task in planned(found, within):
            path = task.file.file_path
            with reading(path), found.io.new_input(path).open() as opened:
                values = parquet.read_table(opened, columns=[column]).column(column)
            row = pc.index(values, number).as_py()
            if row >= 0:
                return f"{path}, row {row}"
        return ""

    def _read(self, table: str, wanted: Any) -> list[LakeRow]:
        found = scanned(self._lake.table(table), self._of_store(wanted))
        names, values = found.column_names, [_listed(column) for column in found.columns]
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]

    def _of_store(self, wanted: Any) -> Any:
        from pyiceberg import expressions  # noqa: PLC0415 - an extra

        build: Any = expressions
        of_store = build.EqualTo(STORE, self._store)
        return of_store if wanted is None else build.And(of_store, wanted)

    @staticmethod
    def _within(column: str, low: int, high: int) -> Any:
        from pyiceberg import expressions  # noqa: PLC0415 - an extra

        build: Any = expressions
        return build.And(build.GreaterThanOrEqual(column, low), build.LessThan(column, high))


def _listed(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column; texts that are equal are one object."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    listed: list[Any]
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        listed = column.to_pylist()
        return listed
    encoded = column.combine_chunks().dictionary_encode()
    texts = [*encoded.dictionary.to_pylist(), None]
    places = encoded.indices.fill_null(len(texts) - 1).to_pylist()
    listed = list(map(texts.__getitem__, places))
    return listed


def grouped(rows: Iterable[LakeRow], columns: Sequence[str], keys: Sequence[str]) -> Groups:
    """Group rows by one or two numbers, each as some of its columns."""
    found: Groups = defaultdict(list)
    for row in rows:
        key = (row[keys[0]], row[keys[1]] if len(keys) > 1 else 0)
        found[key].append(tuple([row[name] for name in columns]))
    return found
