"""Facts stay: triggers refuse every change of every table that holds them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
import sqlalchemy as sa

from meta_audit import cli
from meta_audit.schema.tables import FACT_TABLES, metadata
from meta_audit.store.opening import open_to_read, open_to_write
from tests.faults.documents import write_folder
from tests.ingest.again import another_parser, dismiss, renamed, reread
from tests.store_factory import StoreFactory, ask

EMPTY = {"compression_dictionaries", "checkpoints", "ledger_keys"}
"""Tables in which so small an import leaves no row."""


@pytest.fixture(scope="module")
def filled(factory: StoreFactory, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a row in almost every table."""
    db = factory.new()
    folder = write_folder(tmp_path_factory.mktemp("facts") / "documents", 300, 7)
    assert cli.run(["ingest", str(folder), "--db", db]) == 1
    assert cli.run(["rejections", "retry", "--coerce-scalars", "--db", db]) == 0
    number = folder / "numbered.json"
    number.write_text('{"ID": "j-n", "Meta": {"number": "2"}, "Tasks": [{"Name": "t"}]}')
    with another_parser(renamed):
        assert cli.run(["ingest", str(number), "--db", db]) == 0
    assert reread(db).counts.changed == 1
    with closing(open_to_read(db)) as store:
        sql = "SELECT max(rejection_id) FROM v_rejections WHERE resolved_by IS NULL"
        last = store.read(lambda session: session.value(sql))
        sql = "SELECT max(value) FROM identities"
        somebody = str(store.read(lambda session: session.value(sql)))
    dismiss(db, last)
    ask(db, "trace")
    assert cli.run(["alias", "add", "--db", db, somebody, "Team"]) == 0
    return db


@pytest.fixture
def connection(filled: str) -> Iterator[sa.Connection]:
    """A connection of anyone who may write, on PostgreSQL the superuser."""
    store = open_to_write(filled)
    with store.engine.connect() as connection:
        yield connection
    store.close()


def test_every_other_table_holds_facts() -> None:
    others = {"schema_comments", "writer_lock", "current_jobs", "contract"}
    assert set(FACT_TABLES) == set(metadata.tables) - others


@pytest.mark.parametrize("table", FACT_TABLES)
def test_changes_are_refused(connection: sa.Connection, table: str) -> None:
    rows = connection.exec_driver_sql(f"SELECT * FROM {table}").fetchall()
    assert rows or table in EMPTY
    column = list(metadata.tables[table].columns)[-1].name
    statements = [f'UPDATE {table} SET "{column}" = "{column}"', f"DELETE FROM {table}"]
    if connection.dialect.name == "postgresql":
        statements.append(f"TRUNCATE {table} CASCADE")
    for statement in statements:
        if rows:
            with pytest.raises(sa.exc.DBAPIError, match="is append-only"):
                connection.exec_driver_sql(statement)
            connection.rollback()
    assert connection.exec_driver_sql(f"SELECT * FROM {table}").fetchall() == rows


def test_a_reader_cannot_write(filled: str) -> None:
    store = open_to_read(filled)
    with store.engine.connect() as reading:
        driver = reading.connection.driver_connection
        errors = (sqlite3.OperationalError, psycopg.errors.ReadOnlySqlTransaction)
        for statement in (
            "INSERT INTO imports VALUES (99, 0, '', '', '')",
            "DROP TABLE imports",
            "DELETE FROM meta_audit_version",
        ):
            with pytest.raises(errors, match=r"readonly|read-only"):
                driver.execute(statement)  # type: ignore[union-attr]
        if isinstance(driver, sqlite3.Connection):
            driver.execute("PRAGMA query_only = OFF")
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                driver.execute("DROP TABLE imports")
    store.close()
