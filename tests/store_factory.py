"""Make, copy and tamper with stores, the same way on each engine."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg
import pytest
import sqlalchemy as sa

from meta_audit.schema.tables import DATA_TABLES, columns
from meta_audit.store.opening import open_to_write
from meta_audit.store.session import row
from tests.engines import Server, driver_of

REFUSED: Final = (
    sqlite3.IntegrityError,
    psycopg.errors.IntegrityError,
    psycopg.errors.NumericValueOutOfRange,
)
"""Errors that the drivers raise for a row that breaks a constraint, or a value too large."""


class StoreFactory(Protocol):
    """Makes stores of one engine. Each is named as `--db` takes it."""

    def new(self) -> str:
        """Return the name of a store that does not exist yet."""

    def copy(self, db: str, target: str = "") -> str:
        """Copy a store that nobody writes to; replace `target` if it is given."""

    def snapshot(self, db: str) -> None:
        """Prepare a store so that a table of a copy can be restored quickly."""

    def restore(self, original: str, copy: str, table: str) -> None:
        """Give one table of a copy its original rows again."""

    def drop(self, db: str) -> None:
        """Remove a store."""


class SqliteFiles:
    """SQLite files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, itertools.count(1)

    def new(self) -> str:
        return str(self._folder / f"{next(self._numbers)}.db")

    def copy(self, db: str, target: str = "") -> str:
        with closing(sqlite3.connect(db)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.drop(target)
        return str(shutil.copy(db, target or self.new()))

    def snapshot(self, db: str) -> None:
        with closing(sqlite3.connect(db)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")

    def restore(self, original: str, copy: str, table: str) -> None:
        self.copy(original, copy)

    def drop(self, db: str) -> None:
        for path in (db, f"{db}-wal", f"{db}-shm"):
            if db:
                Path(path).unlink(missing_ok=True)


class PostgresDatabases:
    """PostgresDatabases of a PostgreSQL server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def new(self) -> str:
        return self._server.url(self._server.create())

    def copy(self, db: str, target: str = "") -> str:
        if target:
            self.drop(target)
        return self._server.url(self._server.create(database(db)))

    def snapshot(self, db: str) -> None:
        with administrator(db) as one:
            one.run("CREATE SCHEMA snapshot")
            for table in DATA_TABLES:
                one.run(f"CREATE TABLE snapshot.{table} AS TABLE {table}")

    def restore(self, original: str, copy: str, table: str) -> None:
        with administrator(copy) as one, one.transaction():
            one.run(f"DELETE FROM {table}")
            one.run(f"INSERT INTO {table} SELECT * FROM snapshot.{table}")

    def drop(self, db: str) -> None:
        self._server.drop(database(db))


def database(db: str) -> str:
    """Return the name of the database in a URL."""
    return sa.make_url(db).database or ""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def factory(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoreFactory]:
    """Make stores on each engine."""
    if request.param == "sqlite":
        yield SqliteFiles(tmp_path_factory.mktemp("factory"))
    else:
        yield PostgresDatabases(request.getfixturevalue("postgres"))


def ask(db: str | Path, *commands: str) -> None:
    """Log questions in a store of either engine, as a copy of one on PostgreSQL has them."""
    with closing(open_to_write(str(db))) as store, closing(store.session()) as session:
        for command in commands:
            last = session.value("SELECT max(question_no) FROM questions")
            values = row((last or 0) + 1, last, 1, "alice", "ana@audit", command, '["j-1"]')
            session.transaction(partial(session.insert, "questions", columns("questions"), values))


class Administrator:
    """Connection of a superuser whom no trigger stops. Write parameters as `?`."""

    def __init__(self, db: str) -> None:
        self._driver = driver_of(db)
        self.is_sqlite = "://" not in db
        if self.is_sqlite:
            self.run("PRAGMA foreign_keys = OFF")
            self.run("PRAGMA synchronous = OFF")
            triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid"
            self._triggers = self.run(triggers)
            with self.transaction():
                for name, _ in self._triggers:
                    self.run(f"DROP TRIGGER {name}")
        else:
            self.run("SET session_replication_role = 'replica'")
            self.run("SET synchronous_commit = off")

    def run(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        if self.is_sqlite:
            return list(self._driver.execute(sql, parameters).fetchall())
        cursor = self._driver.execute(sql.replace("?", "%s"), parameters or None)
        return cursor.fetchall() if cursor.description else []

    def changed(self, sql: str, *parameters: Any) -> int:
        """Run a statement and return the number of rows that it changed."""
        sql = sql if self.is_sqlite else sql.replace("?", "%s")
        arguments: Sequence[Any] = parameters
        return int(self._driver.execute(sql, arguments).rowcount)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything in this block, or nothing."""
        self.run("BEGIN")
        try:
            yield
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    def close(self) -> None:
        """End the connection; the schema is as it was."""
        if self.is_sqlite:
            with self.transaction():
                for _, sql in self._triggers:
                    with suppress(sqlite3.OperationalError):  # its table was dropped
                        self.run(sql)
        self._driver.close()


@contextmanager
def administrator(db: str | Path) -> Iterator[Administrator]:
    """Open a superuser's connection and close it at the end."""
    with closing(Administrator(str(db))) as one:
        yield one
