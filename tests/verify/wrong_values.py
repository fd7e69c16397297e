"""Wrong values in random cells: other types, NULL, huge numbers, bytes that are no UTF-8.

    python -m tests.verify.wrong_values --values 500 --seed 1 --engine postgresql

Whatever stands there, `verify` ends with a report that names damage, and never in another way.
"""

from __future__ import annotations

import argparse
import random
import re
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
import sqlalchemy as sa

from meta_audit.schema.tables import DATA_TABLES, metadata
from tests.engines import Server
from tests.store_factory import PostgresDatabases, SqliteFiles, StoreFactory
from tests.verify.lies_sqlite import STRICT
from tests.verify.schema_tampering import said
from tests.verify.stores import grow

SQLITE: Final = (
    None,
    2.5,
    1e300,
    float("inf"),
    2**63 - 1,
    -(2**63),
    10**12,
    -1,
    "",
    "x\0y",
    "9" * 400,
    b"",
    b"\xff\xfe",
    b"(\xb5/\xfd" + bytes(40),
)
"""Values for a cell of a table that is not strict."""
NOT_UTF8: Final = "CAST(x'61ff62' AS TEXT)"
POSTGRESQL: Final = {
    "BIGINT": ("NULL", "9223372036854775807", "(-9223372036854775808)", "1000000000000", "-1"),
    "INTEGER": ("NULL", "2147483647", "(-2147483648)", "1000000", "-1"),
    "TEXT": ("NULL", "''", "repeat('9', 400)", r"'\x61ff62'::bytea::text", r"'\xff'::bytea::text"),
    "BYTEA": ("NULL", "''::bytea", r"'\xff'::bytea", r"'\x28b52ffd00'::bytea"),
}
"""SQL of values by type of the column."""
RETYPED: Final = ("numeric", "double precision", "text", "varchar(40)")


class Wrong(NamedTuple):
    """A cell with a wrong value, and what verify said."""

    detail: str
    said: str


def write_wrong(factory: StoreFactory, db: str, values: int, seed: int) -> list[Wrong]:
    """Write so many wrong values, each into a copy of a store."""
    chance = random.Random(seed)
    base = factory.copy(db)
    change = _change_sqlite if isinstance(factory, SqliteFiles) else _change_postgresql
    done: list[Wrong] = []
    while len(done) < values:
        table = chance.choice(DATA_TABLES)
        column = chance.choice(list(metadata.tables[table].columns))
        target = factory.copy(base)
        try:
            detail = change(target, table, column, chance)
            if detail:
                done.append(Wrong(f"{table}.{column.name} {detail}", said(target)))
        finally:
            factory.drop(target)
    return done


def _change_sqlite(db: str, table: str, column: sa.Column[Any], chance: random.Random) -> str:
    """Write while the column has no type, and make the schema again as it was."""
    with closing(sqlite3.connect(db, isolation_level=None)) as driver:
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
        triggers = driver.execute(sql, (table,)).fetchall()
        ((kept,),) = driver.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,))
        pattern = rf'(\n\t"?{column.name}"?) (INTEGER|TEXT|BLOB) (NOT NULL)?'
        is_alias = column.primary_key and len(metadata.tables[table].primary_key.columns) == 1
        loose = kept if is_alias else re.sub(pattern, r"\1 ", kept, count=1)
        loose = re.sub(STRICT, "", loose, count=1)
        _rewrite(driver, table, loose)
        for name, _ in triggers:
            driver.execute(f"DROP TRIGGER {name}")
        ((count,),) = driver.execute(f"SELECT count(*) FROM {table}")
        if not count:
            return ""
        keys = ", ".join(f'"{c.name}"' for c in metadata.tables[table].primary_key.columns)
        row = f"(SELECT {keys} FROM {table} LIMIT 1 OFFSET {chance.randrange(count)})"
        value = chance.choice([*SQLITE, NOT_UTF8])
        said_ = value if value == NOT_UTF8 else "?"
        parameters = () if value == NOT_UTF8 else (value,)
        update = f'UPDATE {table} SET "{column.name}" = {said_} WHERE ({keys}) = {row}'
        old = f'SELECT "{column.name}" IS {said_} FROM {table} WHERE ({keys}) = {row}'
        try:
            ((same,),) = driver.execute(old, parameters)
            if same:
                return ""
            driver.execute(update, parameters)
        except (sqlite3.IntegrityError, sqlite3.OperationalError):  # a key, or a number of rows
            return ""
        for _, text in triggers:
            driver.execute(text)
        _rewrite(driver, table, kept)
    return repr(value)[:60]


def _rewrite(driver: sqlite3.Connection, table: str, sql: str) -> None:
    driver.execute("PRAGMA writable_schema = ON")
    driver.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, table))
    ((version,),) = driver.execute("PRAGMA schema_version")
    driver.execute(f"PRAGMA schema_version = {version + 1}")
    driver.execute("PRAGMA writable_schema = OFF")


def _change_postgresql(db: str, table: str, column: sa.Column[Any], chance: random.Random) -> str:
    """Write past constraints that are dropped, or give the whole column another type."""
    url = sa.make_url(db).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as driver:
        driver.execute("SET session_replication_role = 'replica'")
        driver.execute("CREATE CAST (bytea AS text) WITHOUT FUNCTION")
        name = f'"{column.name}"'
        try:
            if chance.random() < 0.25:
                kind = chance.choice(RETYPED)
                for (view,) in driver.execute(
                    "SELECT viewname FROM pg_views WHERE schemaname = 'public'"
                ).fetchall():
                    driver.execute(f"DROP VIEW {view}")
                driver.execute(
                    f"ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT, ALTER COLUMN {name}"
                    f" TYPE {kind} USING {name}::text::{kind}"
                )
                return kind
            value = chance.choice(POSTGRESQL[column.type.compile(driver_dialect()).split()[0]])
            if value == "NULL" and not column.primary_key:
                driver.execute(f"ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL")
            changed = driver.execute(
                f"UPDATE {table} SET {name} = {value} WHERE ctid = (SELECT ctid FROM {table}"
                f" WHERE {name} IS DISTINCT FROM {value}"
                f" OFFSET {chance.randrange(3)} LIMIT 1)"
            ).rowcount
        except psycopg.Error:
            return ""
        finally:
            driver.execute("DROP CAST (bytea AS text)")
    return value if changed else ""


def driver_dialect() -> Any:
    """The dialect in which types are named."""
    from sqlalchemy.dialects import postgresql

    return postgresql.dialect()


def main(arguments: list[str] | None = None) -> int:
    """Write wrong values, and say what was not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    options = parser.parse_args(arguments)
    server = Server() if options.engine == "postgresql" else None
    try:
        with tempfile.TemporaryDirectory() as name:
            factory: StoreFactory = PostgresDatabases(server) if server else SqliteFiles(Path(name))
            db = grow(factory, Path(name), seed=options.seed).db
            done = write_wrong(factory, db, options.values, options.seed)
    finally:
        if server:
            server.stop()
    missed = [wrong for wrong in done if wrong.said != "damaged"]
    for wrong in missed:
        print("NOT CAUGHT:", wrong.detail, "->", wrong.said)
    print(f"{len(done)} wrong values in {options.engine}, {len(missed)} not caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
