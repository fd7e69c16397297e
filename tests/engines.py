"""Make stores for tests, in SQLite files and on a real PostgreSQL server.

The server (tests/clusters.py) starts when a test first asks for it;
META_AUDIT_TEST_POSTGRES_URL names another one, whose user is a superuser.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import sqlalchemy as sa

from meta_audit.schema.tables import DATA_TABLES
from meta_audit.store.opening import open_to_write
from tests.clusters import Cluster

ENVIRONMENT: Final = "META_AUDIT_TEST_POSTGRES_URL"
SETTINGS: Final = {"autovacuum": "off"}
"""Only tests empty stores; a plan from statistics of an emptied one may take minutes."""
CLEANED: Final = 25
"""A store is vacuumed whenever it was emptied so often."""
_NUMBERS: Final = itertools.count(1)
_TEMPLATE: Final = f"meta_audit_{os.getpid()}_empty"


class Server:
    """A PostgreSQL server: a temporary one of this process, or the one that is named."""

    def __init__(self, settings: dict[str, str] | None = None, where: str | None = None) -> None:
        given = os.environ.get(ENVIRONMENT)
        self._local = None if given else Cluster(SETTINGS | (settings or {}), where=where)
        self._url = self._local.url() if self._local else sa.make_url(given or "")
        self._made: list[str] = []
        self._shared: dict[int, str] = {}
        self._cleaned: Counter[int] = Counter()

    @property
    def is_local(self) -> bool:
        """Return whether this process owns the server, and may stop it."""
        return self._local is not None

    @property
    def pid(self) -> int:
        """Return the process ID of the local server."""
        if self._local is None:
            raise ValueError(f"{ENVIRONMENT} names a server that is not this process's own")
        return self._local.pid

    def url(self, database: str, user: str | None = None) -> str:
        """Return a URL as `--db` takes it."""
        url = self._url.set(drivername="postgresql+psycopg", database=database)
        url = url.set(username=user) if user else url
        return url.render_as_string(hide_password=False).replace(":@", "@")

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Connect as the owner; every statement is a transaction."""
        url = sa.make_url(self.url(database)).set(drivername="postgresql")
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)

    def create(self, template: str = "template0") -> str:
        """Make a database; return its name."""
        name = f"meta_audit_{os.getpid()}_{next(_NUMBERS)}"
        self._create(name, template)
        return name

    def create_store(self) -> str:
        """Make a database with an empty store; return its name."""
        if _TEMPLATE not in self._made:
            self._create(_TEMPLATE, "template0")
            open_to_write(self.url(_TEMPLATE)).close()
        return self.create(_TEMPLATE)

    def clean_store(self, which: int = 0) -> str:
        """Empty a store, which is faster than making one; return its URL."""
        if which not in self._shared:
            self._shared[which] = self.create_store()
        shared = self._shared[which]
        deletions = "; ".join(f"DELETE FROM {table}" for table in DATA_TABLES)
        with self.connect(shared) as connection:
            connection.execute(f"SET session_replication_role = 'replica'; {deletions}")
            self._cleaned[which] += 1
            if self._cleaned[which] % CLEANED == 0:
                connection.execute("VACUUM")
        return self.url(shared)

    def _create(self, name: str, template: str) -> None:
        with self.connect() as connection:
            made = f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'"
            connection.execute(f"{made} STRATEGY file_copy")  # half the time of copying by WAL
        self._made.append(name)

    def drop(self, name: str) -> None:
        """Remove a database even if someone is connected to it."""
        self._made.remove(name)
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def restart(self, mode: str = "immediate", pause: float = 0.0) -> None:
        """Stop the server, at once as in a crash, and start it again."""
        if self._local:
            self._local.restart(mode, pause)

    def stop(self) -> None:
        """Remove the server, or the databases made on it."""
        if self._local:
            self._local.remove()
            return
        for name in self._made.copy():
            self.drop(name)


def driver_of(db: str | Path) -> Any:
    """Connect to a store by its driver alone, which takes a quarter of the time; autocommit."""
    if "://" not in str(db):
        return sqlite3.connect(db, isolation_level=None)
    url = sa.make_url(str(db)).set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


@contextmanager
def tampering(db: str) -> Iterator[sa.Connection]:
    """Connect without triggers, and commit at the end."""
    store = open_to_write(db)
    with store.engine.connect() as connection:
        triggers: list[Any] = []
        if store.file:
            sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid"
            triggers += connection.exec_driver_sql(sql)
            for name, _ in triggers:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("SET session_replication_role = 'replica'")
        yield connection
        for _, sql in triggers:
            connection.exec_driver_sql(sql)
        connection.commit()
    store.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Start the PostgreSQL server of this session."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def postgres_own_url(postgres: Server) -> Iterator[str]:
    """Make an empty PostgreSQL store that a test may break."""
    name = postgres.create_store()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    """Empty a PostgreSQL store; a test may not change its schema or settings."""
    return postgres.clean_store()


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty SQLite store once; tests copy it, which is faster."""
    path = tmp_path_factory.mktemp("empty-sqlite") / "audit.db"
    open_to_write(str(path)).close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def new_db(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Return a function that makes an empty store on each engine.

    On PostgreSQL it empties the same store each time.
    """
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        return server.clean_store
    empty = request.getfixturevalue("empty_sqlite")

    def copy() -> str:
        path = tmp_path_factory.mktemp("store") / "audit.db"
        shutil.copy(empty, path)
        return str(path)

    return copy


@pytest.fixture
def db_url(new_db: Callable[[], str]) -> str:
    """Make an empty store on each engine; return it as `--db` takes it."""
    return new_db()
