"""Stores that are copied and tampered with, the same way on each engine."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg
import pytest
import sqlalchemy as sa

from meta_audit.schema.tables import FACT_TABLES
from tests.engines import Server

INTEGRITY: Final = (sqlite3.IntegrityError, psycopg.errors.IntegrityError)
"""What the engines raise of a row that cannot be."""


class Shelf(Protocol):
    """Where stores are kept. Each is named as `--db` takes it."""

    def new(self) -> str:
        """Name a store that is not there yet."""

    def copy(self, db: str, target: str = "") -> str:
        """Copy a store that nobody is writing to, whole, in the place of another or of none."""

    def keep(self, db: str) -> None:
        """Make it quick to undo a change in a copy of this store."""

    def undo(self, kept: str, copy: str, table: str) -> None:
        """Undo what was done to one table of a copy."""

    def drop(self, db: str) -> None:
        """Remove a store."""


class Files:
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

    def keep(self, db: str) -> None:
        with closing(sqlite3.connect(db)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")

    def undo(self, kept: str, copy: str, table: str) -> None:
        self.copy(kept, copy)

    def drop(self, db: str) -> None:
        for path in (db, f"{db}-wal", f"{db}-shm"):
            if db:
                Path(path).unlink(missing_ok=True)


class Databases:
    """Databases of a PostgreSQL server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def new(self) -> str:
        return self._server.url(self._server.create())

    def copy(self, db: str, target: str = "") -> str:
        if target:
            self.drop(target)
        return self._server.url(self._server.create(database(db)))

    def keep(self, db: str) -> None:
        with administrator(db) as one:
            one.run("CREATE SCHEMA kept")
            for table in FACT_TABLES:
                one.run(f"CREATE TABLE kept.{table} AS TABLE {table}")

    def undo(self, kept: str, copy: str, table: str) -> None:
        with administrator(copy) as one, one.transaction():
            one.run(f"DELETE FROM {table}")
            one.run(f"INSERT INTO {table} SELECT * FROM kept.{table}")

    def drop(self, db: str) -> None:
        self._server.drop(database(db))


def database(db: str) -> str:
    """Name of the database that a URL is of."""
    return sa.make_url(db).database or ""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shelf(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shelf]:
    """A shelf of each engine; what is on it goes with the module or with the server."""
    if request.param == "sqlite":
        yield Files(tmp_path_factory.mktemp("shelf"))
    else:
        yield Databases(request.getfixturevalue("postgres"))


class Administrator:
    """A connection that can do everything, round the triggers. Parameters are written `?`."""

    def __init__(self, db: str) -> None:
        self._driver: Any
        self.is_sqlite = "://" not in db
        if self.is_sqlite:
            self._driver = sqlite3.connect(db, isolation_level=None)
            self.run("PRAGMA foreign_keys = OFF")
            self.run("PRAGMA synchronous = OFF")
            triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid"
            self._triggers = self.run(triggers)
            for name, _ in self._triggers:
                self.run(f"DROP TRIGGER {name}")
        else:
            url = sa.make_url(db).set(drivername="postgresql")
            said = url.render_as_string(hide_password=False)
            self._driver = psycopg.connect(said, autocommit=True)
            self.run("SET session_replication_role = 'replica'")
            self.run("SET synchronous_commit = off")

    def run(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement; its rows."""
        if self.is_sqlite:
            return list(self._driver.execute(sql, parameters).fetchall())
        cursor = self._driver.execute(sql.replace("?", "%s"), parameters or None)
        return cursor.fetchall() if cursor.description else []

    def changed(self, sql: str, *parameters: Any) -> int:
        """Run a statement; how many rows it changed."""
        sql = sql if self.is_sqlite else sql.replace("?", "%s")
        arguments: Sequence[Any] = parameters
        return int(self._driver.execute(sql, arguments).rowcount)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All within, or nothing."""
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
            for _, sql in self._triggers:
                with suppress(sqlite3.OperationalError):  # its table was dropped
                    self.run(sql)
        self._driver.close()


@contextmanager
def administrator(db: str | Path) -> Iterator[Administrator]:
    """Somebody who can do everything."""
    with closing(Administrator(str(db))) as one:
        yield one
