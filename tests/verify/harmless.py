"""What is done to a store in earnest and changes no fact: verify must not cry wolf.

python -m tests.verify.harmless --engine postgresql
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg
import sqlalchemy as sa

from meta_audit.schema import HEAD, migrate
from meta_audit.store.location import locate
from tests.clusters import programs
from tests.engines import Server
from tests.store_factory import PostgresDatabases, SqliteFiles, StoreFactory
from tests.verify.stores import Grown, grow, run, unchecked, verify

SQLITE: Final[dict[str, tuple[str, ...]]] = {
    "vacuum": ("VACUUM",),
    "reindex": ("REINDEX",),
    "analyze": ("ANALYZE",),
    "optimize": ("PRAGMA optimize",),
    "page size": ("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 8192", "VACUUM"),
    "auto vacuum": ("PRAGMA auto_vacuum = FULL", "VACUUM"),
    "journal": ("PRAGMA journal_mode = DELETE",),
    "checkpoint": ("PRAGMA wal_checkpoint(TRUNCATE)",),
    "user version": ("PRAGMA user_version = 7", "PRAGMA application_id = 7"),
    "own table": ("CREATE TABLE notes (x, y)", "INSERT INTO notes VALUES (1, 2)"),
    "own table with a key": (
        "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, job REFERENCES jobs (job_key))",
        "INSERT INTO notes (job) VALUES (1)",
        "CREATE INDEX ix_notes ON notes (job)",
    ),
    "own view": ("CREATE VIEW mine AS SELECT * FROM v_jobs JOIN terms ON 1 = 1",),
    "own trigger": (
        "CREATE TABLE notes (x)",
        "CREATE TRIGGER tr_notes AFTER INSERT ON notes BEGIN DELETE FROM notes; END",
    ),
    "own trigger that reads": (
        "CREATE TABLE notes (x)",
        "CREATE TABLE seen (x)",
        "CREATE TRIGGER tr_notes AFTER UPDATE OF x ON notes BEGIN"
        " INSERT INTO seen SELECT job_key FROM jobs; END",
    ),
    "lying statistics": (
        "ANALYZE",
        "DELETE FROM sqlite_stat1",
        "INSERT INTO sqlite_stat1 VALUES ('jobs', 'sqlite_autoindex_jobs_1', '1 1000000 1000000'),"
        " ('observations', NULL, '1'), ('terms', 'no_such_index', 'unordered sz=x')",
    ),
    "own names": (
        'CREATE TABLE "v jobs" (jobs, "table")',
        "CREATE VIEW [of mine] AS SELECT 'on jobs' AS \"unique\" -- of jobs",
        'CREATE UNIQUE INDEX "on" ON "v jobs" (jobs)',
    ),
    "full text": ("CREATE VIRTUAL TABLE words USING fts5 (x)",),
    "own comments": ("INSERT INTO schema_comments VALUES ('notes', '', 'mine')",),
    "renamed back": ("ALTER TABLE jobs RENAME TO sboj", "ALTER TABLE sboj RENAME TO jobs"),
}
POSTGRESQL: Final[dict[str, tuple[str, ...]]] = {
    "vacuum": ("VACUUM",),
    "vacuum full": ("VACUUM FULL",),
    "reindex": ("REINDEX SCHEMA public",),
    "reindex concurrently": ("REINDEX TABLE CONCURRENTLY jobs",),
    "analyze": ("ANALYZE",),
    "cluster": ("CLUSTER jobs USING pk_jobs",),
    "storage": (
        "ALTER TABLE documents SET (fillfactor = 90, autovacuum_enabled = false)",
        "ALTER INDEX pk_jobs SET (fillfactor = 90)",
        "ALTER TABLE documents ALTER COLUMN content SET STORAGE EXTERNAL",
        "ALTER TABLE jobs ALTER COLUMN job_id SET STATISTICS 500",
    ),
    "statistics": ("CREATE STATISTICS mine ON job_id, namespace_id FROM jobs", "ANALYZE jobs"),
    "rights": (
        "CREATE ROLE reader_of_harmless",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_of_harmless",
        "ALTER TABLE jobs OWNER TO reader_of_harmless",
        "ALTER VIEW v_jobs OWNER TO reader_of_harmless",
        "GRANT SELECT (job_id) ON jobs TO PUBLIC",
    ),
    "own table": (
        "CREATE TABLE notes (x bigint PRIMARY KEY REFERENCES jobs (job_key), y text)",
        "INSERT INTO notes VALUES (1, 'x')",
        "CREATE INDEX ix_notes ON notes (y)",
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON notes USING (true)",
        "CREATE RULE mine AS ON DELETE TO notes DO INSTEAD NOTHING",
        "CREATE FUNCTION reads() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO notes SELECT job_key FROM jobs; RETURN NULL; END $$",
        "CREATE TRIGGER mine AFTER DELETE ON notes EXECUTE FUNCTION reads()",
    ),
    "own view": ("CREATE VIEW mine AS SELECT * FROM v_jobs",),
    "own materialized view": ("CREATE MATERIALIZED VIEW mine AS SELECT * FROM v_meta",),
    "own schema": (
        "CREATE SCHEMA work",
        "CREATE TABLE work.jobs (x int)",
        "CREATE VIEW work.v_jobs AS SELECT 1 AS x",
        "CREATE FUNCTION work.meta_audit_append_only() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ),
    "own function": ("CREATE FUNCTION lower_all(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",),
    "own type": ("CREATE TYPE mood AS ENUM ('a')", "CREATE DOMAIN short AS text"),
    "extension": ("CREATE EXTENSION vector",),
    "own inheritance": ("CREATE TABLE p (x int)", "CREATE TABLE c () INHERITS (p)"),
    "publication": ("CREATE PUBLICATION everything FOR TABLE jobs",),
    "settings": ("ALTER DATABASE {database} SET work_mem = '8MB'",),
    "path": ("CREATE SCHEMA other", "ALTER DATABASE {database} SET search_path = public, other"),
    "own comments": ("INSERT INTO schema_comments VALUES ('notes', '', 'mine')",),
    "comment elsewhere": ("COMMENT ON INDEX pk_jobs IS 'x'", "COMMENT ON SCHEMA public IS 'x'"),
}


def _restored_sqlite(factory: StoreFactory, db: str) -> str:
    target = factory.new()
    with closing(sqlite3.connect(db)) as source, closing(sqlite3.connect(target)) as copy:
        copy.executescript("\n".join(source.iterdump()))
    return target


def _backed_up_sqlite(factory: StoreFactory, db: str) -> str:
    target = factory.new()
    run("db", "backup", target, "--db", db)
    return target


def _copied(factory: StoreFactory, db: str) -> str:
    target = factory.new()
    assert run("db", "copy", db, target) == 0
    return target


def libpq(db: str) -> str:
    """A URL for PostgreSQL's own programs."""
    return sa.make_url(db).set(drivername="postgresql").render_as_string(hide_password=False)


def _restored_postgresql(factory: StoreFactory, db: str, *options: str) -> str:
    target = factory.new()
    with tempfile.NamedTemporaryFile(suffix=".sql") as dumped:
        for command in (
            ["pg_dump", *options, "--file", dumped.name, libpq(db)],
            ["psql", "--quiet", "-v", "ON_ERROR_STOP=1", "--file", dumped.name, libpq(target)],
        ):
            done = [programs() / command[0], *command[1:]]
            subprocess.run(done, check=True, stdout=subprocess.PIPE)
    return target


def _restored_without_owner(factory: StoreFactory, db: str) -> str:
    return _restored_postgresql(factory, db, "--no-owner", "--no-privileges", "--inserts")


def _with_roles(factory: StoreFactory, db: str) -> str:
    target = factory.copy(db)
    assert run("db", "roles", "--apply", "--db", target) == 0
    return target


def _moved_to_another_schema(factory: StoreFactory, db: str) -> str:
    target = factory.copy(db)
    with psycopg.connect(libpq(target), autocommit=True) as driver:
        driver.execute('ALTER SCHEMA public RENAME TO "Audit store"')
        name = sa.make_url(target).database
        driver.execute(f'ALTER DATABASE {name} SET search_path = "Audit store"')
    return target


MADE: Final[dict[bool, tuple[Callable[[Any, str], str], ...]]] = {
    True: (_restored_sqlite, _backed_up_sqlite, _copied),
    False: (
        _restored_postgresql,
        _restored_without_owner,
        _copied,
        _with_roles,
        _moved_to_another_schema,
    ),
}
"""Ways to another store of the same facts, by whether it is SQLite."""


OLDER: Final = tuple(f"{number:04}" for number in range(1, int(HEAD)))
"""Revisions of the schema before this one."""


def alarms(factory: StoreFactory, folder: Path) -> list[str]:
    """Do all of these to copies of one store; what verify said, where it was not "Intact."."""
    is_sqlite = isinstance(factory, SqliteFiles)
    names = list(SQLITE if is_sqlite else POSTGRESQL)
    grown = grow(factory, folder)
    found = alarms_of(factory, grown, names, MADE[is_sqlite])
    return found + alarms_of_upgrades(factory, grown)


def alarms_of(
    factory: StoreFactory,
    grown: Grown,
    names: list[str],
    makers: Sequence[Callable[[StoreFactory, str], str]],
) -> list[str]:
    """Do some of these to copies of a store."""
    base = factory.copy(grown.db)
    statements = SQLITE if isinstance(factory, SqliteFiles) else POSTGRESQL
    found = []
    for name in names:
        target = factory.copy(base)
        _execute(target, statements[name])
        found += _alarm(name, target, grown.log)
        factory.drop(target)
    for make in makers:
        target = make(factory, base)
        found += _alarm(make.__name__, target, grown.log)
        factory.drop(target)
    return found


def alarms_of_upgrades(factory: StoreFactory, grown: Grown) -> list[str]:
    """Bring a store to each older revision and back; revision 0001 cannot hold the newest facts."""
    found = []
    older = grow(factory, grown.log.parent / "older", oldest=True)
    for revision in OLDER:
        is_first = revision == OLDER[0]
        target = factory.copy(older.older[0] if is_first else older.db)
        engine = sa.create_engine(locate(target))
        with engine.begin() as connection:
            migrate.downgrade(connection, revision)
        engine.dispose()
        assert run("db", "upgrade", "--db", target) == 0
        found += _alarm(f"upgrade from {revision}", target, *([] if is_first else [older.log]))
        factory.drop(target)
    return found


def _execute(db: str, statements: tuple[str, ...]) -> None:
    if "://" not in db:
        with closing(sqlite3.connect(db, isolation_level=None)) as driver:
            for statement in statements:
                driver.execute(statement)
        return
    with psycopg.connect(libpq(db), autocommit=True) as driver:
        for statement in statements:
            driver.execute(statement.replace("{database}", sa.make_url(db).database or ""))


def _alarm(name: str, db: str, *against: Path) -> list[str]:
    report = verify(db, *against)
    said = [damage.detail for damage in report.damages] + unchecked(report)
    return [f"{name}: {report.verdict} {said[:3]}"] if said or report.verdict != "intact" else []


def main(arguments: list[str] | None = None) -> int:
    """Do it all, and say what verify said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    options = parser.parse_args(arguments)
    server = Server() if options.engine == "postgresql" else None
    try:
        with tempfile.TemporaryDirectory() as name:
            factory: StoreFactory = PostgresDatabases(server) if server else SqliteFiles(Path(name))
            found = alarms(factory, Path(name))
    finally:
        if server:
            server.stop()
    for alarm in found:
        print("FALSE ALARM:", alarm)
    print(f"{len(found)} false alarms on {options.engine}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
