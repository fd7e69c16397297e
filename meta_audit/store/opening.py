"""From `--db` to an open store of the right schema."""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from platformdirs import user_data_path

from meta_audit.errors import StoreError, TransientStoreError, UsageError
from meta_audit.schema import HEAD
from meta_audit.store.retry import patience, patiently
from meta_audit.store.sqlite import connect as sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from meta_audit.store.engine import Bulk, Engine

ENVIRONMENT: Final = "META_AUDIT_DB"
SECRETS: Final = ("password", "sslpassword")
"""What of a URL's query is not shown."""
FORMS: Final = "Use a path, sqlite:///PATH, or postgresql://USER@HOST/DATABASE."
REACH_SECONDS: Final = 30.0
"""How long a server is waited for that has not answered yet, and by readers; else longer."""
DRIVERS: Final = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
"""What stands before :// in a URL: engine and driver."""
_HOSTS: Final = re.compile(
    r"(?P<begin>postgres[^/]*://([^@/?]*@)?)(?P<hosts>[^@/?]+,[^@/?]*)(?P<end>.*)"
)
_HOST: Final = re.compile(r"(?P<host>\[[^]]*]|[^:]*)(:(?P<port>\d*))?")

# What fails while something that failed is cleaned up, as after Ctrl-C, is not for a user.
logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Store:
    """An open store. `created` says that this call made it."""

    url: sa.URL
    engine: sa.Engine
    created: bool = False
    _bulks: list[Bulk] = field(default_factory=list, repr=False, compare=False)

    @property
    def shown(self) -> str:
        """The store's name for a person, without a password."""
        return shown(self.url)

    @property
    def is_sqlite(self) -> bool:
        """Whether the engine is SQLite."""
        return is_sqlite(self.url)

    def bulk(self) -> Bulk:
        """A connection to write through."""
        bulk = _engine(self.url).make_bulk(self.engine)
        self._bulks.append(bulk)
        return bulk

    def connected(self) -> AbstractContextManager[sa.Connection]:
        """A connection; errors of the driver within are raised as `StoreError`."""
        return _connection(self)

    @property
    def driver_error(self) -> type[Exception]:
        """Base of the driver's errors."""
        return self.engine.dialect.loaded_dbapi.Error

    def failed(self, error: Exception) -> StoreError:
        """What a person shall see of an error of the driver."""
        orig = error.orig if isinstance(error, sa.exc.DBAPIError) else None
        engine, cause = _engine(self.url), orig or error
        text = " ".join(str(cause).split())
        kind = TransientStoreError if engine.is_transient(cause) else StoreError
        return kind(f"the store {self.shown} failed: {text}", advice=engine.advice(cause))

    def close(self) -> None:
        """Close every connection."""
        for bulk in self._bulks:
            bulk.close()
        self.engine.dispose()


def is_sqlite(url: sa.URL) -> bool:
    """Whether the engine is SQLite."""
    return url.get_backend_name() == "sqlite"


def shown(url: sa.URL) -> str:
    """A store's name for a person, without a password."""
    if is_sqlite(url):
        return url.database or ""
    return url.difference_update_query(SECRETS).render_as_string()


def locate(db: str | None) -> sa.URL:
    """The store that is meant: `--db`, else META_AUDIT_DB, else the default file.

    Raises `UsageError` for what is neither a path nor a URL of SQLite or PostgreSQL.
    """
    text = db or os.environ.get(ENVIRONMENT) or str(user_data_path("meta-audit") / "audit.db")
    if "://" not in text:
        return sa.URL.create("sqlite", database=str(Path(text).expanduser()))
    try:
        url = _make_url(text)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise UsageError("--db is not a database URL", advice=FORMS) from error
    if url.drivername not in DRIVERS:
        raise UsageError(f"no such engine here: {url.drivername}", advice=FORMS)
    url = url.set(drivername=DRIVERS[url.drivername])
    if is_sqlite(url) and url.database in (None, "", ":memory:"):
        raise UsageError("a store needs a file", advice=FORMS)
    return url


def _make_url(text: str) -> sa.URL:
    """A URL; several hosts may stand in it as libpq takes them, `//a:5432,b:5432/`, or as `host=`.

    Raises `ValueError`, and `ArgumentError` of SQLAlchemy.
    """
    several = _HOSTS.match(text)
    url = sa.make_url(several["begin"] + several["end"] if several else text)
    given = several["hosts"] if several else url.query.get("host", ())
    hosts = given.split(",") if isinstance(given, str) else list(given)
    if url.get_backend_name() == "sqlite" or len(hosts) < 2 or "port" in url.query:
        return url
    pairs = [_HOST.fullmatch(host) for host in hosts]
    joined = {
        part: ",".join(str(pair[part] or "").strip("[]") for pair in pairs if pair)
        for part in ("host", "port")
    }
    return url.update_query_dict(joined)


def open_to_read(db: str | None) -> Store:
    """Open an existing store; nothing can be written through it.

    Raises `StoreError` where there is none, or its schema is not this program's.
    """
    url = locate(db)
    _must_exist(url)
    store = Store(url, _engine(url).make_engine(url, read_only=True))
    with _closed_on_error(store):
        _reach(store)
        patiently(lambda: _check(store))
    return store


def open_to_write(db: str | None, *, allow_unsafe_server: bool = False) -> Store:
    """Open a store, making and migrating it where there is none.

    Raises `StoreError` where it cannot be, or its schema is not this program's, or the server
    may lose what it has committed and that is not allowed.
    """
    url = locate(db)
    if is_sqlite(url):
        path = Path(url.database or "")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make {path.parent}: {error.strerror}",
                advice="Mend that, or name another store with --db.",
            ) from error
    engine = _engine(url)
    store = Store(url, engine.make_engine(url, read_only=False))

    def prepare() -> bool:
        with _connection(store) as connection:
            if not allow_unsafe_server:
                engine.must_be_safe(connection)
            is_new = engine.is_empty(connection)
        if is_new:
            # Or left behind by a process that died before it had made the tables.
            upgrade(store)
        _check(store)
        return is_new

    with _closed_on_error(store):
        _reach(store)
        return replace(store, created=patiently(prepare))


def open_to_upgrade(db: str | None) -> Store:
    """Open an existing store of this schema or an older one.

    Raises `StoreError` for a store of another program, or of a newer version of this one.
    """
    url = locate(db)
    _must_exist(url)
    store = Store(url, _engine(url).make_engine(url, read_only=False))
    with _closed_on_error(store):
        _reach(store)
        _check_ours(store, revision(store))
    return store


def upgrade(store: Store) -> None:
    """Bring a store to this program's schema; another process may do the same at once."""
    from meta_audit.schema import migrate  # noqa: PLC0415 - Alembic takes 200 ms to import

    with _connection(store) as connection:
        _engine(store.url).begin_upgrade(connection)
        migrate.upgrade(connection)
        connection.commit()


def revision(store: Store) -> str:
    """The schema revision of a store, empty where it has none."""
    with _connection(store) as connection:
        if not _engine(store.url).has_revision(connection):
            return ""
        row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
        return str(row[0]) if row else ""


def _engine(url: sa.URL) -> Engine:
    if is_sqlite(url):
        return sqlite
    try:
        from meta_audit.store.postgresql import connect as postgresql  # noqa: PLC0415 - optional, and slow to import
    except ImportError as error:
        raise StoreError(
            f"PostgreSQL needs psycopg: {error}",
            advice="Install it: pip install 'meta-audit[postgresql]'.",
        ) from error
    return postgresql


@contextmanager
def _connection(store: Store) -> Iterator[sa.Connection]:
    try:
        with store.engine.connect() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        raise store.failed(error) from error


def _reach(store: Store) -> None:
    def connect() -> None:
        with _connection(store):
            pass

    with patience(REACH_SECONDS):
        patiently(connect)


@contextmanager
def _closed_on_error(store: Store) -> Iterator[None]:
    try:
        yield
    except BaseException:
        store.close()
        raise


def _must_exist(url: sa.URL) -> None:
    if is_sqlite(url) and not Path(url.database or "").is_file():
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
        raise StoreError(
            f"{store.shown} is not a meta-audit store",
            advice="Make one with `meta-audit ingest`, in a new file, database or schema.",
        )
    if found > HEAD:
        raise StoreError(
            f"the store {store.shown} has schema {found}, made by a newer meta-audit than this, "
            f"which works with {HEAD}",
            advice="Upgrade meta-audit: pip install --upgrade meta-audit.",
        )
