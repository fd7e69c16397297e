"""Run the migrations that are packed with the program. Only this module imports Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from meta_audit.schema import MARKS, OLD_VERSION_TABLE, VERSION_TABLE

if TYPE_CHECKING:
    from sqlalchemy import Connection


def scripts() -> Path:
    """Return the folder of migrations: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    packed = package / "migrations"
    return packed if packed.is_dir() else package.parent / "migrations"


def configuration(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for an open connection."""
    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the store to a revision. The caller commits."""
    _move_version_table(connection)
    command.upgrade(configuration(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Bring the store back to an older revision. The caller commits."""
    command.downgrade(configuration(connection), revision)


def _move_version_table(connection: Connection) -> None:
    """Give the version table of an old store its own name, if it is a store of ours."""
    inspector = sa.inspect(connection)
    tables = set(inspector.get_table_names())
    if VERSION_TABLE in tables or not {OLD_VERSION_TABLE, *MARKS} <= tables:
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ALTER TABLE {OLD_VERSION_TABLE} RENAME TO {VERSION_TABLE}")
        connection.exec_driver_sql(
            f"ALTER TABLE {VERSION_TABLE} RENAME CONSTRAINT {OLD_VERSION_TABLE}_pkc"
            f" TO {VERSION_TABLE}_pkc"
        )
        return
    connection.exec_driver_sql(
        f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL,"
        f" CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
    )
    connection.exec_driver_sql(
        f"INSERT INTO {VERSION_TABLE} SELECT version_num FROM {OLD_VERSION_TABLE}"  # noqa: S608
    )
    connection.exec_driver_sql(f"DROP TABLE {OLD_VERSION_TABLE}")
