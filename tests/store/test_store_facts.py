"""Facts stay: triggers refuse every change of every table that holds them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meta_audit import cli
from meta_audit.schema.tables import FACT_TABLES, metadata
from meta_audit.store.opening import open_to_read
from tests.faults.documents import write_folder

EMPTY = {"compression_dictionaries", "checkpoints", "ledger_keys"}
"""Tables in which so small an import leaves no row."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A store with a row in almost every table."""
    work = tmp_path_factory.mktemp("facts")
    db = work / "audit.db"
    db.write_bytes(empty_store.read_bytes())
    folder = write_folder(work / "documents", 300, 7)
    assert cli.run(["ingest", str(folder), "--db", str(db)]) == 1
    assert cli.run(["rejections", "retry", "--coerce-scalars", "--db", str(db)]) == 1
    return db


@pytest.fixture
def connection(filled: Path) -> Iterator[sqlite3.Connection]:
    """A connection of any program that may write the file."""
    with closing(sqlite3.connect(filled, isolation_level=None)) as connection:
        yield connection


def test_every_table_but_the_comments_holds_facts() -> None:
    assert set(FACT_TABLES) == set(metadata.tables) - {"schema_comments"}


@pytest.mark.parametrize("table", FACT_TABLES)
def test_update_and_delete_are_refused(connection: sqlite3.Connection, table: str) -> None:
    rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    assert rows or table in EMPTY
    column = list(metadata.tables[table].columns)[-1].name
    for statement in (f'UPDATE {table} SET "{column}" = "{column}"', f"DELETE FROM {table}"):
        if rows:
            with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
                connection.execute(statement)
    assert connection.execute(f"SELECT * FROM {table}").fetchall() == rows


def test_a_reader_cannot_write(filled: Path) -> None:
    store = open_to_read(str(filled))
    with store.engine.connect() as reading:
        driver = reading.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        for statement in ("INSERT INTO imports VALUES (99, 0, '', '', '')", "DROP TABLE imports"):
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                driver.execute(statement)
        driver.execute("PRAGMA query_only = OFF")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            driver.execute("DROP TABLE imports")
    store.close()
