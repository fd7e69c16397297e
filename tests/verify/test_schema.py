"""Lies told through schema, indexes and types are caught; what harms nothing is not called one."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
import psycopg
import pytest
import sqlalchemy as sa

from meta_audit.errors import DamagedStoreError, StoreError
from meta_audit.model import Finding, JobRecord
from meta_audit.parse.readings import readings
from meta_audit.query.identify import identify
from meta_audit.schema import HEAD, OLD_VERSION_TABLE, VERSION_TABLE, migrate
from meta_audit.store.location import locate
from meta_audit.store.opening import open_to_read, open_to_write
from tests.engines import Server
from tests.store_factory import (
    PostgresDatabases,
    SqliteFiles,
    StoreFactory,
    administrator,
    database,
)
from tests.verify import harmless, lies_postgresql, lies_sqlite, schema_tampering, wrong_values
from tests.verify.stores import Grown, run, unchecked, verify

NAMED: Final = (
    "CREATE POLICY hides ON findings USING (true)",
    "CREATE RULE added AS ON INSERT TO tasks DO INSTEAD NOTHING",
    "CREATE TABLE child () INHERITS (executions)",
    "CREATE INDEX added ON terms (term)",
)
"""Lies that show without the definitions."""


def test_lies_are_caught(factory: StoreFactory, grown: Grown) -> None:
    number = len(lies_sqlite.LIES) if isinstance(factory, SqliteFiles) else 8
    told = schema_tampering.tell(factory, grown.db, number, 11)
    assert [lie for lie in told if not lie.is_caught] == []
    assert len({lie.kind for lie in told}) == number


def test_wrong_values_are_caught(factory: StoreFactory, grown: Grown) -> None:
    number = 16 if isinstance(factory, SqliteFiles) else 8
    done = wrong_values.write_wrong(factory, grown.db, number, 11)
    assert [wrong for wrong in done if wrong.said != "damaged"] == []


def test_what_harms_nothing_is_no_damage(factory: StoreFactory, grown: Grown, capsys) -> None:
    names = list(harmless.SQLITE)
    if isinstance(factory, PostgresDatabases):
        names = ["vacuum full", "analyze", "storage", "own table", "own schema", "path"]
    assert (
        harmless.alarms_of(factory, grown, names, harmless.MADE[isinstance(factory, SqliteFiles)])
        == []
    )


@pytest.mark.parametrize(
    "lie",
    [
        "ALTER TABLE compression_dictionaries RENAME content TO kept",
        "ALTER TABLE documents RENAME content TO kept",
        "CREATE TABLE more () INHERITS (terms); INSERT INTO more SELECT * FROM terms",
        "CREATE TABLE more () INHERITS (jobs); INSERT INTO more SELECT * FROM jobs",
    ],
)
def test_what_makes_statements_fail_is_damage(postgres: Server, on_server: Grown, lie: str) -> None:
    """Whatever was checked before it, the run goes on."""
    db = PostgresDatabases(postgres).copy(on_server.db)
    _execute(db, "UPDATE pg_trigger SET tgenabled = 'D' WHERE NOT tgisinternal", lie)
    with administrator(db) as one:  # so that documents are asked what they say
        one.run("UPDATE job_versions SET priority = priority + 1")
    steps = verify(db, deep=True).steps
    assert {5, 12} <= {step.number for step in steps if step.status == "failed"}


def test_an_upgrade_is_no_damage(factory: StoreFactory, grown: Grown, capsys) -> None:
    assert harmless.alarms_of_upgrades(factory, grown) == []


def details(db: str) -> str:
    return "\n".join(damage.detail for damage in verify(db).damages)


def test_a_view_that_lies_is_named(factory: StoreFactory, grown: Grown) -> None:
    db = factory.copy(grown.db)
    _execute(db, "DROP VIEW v_labels", "CREATE VIEW v_labels AS SELECT 'innocent' AS key")
    report = verify(db)
    assert {damage.check for damage in report.damages} == {12}
    assert "v_labels is not the one that this version makes: " in details(db)


def test_an_index_that_leads_elsewhere_is_named(in_file: Grown, tmp_path: Path) -> None:
    db = SqliteFiles(tmp_path).copy(in_file.db)
    _swap_jobs(db)
    assert "sqlite_autoindex_jobs_1" in details(db)


@pytest.mark.parametrize("by", ["lookups", "amcheck"])
def test_an_index_of_a_server_that_lies_is_named(
    postgres: Server, on_server: Grown, by: str
) -> None:
    """Where it misses a row, and where it leads to others."""
    factory = PostgresDatabases(postgres)
    for lie in (lies_postgresql.index_stale, lies_postgresql.index_swapped):
        db = factory.copy(on_server.db)
        if by == "amcheck":
            _need_extension(db, "amcheck")
        with lies_postgresql.liar(db, random.Random(1)) as one:
            assert lie(one)
        report = verify(db)
        assert 13 in {damage.check for damage in report.damages}, (lie, report.not_checked)


def test_nothing_is_said_of_another_job(in_file: Grown, tmp_path: Path, capsys) -> None:
    db = SqliteFiles(tmp_path).copy(in_file.db)
    first, _ = _swap_jobs(db)
    with closing(open_to_read(db)) as store, pytest.raises(DamagedStoreError, match="leads to"):
        identify(store.session(), first, None)
    for command in ("trace", "prove", "document"):
        capsys.readouterr()
        assert run(command, first, "--db", db) == 4
        assert f"looking up the job {first} leads to" in capsys.readouterr().err


def _swap_jobs(db: str) -> tuple[str, str]:
    """Let the index of two jobs lead to the other one."""
    with closing(sqlite3.connect(db, isolation_level=None)) as driver:
        (first, a), (second, b) = driver.execute(
            "SELECT j.job_id, j.job_key FROM jobs j JOIN job_versions v USING (job_key) LIMIT 2"
        ).fetchall()
        roots = dict(driver.execute("SELECT name, rootpage FROM sqlite_master"))
        assert roots["sqlite_autoindex_jobs_1"]
        sql = driver.execute("SELECT sql FROM sqlite_master WHERE name = 'jobs'").fetchone()[0]
        driver.execute(sql.replace("CREATE TABLE jobs", "CREATE TABLE twin"))
        driver.execute("INSERT INTO twin SELECT * FROM jobs")
        for key, job_id in ((a, "free"), (b, first), (a, second)):
            driver.execute("UPDATE twin SET job_id = ? WHERE job_key = ?", (job_id, key))
        roots = dict(driver.execute("SELECT name, rootpage FROM sqlite_master"))
        driver.execute("PRAGMA writable_schema = ON")
        driver.execute(
            "UPDATE sqlite_master SET rootpage = ? WHERE name = 'sqlite_autoindex_jobs_1'",
            (roots["sqlite_autoindex_twin_1"],),
        )
        driver.execute("DELETE FROM sqlite_master WHERE tbl_name = 'twin'")
        driver.execute("PRAGMA schema_version = 900")
    return first, second


def test_since_says_what_was_not_checked(grown: Grown) -> None:
    report = verify(grown.db, since=2)
    assert report.verdict == "intact"
    (what,) = unchecked(report)
    assert "what checkpoint 2 covers" in what
    assert not unchecked(verify(grown.db))


def test_a_role_that_may_not_make_temporary_tables(
    postgres: Server, on_server: Grown, capsys
) -> None:
    """It cannot compare the schema, and says so; an auditor may by default."""
    db = PostgresDatabases(postgres).copy(on_server.db)
    assert run("db", "roles", "--apply", "--db", db) == 0
    name = database(db)
    with postgres.connect(name) as connection:
        connection.execute("CREATE ROLE temporary_auditor LOGIN IN ROLE meta_audit_auditor")
    try:
        auditor = postgres.url(name, "temporary_auditor")
        assert not unchecked(verify(auditor))
        with postgres.connect(name) as connection:
            connection.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
        report = verify(auditor)
        assert (report.verdict, report.damages) == ("intact", ())
        (not_checked,) = unchecked(report)
        assert "permission denied to create temporary tables" in not_checked
        assert not_checked.startswith("definitions of the schema, only its names")
        for lie in NAMED:
            with postgres.connect(name) as connection:
                connection.execute(lie)
            report = verify(auditor)
            assert "added" in {damage.kind for damage in report.damages if damage.check == 12}
    finally:
        with postgres.connect(name) as connection:
            connection.execute("DROP OWNED BY temporary_auditor")
            connection.execute("DROP ROLE temporary_auditor")


def test_verify_locks_nobody_out(postgres: Server, on_server: Grown) -> None:
    """Not while it compares the schema either."""
    db = on_server.db
    with postgres.connect(database(db)) as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = 'replica'")
        connection.execute("LOCK TABLE jobs, terms, checkpoints IN EXCLUSIVE MODE")
        assert verify(db).verdict == "intact"


@pytest.fixture
def aged(factory: StoreFactory, grown: Grown) -> Iterator[str]:
    """A store whose version table has the name that Alembic gives."""
    db = factory.copy(grown.db)
    _age(db)
    yield db
    factory.drop(db)


def test_an_old_store_is_read_as_it_is(aged: str, capsys) -> None:
    report = verify(aged)
    assert (report.damages, unchecked(report)) == ((), [])
    assert run("find", "--db", aged) == 0


@pytest.mark.parametrize("by", ["upgrade", "write"])
def test_an_old_store_is_moved_when_it_is_written_to(aged: str, by: str, capsys) -> None:
    if by == "upgrade":
        assert run("db", "upgrade", "--db", aged) == 0
    else:
        open_to_write(aged).close()
    with closing(open_to_read(aged)) as store:
        assert not store.is_old
        assert store.revision()
        assert not store.backend.has_table(store.session(), OLD_VERSION_TABLE)
    report = verify(aged)
    assert (report.damages, unchecked(report)) == ((), [])


def test_a_database_of_another_program_is_foreign(
    factory: StoreFactory, tmp_path: Path, capsys
) -> None:
    """Also where it uses Alembic, and whatever its revision looks like."""
    db = factory.new()
    (tmp_path / "a.json").write_text('{"ID": "j-1", "Tasks": [{"Name": "t"}]}')
    _execute(
        db,
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "INSERT INTO alembic_version VALUES ('0001')",
        "CREATE TABLE runs (x INTEGER)",
    )
    for command in (
        ("ingest", tmp_path / "a.json"),
        ("db", "upgrade"),
        ("trace", "j-1"),
        ("verify",),
    ):
        capsys.readouterr()
        assert run(*command, "--db", db) == 4
        assert "is not a meta-audit store" in capsys.readouterr().err


def test_a_store_without_its_revision_is_damaged(
    factory: StoreFactory, grown: Grown, capsys
) -> None:
    db = factory.copy(grown.db)
    _execute(db, f"DROP TABLE {VERSION_TABLE}")
    assert VERSION_TABLE in details(db)
    with pytest.raises(StoreError):
        open_to_read(db)


def test_a_revision_that_is_not_the_schemas_is_named(
    factory: StoreFactory, grown: Grown, capsys
) -> None:
    """Other commands refuse such a store. One that is of another version is no damage."""
    db = factory.copy(grown.db)
    for revision in ("0001", "0000", "9999"):
        _execute(db, f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")
        assert details(db) == f"{VERSION_TABLE} holds {revision}, not {HEAD}"
        assert run("find", "--db", db) == 4
    _execute(db, "CREATE VIEW v_new AS SELECT 1 AS x", "DROP VIEW v_labels")
    with pytest.raises(StoreError, match="made by a newer meta-audit"):
        verify(db)


def _need_extension(db: str, name: str) -> None:
    with administrator(db) as one:
        if not one.run("SELECT 1 FROM pg_available_extensions WHERE name = ?", name):
            pytest.skip(f"the server does not have {name}")
        one.run(f"CREATE EXTENSION {name}")


def _age(db: str) -> None:
    """Give the version table the name that Alembic gives."""
    if "://" in db:
        _execute(
            db,
            f"ALTER TABLE {VERSION_TABLE} RENAME TO {OLD_VERSION_TABLE}",
            f"ALTER TABLE {OLD_VERSION_TABLE} RENAME CONSTRAINT {VERSION_TABLE}_pkc"
            f" TO {OLD_VERSION_TABLE}_pkc",
        )
    else:
        _execute(
            db,
            f"CREATE TABLE {OLD_VERSION_TABLE} (version_num VARCHAR(32) NOT NULL,"
            f" CONSTRAINT {OLD_VERSION_TABLE}_pkc PRIMARY KEY (version_num))",
            f"INSERT INTO {OLD_VERSION_TABLE} SELECT * FROM {VERSION_TABLE}",
            f"DROP TABLE {VERSION_TABLE}",
        )


def _execute(db: str, *statements: str) -> None:
    if "://" in db:
        with psycopg.connect(harmless.libpq(db), autocommit=True) as driver:
            for statement in statements:
                driver.execute(statement)
        return
    with closing(sqlite3.connect(db, isolation_level=None)) as driver:
        for statement in statements:
            driver.execute(statement)


def test_a_program_that_reads_otherwise_finds_no_damage(
    factory: StoreFactory, grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the leaf holds, another reading is listed, and the verdict stays."""

    def read_otherwise(content: bytes) -> Iterator[JobRecord]:
        for record in readings(content):
            found = (*record.findings, Finding("meta.invisible", "Meta key a: U+200B"))
            yield msgspec.structs.replace(record, findings=found)

    assert verify(grown.db, deep=True).reading_count == 0
    monkeypatch.setattr("meta_audit.verify.work.readings", read_otherwise)
    report = verify(grown.db, deep=True)
    assert (report.verdict, report.damages) == ("intact", ())
    assert report.reading_count > 100
    first = report.readings[0]
    assert (first.entry, first.job) == (0, "j-large-0")
    assert "findings: now " in first.detail
    assert "U+200B" in first.detail
    (step,) = [step for step in report.steps if step.number == 11]
    assert step.status == "warning"


def test_an_upgraded_store_has_the_schema_of_a_new_one(
    factory: StoreFactory, tmp_path: Path, capsys
) -> None:
    db = factory.new()
    engine = sa.create_engine(locate(db))
    with engine.begin() as connection:
        migrate.upgrade(connection, "0001")
    engine.dispose()
    _age(db)
    assert run("db", "upgrade", "--db", db) == 0
    report = verify(db)
    assert (report.damages, unchecked(report)) == ((), [])
