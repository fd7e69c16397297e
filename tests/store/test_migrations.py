"""Migrations: one head, up and down with data in, and no drift between them and the tables."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from meta_audit import cli
from meta_audit.schema import HEAD, migrate
from meta_audit.schema.tables import metadata
from meta_audit.store.location import locate
from meta_audit.store.opening import open_to_write
from tests.conftest import Audit
from tests.faults.documents import without_uses, write_folder
from tests.store_factory import StoreFactory, ask

ALLOWED_IMPORTS = {"sqlalchemy", "alembic", "__future__"}


@pytest.fixture
def empty(factory: StoreFactory) -> Iterator[sa.Connection]:
    """A connection to a store without tables."""
    db = factory.new()
    engine = sa.create_engine(locate(db))
    with engine.connect() as connection:
        yield connection
    engine.dispose()
    factory.drop(db)


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


_DEFINITIONS = """
    SELECT 'relation', relname::text, concat(relkind, CASE relkind WHEN 'v' THEN
        pg_get_viewdef(oid) END)
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind <> 'S'
    UNION ALL SELECT 'column', concat(relname, '.', attname),
        concat(format_type(atttypid, atttypmod), ' ', attnotnull, ' ', attcollation)
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind <> 'S' AND attnum > 0
        AND NOT attisdropped
    UNION ALL SELECT 'constraint', concat(conrelid::regclass, '.', conname),
        pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', relname::text, pg_get_indexdef(c.oid)
    FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'i'
    UNION ALL SELECT 'trigger', concat(tgrelid::regclass, '.', tgname), pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'function', oid::regprocedure::text, prosrc
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace"""
"""But for sequences: the migration makes some, and no number comes from them."""


def schema(connection: sa.Connection) -> dict[tuple[str, str], list[str]]:
    """Everything that is defined, as the engine keeps it, its lines in order of their text."""
    if connection.dialect.name == "sqlite":
        sql = "SELECT type, name, sql FROM sqlite_master WHERE sql NOT LIKE '% sqlite_stat%'"
    else:
        sql = _DEFINITIONS
    return {
        (kind, name): sorted(line.strip().rstrip(",") for line in text.splitlines())
        for kind, name, text in connection.exec_driver_sql(sql)
    }


def of_store(found: dict[tuple[str, str], list[str]]) -> set[tuple[str, str]]:
    """What is not Alembic's own."""
    return {(kind, name) for kind, name in found if "meta_audit_version" not in name}


def test_no_drift(empty: sa.Connection, factory: StoreFactory) -> None:
    """Columns, types, keys, constraints and indexes, their names, and options of the tables."""
    migrate.upgrade(empty)
    drawn = sa.create_engine(locate(factory.new()))
    with drawn.begin() as connection:
        metadata.create_all(connection)
        expected = schema(connection)
    drawn.dispose()
    migrated = schema(empty)
    views = sa.inspect(empty).get_view_names()
    ours = of_store(migrated) - {
        (kind, name)
        for kind, name in migrated
        if kind in ("view", "trigger", "function") or name.split(".")[0] in views
    }
    assert {key: migrated[key] for key in ours} == expected


def test_every_table_of_sqlite_is_strict(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/empty.db")
    with engine.connect() as connection:
        migrate.upgrade(connection)
        rows = connection.exec_driver_sql(
            "SELECT name, strict FROM pragma_table_list WHERE type = 'table'"
        )
        loose = {name for name, strict in rows if not strict}
    engine.dispose()
    made_by_others = {"sqlite_schema", "sqlite_temp_schema", "sqlite_stat1"}
    assert loose <= {"meta_audit_version", *made_by_others}


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


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """Documents of every kind, some broken, none twice: what schema 0001 can hold."""
    folder = write_folder(tmp_path / "documents", 250, 3)
    (folder / "number.json").write_bytes(b'{"ID": "j-9", "Meta": {"a": 1}, "Tasks": []}')
    names = ("number.json", "small", "broken.ndjson", "jobs.yaml", "page.json")
    return [without_uses(folder) / name for name in names]


def fill(own: Audit, sources: list[Path]) -> None:
    """Take in the sources, one of them a second time, which resolves a rejection."""
    own.ingest(*sources)
    own.ingest(sources[0], "--coerce-scalars")
    assert own.rows("SELECT count(*) FROM rejection_resolutions") == [(1,)]


@pytest.mark.parametrize("down", ["0001", "base"])
def test_up_down_up_with_data_in(own: Audit, sources: list[Path], down: str) -> None:
    fill(own, sources)
    before = own.export()
    store = open_to_write(str(own.db))
    with store.engine.connect() as connection:
        made = schema(connection)
        connection.exec_driver_sql("BEGIN")
        migrate.downgrade(connection, down)
        assert bool(of_store(schema(connection))) == (down != "base")
        migrate.upgrade(connection)
        connection.commit()
        assert schema(connection) == made
    store.close()
    assert down == "base" or own.export() == before
    if down == "base":
        fill(own, sources)
    assert own.export() == before
    if down != "base":  # else it is another log than that of the checkpoints outside
        assert own.run("verify", "--deep").status == 0


def test_a_store_is_not_taken_down_where_facts_would_be_lost(
    own: Audit, sources: list[Path]
) -> None:
    own.ingest(sources[2])
    own.ingest(sources[2])
    before = own.raw()
    store = open_to_write(str(own.db))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        with pytest.raises(RuntimeError, match="schema 0001 cannot hold the counts"):
            migrate.downgrade(connection, "0001")
        connection.rollback()
    store.close()
    assert own.raw() == before


def test_uses_stay(own: Audit, tmp_path: Path) -> None:
    own.ingest(write_folder(tmp_path / "documents", 250, 3) / "page.json")
    store = open_to_write(str(own.db))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        with pytest.raises(RuntimeError, match="schema 0004 cannot hold the uses"):
            migrate.downgrade(connection, "0004")
        connection.rollback()
    store.close()
    assert own.run("verify").status == 0


def test_questions_stay(own: Audit, sources: list[Path]) -> None:
    """Those of an upgraded store are signed beside what was signed before."""
    own.ingest(sources[2])
    before = own.raw()
    store = open_to_write(str(own.db))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        migrate.downgrade(connection, "0006")
        connection.commit()
        assert "questions" not in sa.inspect(connection).get_table_names()
    store.close()
    assert own.run("db", "upgrade").status == 0
    assert own.raw() == before
    ask(own.db, "trace", "find")
    assert own.run("verify").status == 0
    own.ingest(sources[3])
    store = open_to_write(str(own.db))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        with pytest.raises(RuntimeError, match="schema 0006 cannot hold the questions"):
            migrate.downgrade(connection, "0006")
        connection.rollback()
    store.close()
    assert own.run("verify").status == 0


def downgrade(audit: Audit) -> None:
    """Give a store the first schema."""
    store = open_to_write(str(audit.db))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        migrate.downgrade(connection, "0001")
        connection.commit()
    store.close()


def test_what_was_signed_before_an_upgrade_is_still_signed(own: Audit, sources: list[Path]) -> None:
    """Imports of both schemas in one store."""
    own.ingest(*sources)
    downgrade(own)
    assert own.run("verify").status == 4
    assert own.run("db", "upgrade").status == 0
    assert own.run("verify").status == 0
    own.ingest(*sources)
    assert own.rows("SELECT known_rejected, known_sources FROM import_results")[1] > (0, 0)
    assert own.run("verify").status == 0


def test_a_backup_before_an_upgrade(
    file: Audit, sources: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(file, sources)
    downgrade(file)
    copy = Audit(tmp_path / "backup.db", capsys)
    assert file.run("db", "backup", str(copy.db)).status == 0
    assert copy.run("find").status == 4
    for one in (file, copy):
        assert one.run("db", "upgrade").status == 0
        assert one.run("verify").status == 0


def test_the_command_that_upgrades_can_be_pasted(
    own: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = f"{own.db}{'&' if '?' in str(own.db) else '?'}application_name=a%26b"
    if own.is_sqlite:
        db = str(Path(own.db).rename(tmp_path / "a b&c.db"))
    store = open_to_write(db)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        migrate.downgrade(connection, "0006")
        connection.commit()
    store.close()
    said = Audit(db, capsys).run("find").err
    (command,) = re.findall("Run `(.*)`", said)
    assert shlex.join(shlex.split(command)) == command
    assert shlex.split(command)[:4] == ["meta-audit", "db", "upgrade", "--db"]
    assert cli.run(shlex.split(command)[1:]) == 0


def test_upgrading_twice_does_nothing(empty: sa.Connection) -> None:
    migrate.upgrade(empty)
    made = schema(empty)
    migrate.upgrade(empty)
    assert schema(empty) == made
