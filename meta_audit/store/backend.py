"""Define the interface of an engine. `sqlite.backend` and `postgresql.backend` provide it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import sqlalchemy as sa

    from meta_audit.errors import StoreError
    from meta_audit.store.postgresql.roles import Roles
    from meta_audit.store.retry import Retry
    from meta_audit.store.session import Session


class Backend(Protocol):
    """One database engine."""

    def make_engine(self, url: sa.URL, retry: Retry, /, *, read_only: bool) -> sa.Engine:
        """Return an engine whose connections have the settings of a reader or a writer."""

    def open_session(self, engine: sa.Engine, name: str, retry: Retry, *, writes: bool) -> Session:
        """Open a connection. `writes`: prepare the store for writing, where that is needed."""

    def check_durability(self, session: Session, /) -> None:
        """Raise `StoreError` where what is committed may be lost again."""

    def begin_upgrade(self, connection: sa.Connection) -> None:
        """Begin a transaction that excludes every other writer."""

    def has_table(self, session: Session, name: str) -> bool:
        """Return whether the store has a table or view of this name."""

    def is_empty(self, session: Session) -> bool:
        """Return whether the place where the tables shall be made holds nothing."""

    def may_upgrade(self, session: Session, /) -> bool:
        """Return whether this user may change the tables."""

    def failure(self, name: str, error: Exception) -> StoreError:
        """Return the error that a person sees, for an error of the driver."""

    def role_statements(self, session: Session, roles: Roles, /) -> list[str]:
        """Return the SQL that makes roles. Raises `UsageError` where there are none."""

    def backup(self, engine: sa.Engine, name: str, target: Path, /) -> None:
        """Copy a store into a new file. Raises `UsageError` where a store is no file."""
