"""Every role, every kind of statement, every table and view: nothing succeeds that should not.

An administrator who is no superuser makes store and roles as docs/postgresql.md says; each role
is tried by somebody who logs in.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import sqlalchemy as sa

from meta_audit import cli
from meta_audit.schema.tables import DATA_TABLES, DERIVED_TABLES, FACT_TABLES
from meta_audit.store.opening import open_to_read, open_to_write
from meta_audit.store.retry import Retry
from tests.engines import Server
from tests.store_factory import database

OWNER, IMPORTER, AUDITOR = ROLES = ("ma_owner", "ma_importer", 'ma "auditor"')
NAMES = ("--owner", OWNER, "--importer", IMPORTER, "--auditor", AUDITOR)
ADMINISTRATOR = "ma_administrator"
LOGINS = {"keeper": OWNER, "nightly": IMPORTER, "alice": AUDITOR, "stranger": None}
"""Who logs in, and as a member of what."""

OF_RELATION = {
    "select": "SELECT * FROM {name} LIMIT 1",
    "insert": "INSERT INTO {name} SELECT * FROM {name} WHERE false",
    "insert, else update": "INSERT INTO {name} SELECT * FROM {name} WHERE false"
    ' ON CONFLICT {conflict} DO UPDATE SET "{column}" = excluded."{column}"',
    "insert, else nothing": "INSERT INTO {name} SELECT * FROM {name} WHERE false"
    " ON CONFLICT DO NOTHING",
    "copy in": "COPY {name} FROM STDIN",
    "update": 'UPDATE {name} SET "{column}" = "{column}"',
    "delete": "DELETE FROM {name}",
    "merge, update": "MERGE INTO {name} t USING (SELECT 1) s ON true"
    ' WHEN MATCHED THEN UPDATE SET "{column}" = t."{column}"',
    "merge, delete": "MERGE INTO {name} t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    "select for update": "SELECT * FROM {name} FOR UPDATE",
    "select for share": "SELECT * FROM {name} FOR SHARE",
    "lock": "LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE",
    "lock out writers": "LOCK TABLE {name} IN SHARE MODE",
    "truncate": "TRUNCATE {name} CASCADE",
    "add a column": "ALTER TABLE {name} ADD COLUMN more int",
    "drop a column": 'ALTER TABLE {name} DROP COLUMN "{column}" CASCADE',
    "change a type": 'ALTER TABLE {name} ALTER COLUMN "{column}" TYPE text',
    "rename": "ALTER TABLE {name} RENAME TO other",
    "rename a view": "ALTER VIEW {name} RENAME TO other",
    "drop": "DROP TABLE {name} CASCADE",
    "drop a view": "DROP VIEW {name} CASCADE",
    "replace a view": "CREATE OR REPLACE VIEW {name} AS SELECT 1 AS one",
    "disable triggers": "ALTER TABLE {name} DISABLE TRIGGER USER",
    "disable all triggers": "ALTER TABLE {name} DISABLE TRIGGER ALL",
    "drop a trigger": "DROP TRIGGER tr_{name}_append_only ON {name}",
    "make a trigger": "CREATE TRIGGER t BEFORE INSERT ON {name}"
    " EXECUTE FUNCTION meta_audit_append_only()",
    "make a rule": "CREATE RULE r AS ON INSERT TO {name} DO INSTEAD NOTHING",
    "make an index": 'CREATE INDEX more ON {name} ("{column}")',
    "make a policy": "CREATE POLICY p ON {name}",
    "hide rows": "ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
    "inherit": "CREATE TEMP TABLE child () INHERITS ({name})",
    "refer to": 'CREATE TABLE more ("{column}" bigint REFERENCES {name})',
    "refer to from temporary": 'CREATE TEMP TABLE more ("{column}" bigint REFERENCES {name})',
    "comment": "COMMENT ON TABLE {name} IS 'other'",
    "take": "ALTER TABLE {name} OWNER TO CURRENT_USER",
    "move": "ALTER TABLE {name} SET SCHEMA pg_catalog",
    "rebuild": "REINDEX TABLE {name}",
    "to a file": "COPY {name} TO '/tmp/meta-audit-copied'",
    "to a program": "COPY {name} TO PROGRAM 'cat'",
    "from a program": "COPY {name} FROM PROGRAM 'true'",
}
OF_STORE = {
    "make a table": "CREATE TABLE public.more (a int)",
    "make a view": "CREATE VIEW public.more AS SELECT 1 AS one",
    "make a function": "CREATE FUNCTION public.more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "make a sequence": "CREATE SEQUENCE public.more",
    "make a type": "CREATE TYPE public.more AS (a int)",
    "make a schema": "CREATE SCHEMA more",
    "make a schema of one's own": "CREATE SCHEMA AUTHORIZATION CURRENT_USER",
    "drop the schema": "DROP SCHEMA public CASCADE",
    "replace the function": "CREATE OR REPLACE FUNCTION meta_audit_append_only() RETURNS trigger"
    " LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "drop the function": "DROP FUNCTION meta_audit_append_only() CASCADE",
    "turn triggers off": "SET session_replication_role = 'replica'",
    "become the owner": f"SET ROLE {OWNER}",
    "become the importer": f"SET ROLE {IMPORTER}",
    "become the superuser": "SET ROLE postgres",
    "become somebody": "SET SESSION AUTHORIZATION postgres",
    "join the owner": f"GRANT {OWNER} TO CURRENT_USER",
    "join the importer": f"GRANT {IMPORTER} TO CURRENT_USER",
    "write all data": "GRANT pg_write_all_data TO CURRENT_USER",
    "change the owner": f"ALTER ROLE {OWNER} LOGIN PASSWORD 'x'",
    "make a role": "CREATE ROLE more SUPERUSER",
    "drop what is the owner's": f"DROP OWNED BY {OWNER} CASCADE",
    "take what is the owner's": f"REASSIGN OWNED BY {OWNER} TO CURRENT_USER",
    "change defaults": f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT ALL ON TABLES TO PUBLIC",
    "change the database": "ALTER DATABASE {database} SET session_replication_role = 'replica'",
    "rename the database": "ALTER DATABASE {database} RENAME TO other",
    "change the server": "ALTER SYSTEM SET fsync = off",
    "read a file": "SELECT pg_read_file('PG_VERSION')",
    "import a file": "SELECT lo_import('/etc/passwd')",
    "end others": "SELECT pg_terminate_backend({superuser})",
    "make an extension": "CREATE EXTENSION dblink",
    "make an event trigger": "CREATE EVENT TRIGGER e ON ddl_command_start"
    " EXECUTE FUNCTION meta_audit_append_only()",
    "take a number": "SELECT nextval('attribution_rules_rule_id_seq')",
    "set a number": "SELECT setval('attribution_rules_rule_id_seq', 9)",
    "publish": "CREATE PUBLICATION p FOR ALL TABLES",
    "temporary table": "CREATE TEMP TABLE documents (a int)",
}
MAY_READ = {"nightly", "alice"}
APPENDING = {"insert", "insert, else nothing", "copy in"}
REPLACING = {"delete", "merge, delete", "lock", "lock out writers"}
"""What importers may do with derived rows alone."""
ALLOWED = {"nightly": {"become the importer", "temporary table"}}
"""Beside reading and appending; `temporary table` is everybody's, and in the way of nobody."""


class Made(NamedTuple):
    """A store with roles."""

    db: str
    as_: Callable[[str], str]
    """URL for somebody who logs in."""


@pytest.fixture(scope="module")
def store(postgres: Server, folder: Path) -> Iterator[Made]:
    """What docs/postgresql.md tells an administrator to do."""
    with postgres.connect() as connection:
        connection.execute(f"CREATE ROLE {ADMINISTRATOR} LOGIN CREATEROLE")
        connection.execute(
            f"CREATE DATABASE ma_roles OWNER {ADMINISTRATOR} TEMPLATE template0 ENCODING 'UTF8'"
        )

    def as_(name: str) -> str:
        return postgres.url("ma_roles", name)

    db = as_(ADMINISTRATOR)
    assert cli.run(["ingest", str(folder), "--db", db]) in (1, 3)
    for _ in range(2):  # as after an upgrade
        assert cli.run(["db", "roles", *NAMES, "--apply", "--db", db]) == 0
    with login(db) as connection:
        for name, role in LOGINS.items():
            connection.execute(f"CREATE ROLE {name} LOGIN")
            if role:
                quoted = role.replace('"', '""')
                connection.execute(f'GRANT "{quoted}" TO {name}')
    yield Made(db, as_)
    with postgres.connect() as connection:
        connection.execute("DROP DATABASE ma_roles WITH (FORCE)")
        for role in (*LOGINS, *ROLES, ADMINISTRATOR):
            quoted = role.replace('"', '""')
            connection.execute(f'DROP OWNED BY "{quoted}"; DROP ROLE "{quoted}"')


def login(db: str) -> psycopg.Connection[Any]:
    """A connection of a user."""
    url = sa.make_url(db).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True)


def relations(connection: psycopg.Connection[Any]) -> list[dict[str, str]]:
    """Tables and views, each with its first column and its primary key."""
    rows = connection.execute(
        "SELECT c.relname, a.attname, k.conname FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1"
        " LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')"
    ).fetchall()
    return [
        {"name": name, "column": column, "conflict": f"ON CONSTRAINT {key}" if key else "(a)"}
        for name, column, key in rows
    ]


def succeeds(connection: psycopg.Connection[Any], statement: str) -> bool:
    """Whether a statement does what it says; it is undone."""
    connection.execute("BEGIN")
    try:
        with connection.cursor() as cursor:
            if "STDIN" in statement:
                with cursor.copy(statement):
                    pass
            else:
                cursor.execute(statement)
    except psycopg.Error:
        return False
    finally:
        connection.execute("ROLLBACK")
    return True


@pytest.mark.parametrize("name", ["nightly", "alice", "stranger"])
def test_every_statement_on_every_relation(store: Made, name: str) -> None:
    unexpected = []
    with login(store.as_(name)) as connection:
        found = relations(connection)
        assert {relation["name"] for relation in found} > set(FACT_TABLES)
        for relation, (kind, sql) in itertools.product(found, OF_RELATION.items()):
            allowed = (kind == "select" and name in MAY_READ) or (
                kind in APPENDING and name == "nightly" and relation["name"] in DATA_TABLES
            )
            if relation["name"] in DERIVED_TABLES and name == "nightly":
                allowed = allowed or kind in REPLACING
            if relation["name"] == "writer_lock" and name == "nightly":
                allowed = allowed or kind in ("select for update", "select for share")
            if succeeds(connection, sql.format(**relation)) != allowed:
                unexpected.append((kind, relation["name"]))
    assert unexpected == []
    assert len(found) * len(OF_RELATION) > 1_500


@pytest.mark.parametrize("name", ["nightly", "alice", "stranger"])
def test_every_statement_on_the_store(store: Made, postgres: Server, name: str) -> None:
    unexpected = []
    with postgres.connect() as superuser, login(store.as_(name)) as connection:
        words = {"database": "ma_roles", "superuser": superuser.info.backend_pid}
        for kind, sql in OF_STORE.items():
            allowed = kind in ALLOWED.get(name, {"temporary table"})
            if succeeds(connection, sql.format(**words)) != allowed:
                unexpected.append(kind)
    assert unexpected == []


@pytest.mark.parametrize("name", ["nightly", "alice", "stranger"])
def test_no_grant_takes_effect(store: Made, name: str) -> None:
    """What one has without the right to grant it is granted with a warning alone."""
    with login(store.as_(name)) as connection:
        for relation in relations(connection):
            connection.execute("BEGIN")
            try:
                connection.execute(f"GRANT ALL ON {relation['name']} TO PUBLIC")
            except psycopg.Error:
                connection.execute("ROLLBACK")
                continue
            rights = connection.execute(
                "SELECT has_table_privilege('pg_monitor', %s, 'UPDATE, DELETE, TRUNCATE')",
                (relation["name"],),
            ).fetchone()
            connection.execute("ROLLBACK")
            assert rights == (False,)


def test_the_owner_is_stopped_by_triggers(store: Made) -> None:
    with login(store.as_("keeper")) as connection:
        found = {relation["name"]: relation for relation in relations(connection)}
        for table, kind in itertools.product(
            FACT_TABLES, ("update", "delete", "truncate", "merge, update", "merge, delete")
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(OF_RELATION[kind].format(**found[table]))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(OF_STORE["turn triggers off"])


@pytest.mark.parametrize(
    "round_",
    [
        ("ALTER TABLE meta_pairs DISABLE TRIGGER USER",),
        ("DROP TRIGGER tr_meta_pairs_append_only ON meta_pairs",),
        (
            "CREATE OR REPLACE FUNCTION meta_audit_append_only() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RETURN NULL; END $$",
        ),
        (
            "CREATE TABLE other (LIKE meta_pairs INCLUDING ALL)",
            "INSERT INTO other SELECT * FROM meta_pairs",
            "ALTER TABLE meta_pairs RENAME TO former",
            "ALTER TABLE other RENAME TO meta_pairs",
        ),
    ],
    ids=["disabled", "dropped", "replaced", "another table"],
)
def test_the_owner_who_gets_round_them_is_found_out(
    store: Made, postgres: Server, round_: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    copy = postgres.create("ma_roles")
    with login(postgres.url(copy, "keeper")) as connection:
        connection.execute(f"SET ROLE {OWNER}")
        for statement in round_:
            connection.execute(statement)
        connection.execute("UPDATE meta_pairs SET value = 'changed' WHERE pair_id = 3")
    assert cli.run(["verify", "--db", postgres.url(copy)]) == cli.Exit.ATTENTION
    assert "NOT INTACT" in capsys.readouterr().out
    postgres.drop(copy)


@pytest.mark.parametrize("opened", [open_to_read, open_to_write])
def test_temporary_tables_do_not_shadow(store: Made, opened: Callable[[str], Any]) -> None:
    """As one that a pooler's session may have left."""
    found = opened(store.as_("nightly"))
    with found.engine.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        connection.exec_driver_sql("CREATE TEMP TABLE documents (a int)")
        assert connection.exec_driver_sql("SELECT count(*) FROM documents").scalar() > 0
    found.close()


def test_an_importer_imports_and_an_auditor_audits(
    store: Made, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    importer, auditor, keeper = map(store.as_, ("nightly", "alice", "keeper"))
    (tmp_path / "job.json").write_text(
        '{"ID": "j-by-importer", "Meta": {"new": "pair"},'
        ' "Tasks": [{"Name": "t", "Engine": {"Type": "noop"}}]}'
    )
    for user in (auditor, store.as_("stranger")):
        assert cli.run(["ingest", str(tmp_path), "--db", user]) == cli.Exit.STORE
        assert "Use a role with the right to do this" in capsys.readouterr().err
    assert cli.run(["ingest", str(tmp_path), str(folder), "--db", importer]) == 0
    assert cli.run(["rejections", "retry", "--db", importer]) == 0
    for user in (importer, auditor, keeper):
        capsys.readouterr()
        for command in (
            ("trace", "j-by-importer"),
            ("find", "new=pair"),
            ("find", "new=pair", "--as-of", "2100", "--at", "2100"),
            ("document", "j-by-importer"),
            ("rejections", "list"),
            ("checkpoint", "list"),
            ("verify",),
        ):
            assert cli.run([*command, "--db", user]) == 0, (command, capsys.readouterr().err)
    for command in (("db", "roles", *NAMES, "--apply"), ("db", "roles", "--apply")):
        assert cli.run([*command, "--db", importer]) == cli.Exit.STORE
        assert "Use a role with the right to do this" in capsys.readouterr().err


def test_an_auditor_cannot_keep_importers_out(store: Made, folder: Path) -> None:
    with login(store.as_("alice")) as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE imports, documents, writer_lock IN ACCESS SHARE MODE")
        connection.execute("SELECT pg_advisory_lock_shared(n) FROM generate_series(1, 9) n")
        connection.execute(
            "SELECT pg_advisory_lock(1296393313, hashtext(current_schema())),"
            " pg_advisory_lock(1296393313)"
        )
        writer = open_to_write(store.as_("nightly"), retry=Retry(write_seconds=0, busy_seconds=0))
        session = writer.session()
        session.query("SET lock_timeout = '1s'")
        session.begin()
        session.rollback()
        writer.close()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT 1 FROM writer_lock FOR SHARE")


@pytest.mark.parametrize("table", ["jobs", "readings"])
def test_hidden_rows_are_no_answer(
    store: Made, postgres: Server, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What row security leaves over would look like all that there is."""
    with postgres.connect(database(store.db)) as connection:
        connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        try:
            for command in (["find"], ["report"], ["export", "--to", "-"], ["verify"]):
                status = cli.run([*command, "--db", store.as_("alice")])
                said = "".join(capsys.readouterr())
                assert status == (1 if command == ["verify"] else 4), said
                assert f'row-level security policy for table "{table}"' in said
        finally:
            connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def test_a_role_that_may_only_read_transactions(
    store: Made,
    postgres: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("META_AUDIT_WAIT", "0")
    setting = "default_transaction_read_only"
    with postgres.connect() as connection:
        for name, command in (("alice", ["find"]), ("nightly", ["ingest", str(folder)])):
            connection.execute(f"ALTER ROLE {name} SET {setting} = on")
            assert cli.run([*command, "--db", store.as_(name)]) == 4
            connection.execute(f"ALTER ROLE {name} RESET {setting}")
            said = capsys.readouterr().err
            assert setting in said.splitlines()[-1]


def test_a_member_of_the_owner_upgrades(store: Made, capsys: pytest.CaptureFixture[str]) -> None:
    separator = "&" if "?" in store.as_("keeper") else "?"
    db = f"{store.as_('keeper')}{separator}options=-crole%3D{OWNER}"
    assert cli.run(["db", "upgrade", "--db", db]) == 0
    with login(db) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (OWNER,)
        connection.execute("BEGIN; CREATE TABLE more (a int); ROLLBACK")


def test_the_sql_is_printed(store: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["db", "roles", "--db", store.db]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("BEGIN;\n")
    assert printed.endswith("COMMIT;\n")
    assert "GRANT INSERT ON" in printed


def test_what_is_printed_runs(
    store: Made, postgres: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["db", "roles", *NAMES, "--db", store.db]) == 0
    with postgres.connect(database(store.db)) as connection:
        connection.execute(capsys.readouterr().out)


def test_sqlite_has_no_roles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "job.json").write_text("{}")
    db = str(tmp_path / "audit.db")
    cli.run(["ingest", str(tmp_path / "job.json"), "--db", db])
    assert cli.run(["db", "roles", "--db", db]) == cli.Exit.USAGE
    assert "SQLite has no roles" in capsys.readouterr().err
