"""From `--db` to an open store of the right schema."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from platformdirs import user_data_path

from meta_audit.errors import StoreError, UsageError
from meta_audit.schema import HEAD
from meta_audit.store import sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.store.engine import Bulk

ENVIRONMENT: Final = "META_AUDIT_DB"


@dataclass(frozen=True)
class Store:
    """An open store. `created` says that this call made it."""

    url: sa.URL
    engine: sa.Engine
    created: bool = False

    @property
    def shown(self) -> str:
        """The store's name for a person, without a password."""
        return self.url.database or "" if self.is_sqlite else self.url.render_as_string()

    @property
    def is_sqlite(self) -> bool:
        """Whether the engine is SQLite."""
        return self.url.get_backend_name() == "sqlite"

    def bulk(self) -> Bulk:
        """A connection to write through."""
        return sqlite.SqliteBulk(self.engine)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def locate(db: str | None) -> sa.URL:
    """The store that is meant: `--db`, else META_AUDIT_DB, else the default file.

    Raises `UsageError` for what is neither a path nor a URL of SQLite.
    """
    text = db or os.environ.get(ENVIRONMENT) or str(user_data_path("meta-audit") / "audit.db")
    if "://" not in text:
        return sa.URL.create("sqlite", database=str(Path(text).expanduser()))
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError as error:
        raise UsageError(
            f"not a database URL: {text}", advice="Use a path, or sqlite:///PATH."
        ) from error
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise UsageError(
            f"no such engine here: {url.drivername}", advice="Use a path, or sqlite:///PATH."
        )
    if not url.database or url.database == ":memory:":
        raise UsageError("a store needs a file", advice="Use a path, or sqlite:///PATH.")
    return url


def open_to_read(db: str | None) -> Store:
    """Open an existing store; nothing can be written through it.

    Raises `StoreError` where there is none, or its schema is not this program's.
    """
    url = locate(db)
    _must_exist(url)
    store = Store(url, sqlite.make_engine(url, read_only=True))
    _check(store)
    return store


def open_to_write(db: str | None) -> Store:
    """Open a store, making and migrating it where there is none.

    Raises `StoreError` where it cannot be, or its schema is not this program's.
    """
    url = locate(db)
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {path.parent}: {error.strerror}") from error
    store = Store(url, sqlite.make_engine(url, read_only=False))
    if not revision(store) and _is_empty(store):
        # New, or left behind by a process that died before it had made the tables.
        upgrade(store)
        store = replace(store, created=True)
    _check(store)
    return store


def open_to_upgrade(db: str | None) -> Store:
    """Open an existing store of this schema or an older one.

    Raises `StoreError` for a file of another program, or of a newer version of this one.
    """
    url = locate(db)
    _must_exist(url)
    store = Store(url, sqlite.make_engine(url, read_only=False))
    _check_ours(store, revision(store))
    return store


def upgrade(store: Store) -> None:
    """Bring a store to this program's schema; another process may do the same at once."""
    from meta_audit.schema import migrate  # noqa: PLC0415 - Alembic takes 200 ms to import

    with _connection(store) as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        migrate.upgrade(connection)
        connection.commit()


def revision(store: Store) -> str:
    """The schema revision of a store, empty where it has none."""
    with _connection(store) as connection:
        try:
            row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
        except sa.exc.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return ""
        return str(row[0]) if row else ""


def _is_empty(store: Store) -> bool:
    with _connection(store) as connection:
        return connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").first() is None


@contextmanager
def _connection(store: Store) -> Iterator[sa.Connection]:
    try:
        with store.engine.connect() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        raise StoreError(
            f"cannot use the store {store.shown}: {error.orig}",
            advice="Is it an SQLite file that you may read and write?",
        ) from error


def _must_exist(url: sa.URL) -> None:
    if not Path(url.database or "").is_file():
        raise StoreError(
            f"there is no store at {url.database}",
            advice="Make one with `meta-audit ingest`, or name another with --db or META_AUDIT_DB.",
        )


def _check(store: Store) -> None:
    found = revision(store)
    _check_ours(store, found)
    if found < HEAD:
        raise StoreError(
            f"the store {store.shown} has schema {found}; this program works with {HEAD}",
            advice=f"Run `meta-audit db upgrade --db {store.shown}`.",
        )


def _check_ours(store: Store, found: str) -> None:
    if not found:
        raise StoreError(f"{store.shown} is not a meta-audit store", advice="Name another file.")
    if found > HEAD:
        raise StoreError(
            f"the store {store.shown} has schema {found}, made by a newer meta-audit than this, "
            f"which works with {HEAD}",
            advice="Upgrade meta-audit: pip install --upgrade meta-audit.",
        )
