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
    """Open and manage stores on one database engine."""

    def make_engine(self, url: sa.URL, retry: Retry, /, *, read_only: bool) -> sa.Engine:
        """Return an engine whose connections have the settings of a reader or a writer."""

    def open_session(self, engine: sa.Engine, name: str, retry: Retry, *, writes: bool) -> Session:
        """Open a connection. With `writes`, prepare the store for writing if it needs that."""

    def check_durability(self, session: Session, /) -> None:
        """Raise `StoreError` if committed work may be lost."""

    def begin_upgrade(self, connection: sa.Connection) -> None:
        """Begin a transaction that excludes every other writer."""

    def has_table(self, session: Session, name: str) -> bool:
        """Return True if the store has a table or view of this name."""

    def is_empty(self, session: Session) -> bool:
        """Return True if the place for the tables holds nothing."""

    def may_upgrade(self, session: Session, /) -> bool:
        """Return True if this user may change the tables."""

    def is_auditor(self, session: Session, /) -> bool:
        """Return True if this user has the auditor's role, whose questions are logged."""

    def failure(self, name: str, error: Exception) -> StoreError:
        """Turn an error of the driver into one for a person."""

    def role_statements(self, session: Session, roles: Roles, /) -> list[str]:
        """Return the SQL that makes roles. Raises `UsageError` if the engine has none."""

    def backup(self, engine: sa.Engine, name: str, target: Path, /) -> None:
        """Copy a store into a new file. Raises `UsageError` if a store is not a file."""
