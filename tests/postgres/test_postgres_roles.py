"""Every role, every kind of statement, every table and view: nothing succeeds that should not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from meta_audit import cli
from meta_audit.schema.tables import FACT_TABLES
from tests.engines import Server

OWNER, IMPORTER, AUDITOR = ROLES = ("ma_owner", "ma_importer", 'ma "auditor"')
STATEMENTS = {
    "select": "SELECT * FROM {0} LIMIT 1",
    "insert": "INSERT INTO {0} SELECT * FROM {0} WHERE false",
    "copy": "COPY {0} FROM STDIN",
    "update": 'UPDATE {0} SET "{1}" = "{1}"',
    "delete": "DELETE FROM {0}",
    "truncate": "TRUNCATE {0} CASCADE",
    "alter": "ALTER TABLE {0} ADD COLUMN more int",
    "drop": "DROP TABLE {0} CASCADE",
    "drop view": "DROP VIEW {0}",
    "disable": "ALTER TABLE {0} DISABLE TRIGGER ALL",
    "trigger": "CREATE TRIGGER t BEFORE INSERT ON {0} EXECUTE FUNCTION meta_audit_append_only()",
    "rule": "CREATE RULE r AS ON INSERT TO {0} DO INSTEAD NOTHING",
    "index": 'CREATE INDEX more ON {0} ("{1}")',
    "references": 'CREATE TABLE more ("{1}" bigint REFERENCES {0})',
    "comment": "COMMENT ON TABLE {0} IS 'other'",
    "replace function": "CREATE OR REPLACE FUNCTION meta_audit_append_only() RETURNS trigger"
    " LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "grant": "GRANT ALL ON {0} TO CURRENT_USER",
    "owner": "ALTER TABLE {0} OWNER TO CURRENT_USER",
    "replication role": "SET session_replication_role = 'replica'",
}


@pytest.fixture(scope="module")
def store(postgres: Server, folder: Path) -> Iterator[str]:
    """A store with documents, and roles of it."""
    name = postgres.create_store()
    url = postgres.url(name)
    cli.run(["ingest", str(folder), "--db", url])
    roles = ["--owner", OWNER, "--importer", IMPORTER, "--auditor", AUDITOR]
    for _ in range(2):  # as after an upgrade
        assert cli.run(["db", "roles", *roles, "--apply", "--db", url]) == 0
    with postgres.connect(name) as connection:
        for role in (IMPORTER, AUDITOR):
            user = "user_of_" + role.replace('"', "").replace(" ", "_")
            quoted = role.replace('"', '""')
            connection.execute(f'CREATE ROLE {user} LOGIN; GRANT "{quoted}" TO {user}')
    yield url
    postgres.drop(name)
    with postgres.connect() as connection:
        for role in ("user_of_ma_importer", "user_of_ma_auditor", *ROLES):
            quoted = role.replace('"', '""')
            connection.execute(f'DROP OWNED BY "{quoted}"; DROP ROLE "{quoted}"')


def relations(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Tables and views, each with its first column."""
    return connection.execute(
        "SELECT c.relname, a.attname FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')"
    ).fetchall()


def allowed(role: str, kind: str, relation: str) -> bool:
    """Whether the statement may succeed."""
    if kind == "select":
        return True
    return role == IMPORTER and kind in {"insert", "copy"} and relation in FACT_TABLES


@pytest.mark.parametrize("role", [IMPORTER, AUDITOR])
def test_every_statement_on_every_relation(store: str, postgres: Server, role: str) -> None:
    unexpected = []
    with postgres.connect(sa.make_url(store).database or "") as connection:
        found = relations(connection)
        assert {name for name, _ in found} > set(FACT_TABLES)
        for (relation, column), (kind, sql) in itertools.product(found, STATEMENTS.items()):
            quoted = role.replace('"', '""')
            connection.execute(f'BEGIN; SET LOCAL ROLE "{quoted}"')
            try:
                with connection.cursor() as cursor:
                    statement = sql.format(relation, column)
                    if kind == "copy":
                        with cursor.copy(statement):
                            pass
                    else:
                        cursor.execute(statement)
                succeeded = True
            except psycopg.Error:
                succeeded = False
            connection.execute("ROLLBACK")
            if kind == "owner" and succeeded:
                pytest.fail(f"{role} took {relation}")
            if kind == "grant" and succeeded:  # a warning: nothing was granted
                continue
            if succeeded != allowed(role, kind, relation):
                unexpected.append((kind, relation, succeeded))
    assert unexpected == []


def test_the_owner_is_stopped_by_triggers(store: str, postgres: Server) -> None:
    with postgres.connect(sa.make_url(store).database or "") as connection:
        columns = dict(relations(connection))
        connection.execute(f"SET ROLE {OWNER}")
        for table, kind in itertools.product(FACT_TABLES, ("update", "delete", "truncate")):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(STATEMENTS[kind].format(table, columns[table]))


def test_no_grant_took_effect(store: str, postgres: Server) -> None:
    with postgres.connect(sa.make_url(store).database or "") as connection:
        for role in (IMPORTER, AUDITOR):
            quoted = role.replace('"', '""')
            for relation, _ in relations(connection):
                connection.execute(f'BEGIN; SET LOCAL ROLE "{quoted}"')
                try:
                    connection.execute(f"GRANT ALL ON {relation} TO PUBLIC")
                except psycopg.Error:
                    connection.execute("ROLLBACK")
                    continue
                rights = connection.execute(
                    "SELECT has_table_privilege('pg_monitor', %s, 'UPDATE, DELETE, TRUNCATE')",
                    (relation,),
                ).fetchone()
                connection.execute("ROLLBACK")
                assert rights == (False,)


def test_an_importer_imports_and_an_auditor_audits(
    store: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = sa.make_url(store)
    importer, auditor = (
        url.set(username=f"user_of_ma_{name}").render_as_string(hide_password=False)
        for name in ("importer", "auditor")
    )
    (tmp_path / "job.json").write_text(
        '{"ID": "j-by-importer", "Meta": {"new": "pair"},'
        ' "Tasks": [{"Name": "t", "Engine": {"Type": "noop"}}]}'
    )
    assert cli.run(["ingest", str(tmp_path), "--db", auditor]) == cli.Exit.STORE
    assert "may not do that" in capsys.readouterr().err
    assert cli.run(["ingest", str(tmp_path), str(folder), "--db", importer]) in (1, 3)
    assert cli.run(["rejections", "retry", "--db", importer]) == 1
    capsys.readouterr()
    for user in (importer, auditor):
        assert cli.run(["trace", "j-by-importer", "--db", user]) == 0
        assert cli.run(["find", "new=pair", "--db", user]) == 0
        assert cli.run(["rejections", "list", "--db", user]) == 0
    assert cli.run(["db", "roles", "--apply", "--db", importer]) == cli.Exit.STORE


def test_the_sql_is_printed(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["db", "roles", "--db", store]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("BEGIN;\n")
    assert printed.endswith("COMMIT;\n")
    assert "GRANT INSERT ON" in printed


def test_sqlite_has_no_roles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "job.json").write_text("{}")
    db = str(tmp_path / "audit.db")
    cli.run(["ingest", str(tmp_path / "job.json"), "--db", db])
    assert cli.run(["db", "roles", "--db", db]) == cli.Exit.USAGE
    assert "SQLite has no roles" in capsys.readouterr().err
