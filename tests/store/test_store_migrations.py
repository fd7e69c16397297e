"""Migrations: one head, up and down with data in, and no drift between them and the tables."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from meta_audit.schema import HEAD, migrate
from meta_audit.schema.tables import metadata
from meta_audit.store.opening import open_to_write
from tests.conftest import Audit
from tests.faults.documents import write_folder

ALLOWED_IMPORTS = {"sqlalchemy", "alembic", "__future__"}


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[sa.Connection]:
    """A connection to a file without tables."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/empty.db")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture(scope="module")
def script() -> ScriptDirectory:
    return ScriptDirectory.from_config(migrate.configuration())


def test_there_is_one_head_and_the_code_knows_it(script: ScriptDirectory) -> None:
    assert script.get_heads() == [HEAD]
    assert script.get_bases() == ["0001"]


def test_revisions_sort_by_name(script: ScriptDirectory) -> None:
    """Whether a store is older or newer is told by comparing names."""
    names = [revision.revision for revision in script.walk_revisions()]
    assert names == sorted(names, reverse=True)
    assert all(len(name) == len(HEAD) for name in names)


def test_a_migration_knows_no_live_models(script: ScriptDirectory) -> None:
    for revision in script.walk_revisions():
        tree = ast.parse(Path(revision.path).read_text())
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [a.name for a in node.names]
            )
        }
        assert imported <= ALLOWED_IMPORTS


def schema(connection: sa.Connection) -> dict[tuple[str, str], list[str]]:
    """Everything that is defined, as the engine keeps it, its lines in order of their text."""
    rows = connection.exec_driver_sql(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    )
    return {
        (kind, name): sorted(line.strip().rstrip(",") for line in sql.splitlines())
        for kind, name, sql in rows
    }


def test_no_drift(empty: sa.Connection, tmp_path: Path) -> None:
    """Columns, types, keys, constraints and indexes, their names, and options of the tables."""
    migrate.upgrade(empty)
    drawn = sa.create_engine(f"sqlite:///{tmp_path}/drawn.db")
    with drawn.begin() as connection:
        metadata.create_all(connection)
        expected = schema(connection)
    drawn.dispose()
    migrated = schema(empty)
    version = {key: lines for key, lines in migrated.items() if key[1] == "alembic_version"}
    assert {
        key: lines for key, lines in migrated.items() if key[0] in ("table", "index")
    } == expected | version


def test_every_table_is_strict(empty: sa.Connection) -> None:
    migrate.upgrade(empty)
    rows = empty.exec_driver_sql("SELECT name, strict FROM pragma_table_list WHERE type = 'table'")
    loose = {name for name, strict in rows if not strict}
    assert loose <= {"alembic_version", "sqlite_schema", "sqlite_temp_schema"}


def test_comments_are_in_the_store(empty: sa.Connection) -> None:
    migrate.upgrade(empty)
    found = {
        (relation, column): comment
        for relation, column, comment in empty.exec_driver_sql(
            'SELECT relation, "column", comment FROM schema_comments'
        )
    }
    inspector = sa.inspect(empty)
    views = inspector.get_view_names()
    expected = {(t.name, ""): t.comment for t in metadata.tables.values()}
    expected |= {(t.name, c.name): c.comment for t in metadata.tables.values() for c in t.columns}
    assert {key: text for key, text in found.items() if key[0] not in views} == expected
    assert {key for key in found if key[0] in views} == {
        (view, column)
        for view in views
        for column in ("", *(c["name"] for c in inspector.get_columns(view)))
    }
    assert all(found.values())


def test_up_down_up_with_data_in(audit: Audit, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "documents", 250, 3)
    audit.ingest(folder)
    before = audit.export()
    store = open_to_write(str(audit.db))
    with store.engine.connect() as connection:
        made = schema(connection)
        migrate.downgrade(connection, "base")
        connection.commit()
        assert set(schema(connection)) <= {("table", "alembic_version")}
        migrate.upgrade(connection)
        connection.commit()
        assert schema(connection) == made
    store.close()
    audit.ingest(folder)
    assert audit.export() == before


def test_upgrading_twice_does_nothing(empty: sa.Connection) -> None:
    migrate.upgrade(empty)
    made = schema(empty)
    migrate.upgrade(empty)
    assert schema(empty) == made
