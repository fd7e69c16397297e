"""Read lakes, change them behind their backs, and compare them with stores."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from meta_audit.lake.catalog import Lake, stores
from meta_audit.lake.rebuilt import RangeRows
from meta_audit.lake.store_rows import StoreRows
from meta_audit.lake.sync import Sync, Synced
from meta_audit.lake.tables import OF_JOBS, STORE, TABLES, UNSIGNED, WHOLE, columns
from meta_audit.lake.verify import LakeReport, verify_lake
from meta_audit.ledger.entry import Entry, decode_entry
from meta_audit.store.location import locate
from meta_audit.store.opening import open_to_read

Rows = list[tuple[Any, ...]]


def sync(db: str | Path, lake: Path, *, step: int = 120) -> Synced:
    """Sync a store in small steps."""
    with closing(open_to_read(str(db))) as store:
        opened = Lake(str(lake), None, make=True)
        return store.read(lambda session: Sync(session, opened, lambda *_: None, step=step).run())


def verify(lake: Path) -> LakeReport:
    return verify_lake(Lake(str(lake), None, make=False), (), lambda *_: None)


def rows(lake: Path, table: str, *, store: str = "") -> Rows:
    """Return the rows of a table in order, without the store."""
    found = Lake(str(lake), None, make=False).table(table).scan().to_arrow()
    names = [name for name in found.column_names if name != STORE]
    listed = found.to_pylist()
    kept = [row for row in listed if not store or row[STORE] == store]
    return sorted((tuple(row[name] for name in names) for row in kept), key=repr)


def entries(lake: Path) -> dict[int, Entry]:
    """Return the entries of the one store of a lake, those too that only its other tables tell."""
    opened = Lake(str(lake), None, make=False)
    ((store, count),) = stores(opened.table("entries")).items()
    rows = RangeRows(StoreRows(opened, store), 0, count)
    found = {}
    for row in rows.entries:
        content = row["entry"]
        entry = rows.rebuilt(row) if content is None else decode_entry(content)
        assert entry is not None
        found[row["entry_index"]] = entry
    return found


def all_rows(lake: Path, *, store: str = "") -> dict[str, Rows]:
    return {table: rows(lake, table, store=store) for table in TABLES}


def of_store(db: str | Path) -> dict[str, Rows]:
    """Return the rows of the views of a store, as a lake has them."""
    engine = sa.create_engine(locate(str(db)))
    found = {}
    with engine.connect() as connection:
        for view in (*OF_JOBS, *WHOLE):
            names = ", ".join(f'"{name}"' for name, _ in columns(view))
            types = [type_ for _, type_ in columns(view)]
            listed = connection.exec_driver_sql(f"SELECT {names} FROM {view}").fetchall()
            found[view] = sorted(
                (tuple(map(_as_file, row, types)) for row in map(tuple, listed)), key=repr
            )
    engine.dispose()
    return found


def _as_file(value: Any, type_: str) -> Any:
    if value is None:
        return None
    if type_ == "time":
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value[:26])
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    if type_ == "json" and not isinstance(value, str):
        import json

        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return value


def data_files(lake: Path) -> list[Path]:
    """Return the files that the newest snapshots name and that a verification reads."""
    opened = Lake(str(lake), None, make=False)
    return [
        Path(unquote(urlparse(task.file.file_path).path))
        for table in TABLES
        if table not in UNSIGNED
        for task in opened.table(table).scan().plan_files()
    ]


@contextmanager
def mutated(file: Path, chance: random.Random) -> Iterator[str]:
    """Change one thing in a Parquet file, and undo it; yield what was done."""
    before = file.read_bytes()
    table = pq.read_table(file)
    number = chance.randrange(table.num_rows)
    kind = chance.choice(("edit", "edit", "edit", "delete", "repeat"))
    if kind == "delete":
        changed = pa.concat_tables([table.slice(0, number), table.slice(number + 1)])
    elif kind == "repeat":
        changed = pa.concat_tables([table, table.slice(number, 1)])
    else:
        names = [n for n in table.column_names if _is_checked(file, n)]
        name = chance.choice(names)
        at = table.column_names.index(name)
        values = table.column(name).to_pylist()
        values[number] = _other(values[number], table.schema.field(name).type)
        column = pa.array(values, table.schema.field(name).type)
        changed = table.set_column(at, table.schema.field(name), column)
        kind = f"edit {name}"
    pq.write_table(changed, file, compression="zstd")
    try:
        yield f"{file.parent.parent.name}: {kind}, row {number}"
    finally:
        file.write_bytes(before)


HARMS: Final = ("gone", "empty", "cut", "noise", "bit")


@contextmanager
def harmed(file: Path, harm: str, chance: random.Random) -> Iterator[None]:
    """Do something to a file that leaves no row where it was, and undo it."""
    before = file.read_bytes()
    changed = {
        "empty": b"",
        "cut": before[: chance.randrange(len(before))],
        "noise": chance.randbytes(len(before)),
        "bit": _with_other_bit(before, chance),
    }
    file.unlink() if harm == "gone" else file.write_bytes(changed[harm])
    try:
        yield
    finally:
        file.write_bytes(before)


def _with_other_bit(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def files_of_iceberg(lake: Path, table: str) -> list[Path]:
    """Return the files that lead to the rows of a table: metadata, lists of files, data."""
    found = Lake(str(lake), None, make=False).table(table)
    snapshot = found.current_snapshot()
    locations = [found.metadata_location]
    if snapshot is not None:
        locations += [snapshot.manifest_list]
        locations += [one.manifest_path for one in snapshot.manifests(found.io)]
        locations += [task.file.file_path for task in found.scan().plan_files()]
    return [Path(unquote(urlparse(location).path)) for location in locations]


NOT_HELD: Final = {
    "v_observations": {"import_id", "actor", "observed_at", "observed_ns"},
    "v_jobs": {"first_seen", "last_seen", "first_import", "last_import", "versions"},
    "v_rejections": {"import_id", "resolved_by", "dismissed_by", "dismissed_because"},
    "v_readings": {"import_id", "tool_version", "read_at", "read_ns"},
}
"""Columns that say when and by whom something was taken in: no entry holds them."""


def _is_checked(file: Path, column: str) -> bool:
    return column not in NOT_HELD.get(file.parent.parent.name, ())


def _other(value: Any, type_: pa.DataType) -> Any:
    if value is None:
        return {"string": "x", "int64": 7, "binary": b"x"}.get(str(type_).removeprefix("large_"))
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1]) if value else b"x"
    if isinstance(value, datetime):
        return value + timedelta(seconds=1)
    return value + 1 if isinstance(value, int) else f"{value}x"


def named_files(lake: Path) -> set[str]:
    """Return the files of all tables that the newest snapshots name."""
    opened = Lake(str(lake), None, make=False)
    return {
        task.file.file_path for name in TABLES for task in opened.table(name).scan().plan_files()
    }
