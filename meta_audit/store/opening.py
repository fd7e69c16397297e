"""Open a store and check its schema; make or upgrade it."""

from __future__ import annotations

import logging
import re
import shlex
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import sqlalchemy as sa

from meta_audit.errors import DamagedStoreError, StoreError
from meta_audit.schema import HEAD, MARKS, OLD_VERSION_TABLE, VERSION_TABLE
from meta_audit.store.location import is_sqlite, locate, shown
from meta_audit.store.retry import Retry
from meta_audit.store.sqlite import backend as sqlite
from meta_audit.store.sqlite.making import make_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meta_audit.store.backend import Backend
    from meta_audit.store.session import Session

_Result = TypeVar("_Result")
_REVISION: Final = re.compile(r"[0-9]{4}")

# Hide errors from cleanup after a failure.
logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Store:
    """Hold an open store and its connections."""

    url: sa.URL
    engine: sa.Engine
    backend: Backend
    retry: Retry
    read_only: bool
    created: bool = False
    """True if this call made it."""
    _sessions: list[Session] = field(default_factory=list, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Return the store's name for a person, without a password."""
        return shown(self.url)

    @property
    def location(self) -> str:
        """Return the path or URL by which another process opens it, with its password."""
        if self.file:
            return str(self.file.absolute())
        return self.url.render_as_string(hide_password=False)

    @property
    def file(self) -> Path | None:
        """Return the file of the store, or None on a server."""
        return Path(self.url.database or "") if is_sqlite(self.url) else None

    def session(self) -> Session:
        """Open a connection: to write if the store was opened to write, else to read."""
        return self._session(writes=not self.read_only)

    def _session(self, *, writes: bool) -> Session:
        session = self.backend.open_session(self.engine, self.name, self.retry, writes=writes)
        self._sessions.append(session)
        return session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Open a connection that sees one state of the store."""
        session = self._session(writes=False)
        try:
            with session.snapshot():
                yield session
        finally:
            session.close()
            self._sessions.remove(session)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a connection that writes beside those that read, to the primary of several hosts.

        A person waits for what is read, so it retries no longer than a reader.
        """
        retry = replace(self.retry, write_seconds=self.retry.read_seconds)
        url = self.url.difference_update_query(["target_session_attrs"])  # it is for reading
        engine = self.backend.make_engine(url, retry, read_only=False)
        session = self.backend.open_session(engine, self.name, retry, writes=True)
        try:
            yield session
        finally:
            session.close()
            engine.dispose()

    def read(self, work: Callable[[Session], _Result]) -> _Result:
        """Do the work on one state of the store; retry it after a failure that passes."""

        def once() -> _Result:
            with self.snapshot() as session:
                return work(session)

        return self.retry.call(once, seconds=self.retry.read_seconds)

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions:
            session.close()
        self.engine.dispose()

    def revision(self) -> str:
        """Return the revision of the schema, empty if this is not our store."""

        def find(session: Session) -> str:
            table = version_table(session, self.backend)
            found = session.query(f"SELECT version_num FROM {table}") if table else []  # noqa: S608
            revision = str(found[0][0]) if found else ""
            return revision if _REVISION.fullmatch(revision) else ""

        return self.read(find)

    @property
    def is_old(self) -> bool:
        """True if the version table still has the name that older versions gave it."""
        return self.read(lambda s: version_table(s, self.backend) == OLD_VERSION_TABLE)

    def upgrade(self) -> None:
        """Bring the store to this program's schema. Another process may do so at the same time."""
        from meta_audit.schema import migrate  # noqa: PLC0415 - Alembic takes 200 ms to import

        self.session()
        try:
            with self.engine.connect() as connection:
                self.backend.begin_upgrade(connection)
                migrate.upgrade(connection)
                connection.commit()
        except sa.exc.DBAPIError as error:
            raise self.backend.failure(self.name, error.orig or error) from error


def open_to_read(db: str | None, *, retry: Retry | None = None) -> Store:
    """Open an existing store; nothing can be written through it.

    Raises `StoreError` if there is none, or its schema is not this program's.
    """
    url = locate(db)
    _check_exists(url)
    store = _open(url, read_only=True, retry=retry or Retry.from_environment())
    with _closed_on_error(store):
        check_current(store)
    return store


def open_to_verify(db: str | None, *, retry: Retry | None = None) -> Store:
    """Open an existing store to read, however damaged, if some of it shows that it is ours.

    Its revision is for the caller to check (`check_current`). Raises `StoreError` for a store of
    another program.
    """
    url = locate(db)
    _check_exists(url)
    store = _open(url, read_only=True, retry=retry or Retry.from_environment())
    with _closed_on_error(store):
        try:
            if not _has_our_tables(store):
                check_current(store)
        except DamagedStoreError:
            pass  # verify reports it
    return store


def version_table(session: Session, backend: Backend) -> str:
    """Return the name of the table that holds the revision, empty if this is not our store.

    Any program that uses Alembic may have a table of the old name.
    """
    if backend.has_table(session, VERSION_TABLE):
        return VERSION_TABLE
    ours = all(backend.has_table(session, name) for name in (OLD_VERSION_TABLE, *MARKS))
    return OLD_VERSION_TABLE if ours else ""


def has_store(db: str | None) -> bool:
    """Tell whether there is a store of any schema; where it cannot be reached, there is none."""
    url = locate(db)
    if is_sqlite(url):
        return Path(url.database or "").exists()
    try:
        store = _open(url, read_only=True, retry=Retry.from_environment())
        with _closed_on_error(store):
            found = bool(store.revision())
        store.close()
    except StoreError:
        return False
    return found


def open_to_write(
    db: str | None, *, allow_unsafe_server: bool = False, retry: Retry | None = None
) -> Store:
    """Open a store; make it if there is none.

    Raises `StoreError` if that fails, if the schema is not this program's, or if the server may
    lose committed work and `allow_unsafe_server` is false. A failure leaves nothing behind.
    """
    url = locate(db)
    retry = retry or Retry.from_environment()
    is_made = is_sqlite(url) and make_file(Path(url.database or ""), partial(_make, retry=retry))
    store = _open(url, read_only=False, retry=retry)
    with _closed_on_error(store):
        is_new = _prepare(store, allow_unsafe_server=allow_unsafe_server)
    return replace(store, created=is_made or is_new)


def open_to_upgrade(db: str | None, *, retry: Retry | None = None) -> Store:
    """Open an existing store of this schema or an older one.

    Raises `StoreError` for a store of another program, or of a newer version of this one.
    """
    url = locate(db)
    _check_exists(url)
    store = _open(url, read_only=False, retry=retry or Retry.from_environment())
    with _closed_on_error(store):
        _check_known(store, store.revision())
    return store


def _open(url: sa.URL, *, read_only: bool, retry: Retry) -> Store:
    backend = _backend(url)
    engine = backend.make_engine(url, retry, read_only=read_only)
    return Store(url, engine, backend, retry, read_only)


def _backend(url: sa.URL) -> Backend:
    if is_sqlite(url):
        return sqlite
    try:
        from meta_audit.store.postgresql import backend  # noqa: PLC0415 - optional, slow to import
    except ImportError as error:
        raise StoreError(
            f"PostgreSQL needs psycopg: {error}",
            advice="Install it: pip install 'meta-audit[postgresql]'.",
        ) from error
    return backend


def _prepare(store: Store, *, allow_unsafe_server: bool) -> bool:
    """Make the tables if there are none. Return True if this call made them."""

    def inspect(session: Session) -> bool:
        if not allow_unsafe_server:
            store.backend.check_durability(session)
        return store.backend.is_empty(session)

    is_new = store.read(inspect)
    is_old = not is_new and store.is_old and store.revision() == HEAD
    is_old = is_old and store.read(store.backend.may_upgrade)
    if is_new or is_old:  # or a process died before it had made the tables
        store.retry.call(store.upgrade, seconds=store.retry.write_seconds)
    check_current(store)
    return is_new


def _make(file: Path, *, retry: Retry) -> None:
    """Make the tables in a new file."""
    store = _open(sa.URL.create("sqlite", database=str(file)), read_only=False, retry=retry)
    try:
        store.upgrade()
        # Closing would do this too, but hide an error; without its log the file is not a store.
        store.session().query("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        store.close()


@contextmanager
def _closed_on_error(store: Store) -> Iterator[None]:
    try:
        yield
    except BaseException:
        store.close()
        raise


def _check_exists(url: sa.URL) -> None:
    if is_sqlite(url) and not Path(url.database or "").is_file():
        raise StoreError(
            f"there is no store at {url.database}",
            advice="Make one with `meta-audit ingest`, or name another with --db or META_AUDIT_DB.",
        )


def _has_our_tables(store: Store) -> bool:
    return store.read(lambda s: any(store.backend.has_table(s, name) for name in MARKS))


def check_current(store: Store) -> None:
    """Raise `StoreError` for a store of another program, or another version of this one."""
    found = store.revision()
    _check_known(store, found)
    if found < HEAD:
        raise StoreError(
            f"the store {store.name} has schema {found}; this program works with {HEAD}",
            advice=f"Run `meta-audit db upgrade --db {shlex.quote(store.name)}`.",
        )


def _check_known(store: Store, found: str) -> None:
    if not found:
        raise StoreError(
            f"{store.name} is not a meta-audit store",
            advice="Make one with `meta-audit ingest`, in a new file, database or schema.",
        )
    if found > HEAD:
        raise StoreError(
            f"the store {store.name} has schema {found}, made by a newer meta-audit than this, "
            f"which works with {HEAD}",
            advice="Upgrade meta-audit: pip install --upgrade meta-audit.",
        )
