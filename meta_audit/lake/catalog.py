"""Open the catalog of a lake, its tables, and the positions that its syncs have reached."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from warnings import catch_warnings, simplefilter

from meta_audit.errors import NotFoundError, StoreError, UsageError
from meta_audit.lake.data_files import write
from meta_audit.lake.reading import check_lists, reading
from meta_audit.lake.replacing import filled_files, replaced_files
from meta_audit.lake.tables import FORM, TABLES, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import FileScanTask, Table, Transaction

CATALOG: Final = "lake"
_SQLITE: Final = "sqlite:///"
NAMESPACE: Final = "meta_audit"
CATALOG_FILE: Final = "catalog.db"
_PROPERTIES: Final = {
    "write.parquet.compression-codec": "zstd",
    "write.metadata.delete-after-commit.enabled": "true",
}
_ONCE: Final = {"commit.retry.num-retries": "0"}
"""pyiceberg would append again what another sync has added meanwhile."""
_POSITION: Final = "meta-audit.position."
"""Property of a table: entries of a store, named behind it, whose rows are all in the table."""
_NEWEST: Final = """
    SELECT table_name, metadata_location FROM iceberg_tables
    WHERE catalog_name = ? AND table_namespace = ?"""
_CONTRACT: Final = "meta-audit.contract"
_FORM: Final = "meta-audit.form"
"""Property of a table: how its rows are to be read (`tables.FORM`)."""


class Lake:
    """Read and write the tables of one lake."""

    def __init__(self, location: str, catalog: str | None, *, make: bool) -> None:
        try:
            import pyiceberg  # noqa: F401, PLC0415 - an extra
        except ImportError as error:
            raise UsageError(
                f"a lake needs pyiceberg: {error}",
                advice="Install it: pip install 'meta-audit[lake]'.",
            ) from error
        self.location = location
        self.catalog = catalog
        self._uri, self._warehouse = _places(location, catalog, make=make)
        self._is_folder = catalog is None
        self._tables: dict[str, Table] = {}
        """Tables that were read, which are read again only if others have changed them."""
        self._manifests: set[str] = set()
        """Those that could be read."""
        if make:
            self._catalog.create_namespace_if_not_exists(NAMESPACE)

    @cached_property
    def _catalog(self) -> Catalog:
        from pyiceberg.catalog import load_catalog  # noqa: PLC0415 - 0.3 s, not for `newest`

        # It takes what PyIceberg's configuration says of this name: credentials, an endpoint.
        return load_catalog(CATALOG, type="sql", uri=self._uri, warehouse=self._warehouse)

    def table(self, name: str) -> Table:
        """Return a table. Raises `NotFoundError` if the lake has none of that name."""
        from pyiceberg.exceptions import NoSuchTableError  # noqa: PLC0415

        known = self._tables.get(name)
        if known and known.metadata_location == self.metadata_locations().get(name):
            return known
        try:
            with reading(name, passing=NoSuchTableError):
                table = self._catalog.load_table((NAMESPACE, name))
        except NoSuchTableError as error:
            raise NotFoundError(
                f"there is no lake at {self.location}: it has no table {name}",
                advice="`meta-audit lake sync` makes one.",
            ) from error
        check_lists(table, self._manifests)
        self._tables[name] = table
        return table

    def newest(self, names: Sequence[str]) -> dict[str, Table]:
        """Return tables to read from. Raises `NotFoundError` if the lake lacks one."""
        from pyiceberg.table import StaticTable  # noqa: PLC0415

        found = self.metadata_locations()
        tables: dict[str, Table] = {}
        for name in names:
            if name in found:
                with reading(name):
                    tables[name] = StaticTable.from_metadata(found[name])
                check_lists(tables[name], self._manifests)
            else:
                tables[name] = self.table(name)
        return tables

    def metadata_locations(self) -> dict[str, str]:
        """Return where the metadata of the tables of a folder is, without importing SQLAlchemy."""
        if not self._is_folder:
            return {}
        file = Path(self._uri.removeprefix(_SQLITE)).as_uri()
        try:
            with closing(sqlite3.connect(f"{file}?mode=ro", uri=True)) as connection:
                return dict(connection.execute(_NEWEST, (CATALOG, NAMESPACE)))
        except sqlite3.Error:
            return {}  # SQLAlchemy says what is wrong

    def made(self, name: str, contract: int) -> Table:
        """Return a table; make it, or add the columns that it lacks."""
        try:
            table = self.table(name)
        except NotFoundError:
            self._tables[name] = table = (
                self._catalog.create_table_if_not_exists(  # another sync may make it now
                    (NAMESPACE, name),
                    arrow_schema(name),
                    properties=_PROPERTIES | _ONCE | {_CONTRACT: f"{contract}", _FORM: FORM},
                )
            )
        check_form(table)
        if not (_ONCE | {_CONTRACT: f"{contract}"}).items() <= table.properties.items():
            with table.transaction() as change:
                with change.update_schema() as update:
                    update.union_by_name(arrow_schema(name))
                change.set_properties(_ONCE | {_CONTRACT: f"{contract}"})
        return table

    def drop_old(self, keep: int) -> int:
        """Forget all but the newest snapshots of each table, and return how many."""
        check_form(self.table("entries"))
        dropped = 0
        for name in TABLES:
            table = self.table(name)
            old = sorted(table.snapshots(), key=lambda one: one.timestamp_ms)[:-keep]
            if old:
                table.maintenance.expire_snapshots().by_ids([o.snapshot_id for o in old]).commit()
            dropped += len(old)
        return dropped


def check_form(table: Table) -> None:
    """Refuse a table of another form. Raises `StoreError`."""
    form = table.properties.get(_FORM, "1")
    if form != FORM:
        raise StoreError(
            f"the lake was written by another version of meta-audit: {table.name()[-1]} has form "
            f"{form}, not {FORM}",
            advice="Sync the store anew, into another folder. `lake find` reads both.",
        )


def position(table: Table, store: str) -> int:
    """Return the number of entries of a store whose rows are all in the table."""
    return int(table.properties.get(_POSITION + store, "0"))


def stores(table: Table) -> dict[str, int]:
    """Return the stores that a table has rows of, and the number of their entries."""
    return {
        name.removeprefix(_POSITION): int(value)
        for name, value in table.properties.items()
        if name.startswith(_POSITION)
    }


@contextmanager
def committed(table: Table) -> Iterator[Transaction]:
    """Commit what this block changes, all or nothing. Raises `StoreError` if others were faster."""
    from pyiceberg.exceptions import CommitFailedException, ValidationException  # noqa: PLC0415

    try:
        with catch_warnings(), table.transaction() as change:
            simplefilter("ignore")  # that there was nothing to delete
            yield change
    except (CommitFailedException, ValidationException) as error:
        raise StoreError(
            f"another program changed {table.name()[-1]} of the lake meanwhile",
            advice="Run the same command again: it goes on from where the lake is.",
        ) from error


def put(
    table: Table,
    rows: pa.Table | None,
    store: str,
    reached: int,
    *,
    replacing: Sequence[int] | None = None,
    replace_all: bool = False,
    filling: Mapping[int, bytes] | None = None,
) -> None:
    """Add rows and the position that they reach in one commit: both, or neither.

    `replacing` are keys of jobs, ascending, whose older rows are deleted in the same commit; with
    `replace_all` all rows of the store are. `filling` are bytes of entries, written where a row
    has none yet. Raises `StoreError` if another sync was faster.
    """
    replaced: Iterable[tuple[FileScanTask, pa.Table]] = ()
    if filling:
        replaced = filled_files(table, store, filling)
    elif replace_all or replacing:
        replaced = replaced_files(table, store, None if replace_all else replacing)
    with committed(table) as change:
        write(change, table, [rows] if rows is not None and rows.num_rows else [], replaced)
        change.set_properties({_POSITION + store: f"{reached}"})


def _places(location: str, catalog: str | None, *, make: bool) -> tuple[str, str]:
    """Return the URI of the catalog, and that of the folder."""
    if "://" in location:
        if catalog is None:
            raise UsageError(
                f"{location} needs a catalog: a database that names the newest files",
                advice="Give --catalog, as sqlite:////srv/lake.db or postgresql+psycopg://…",
            )
        return catalog, location
    folder = Path(location).resolve()
    if make:
        if not folder.parent.is_dir():
            raise UsageError(f"there is no directory {folder.parent}", advice="Make it first.")
        folder.mkdir(exist_ok=True)
    elif not os.path.exists(folder / CATALOG_FILE) and catalog is None:
        raise NotFoundError(
            f"there is no lake at {location}", advice="`meta-audit lake sync` makes one."
        )
    return catalog or f"{_SQLITE}{folder / CATALOG_FILE}", folder.as_uri()
