"""Ask tables of a lake in SQL, with DuckDB: it joins and sorts more rows than memory holds."""

from __future__ import annotations

from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from meta_audit.errors import StoreError, UsageError
from meta_audit.lake.catalog import stores
from meta_audit.lake.reading import planned
from meta_audit.lake.tables import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from duckdb import DuckDBPyConnection
    from pyiceberg.table import Table

    from meta_audit.lake.catalog import Lake

SCHEME: Final = "lake"
"""Scheme of files that are read through PyIceberg's own access to an object store."""
_BEFORE: Final = f"{SCHEME}://"
MEMORY: Final = "1GB"
"""Memory that a query may use; what does not fit goes to files that the end of it removes."""


@contextmanager
def asked(
    lake: Lake, names: Collection[str], *, is_closed: bool = False
) -> Iterator[tuple[DuckDBPyConnection, list[str]]]:
    """Open tables of one state of the lake to ask them; give a connection, and the stores.

    With `is_closed`, the connection reads no other files, and its settings stay. Raises
    `UsageError` without DuckDB, and `StoreError` if the tables are not of one state.
    """
    try:
        import duckdb  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            f"this needs duckdb: {error}",
            advice="Install it: pip install 'meta-audit[lake]'.",
        ) from error
    tables = lake.newest(sorted(names))
    found = _of_one_state(tables)
    with (
        TemporaryDirectory(prefix="meta-audit-") as folder,
        duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": folder}) as duck,
    ):
        try:
            paths = [path for name, table in tables.items() for path in _open(duck, name, table)]
            if is_closed:
                _close(duck, paths)
            yield duck, found
        except duckdb.OutOfMemoryException as error:
            raise UsageError(
                f"this needs more than {MEMORY} of memory", advice="Ask for less at once."
            ) from error
        except duckdb.Error as error:
            raise StoreError(
                f"DuckDB cannot read the lake: {error}",
                advice="`meta-audit lake verify` names files that are damaged.",
            ) from error


def _of_one_state(tables: dict[str, Table]) -> list[str]:
    """Return the stores. Raises `StoreError` if a sync has brought some tables further."""
    reached = {name: stores(table) for name, table in tables.items()}
    known = sorted({store for found in reached.values() for store in found})
    for store in known:
        entries = sorted((found.get(store, 0), name) for name, found in reached.items())
        (least, behind), (most, ahead) = entries[0], entries[-1]
        if least != most:
            raise StoreError(
                f"a sync of {store} is not complete: the lake has {most:,} of its entries in "
                f"{ahead}, and {least:,} in {behind}",
                advice="Wait until it is done. If it was killed, run `meta-audit lake sync` again.",
            )
    return known


def _open(duck: DuckDBPyConnection, name: str, table: Table) -> list[str]:
    """Make a view of the files of a table, which are read through the file system of the lake.

    Return them as DuckDB names them.
    """
    tasks = planned(table)
    if any(task.delete_files for task in tasks):
        raise StoreError(
            f"files of {name} have deletes beside them, which are not read",
            advice="Rewrite the files with the program that wrote the deletes.",
        )
    if not tasks:
        duck.register(name, arrow_schema(name).empty_table())
        return []
    paths = [_readable(duck, table, task.file.file_path) for task in tasks]
    duck.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({_listed(paths)})")
    return paths


def _close(duck: DuckDBPyConnection, paths: list[str]) -> None:
    """Let queries read these files alone: no other file, address or variable of this program."""
    duck.execute(f"SET allowed_paths = {_listed(paths)}")
    for name in ("python_enable_replacements", "python_scan_all_frames", "enable_external_access"):
        duck.execute(f"SET {name} = false")
    duck.execute("SET TimeZone = 'UTC'; SET lock_configuration = true")


def _listed(paths: list[str]) -> str:
    """Return a list of texts in SQL."""
    return "[{}]".format(", ".join("'{}'".format(path.replace("'", "''")) for path in paths))


def _readable(duck: DuckDBPyConnection, table: Table, location: str) -> str:
    """Return how DuckDB names a file: a path, or one of an object store as PyIceberg opens it."""
    files: Any = table.io
    scheme, host, path = files.parse_location(location)
    if scheme == "file":
        return str(path)
    if SCHEME not in duck.list_filesystems():
        duck.register_filesystem(_as_duckdb_takes_it(files.fs_by_scheme(scheme, host)))
    return f"{_BEFORE}{path}"


def _as_duckdb_takes_it(opened: Any) -> Any:
    """Return an Arrow file system as one whose files have our scheme before them."""
    from fsspec.implementations.arrow import ArrowFSWrapper  # noqa: PLC0415 - PyIceberg has it

    class Files(ArrowFSWrapper):  # type: ignore[misc]
        protocol = SCHEME

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return path.removeprefix(_BEFORE)

    return Files(opened)
