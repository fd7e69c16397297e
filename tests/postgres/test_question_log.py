"""`--log-queries`: what auditors ask is logged before it is answered, by many at a time.

Roles are made as docs/postgresql.md says, by an administrator who is no superuser.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import sqlalchemy as sa

from meta_audit import cli
from meta_audit.record.questions import log_question
from meta_audit.record.runs import actor
from meta_audit.schema import migrate
from meta_audit.store.opening import open_to_read
from tests.conftest import Audit
from tests.engines import Server
from tests.ingest.documents import compact, job
from tests.postgres.test_roles import login
from tests.store_factory import administrator

ROLES = ("ql_owner", "ql_importer", "ql_auditor")
NAMES = ("--owner", ROLES[0], "--importer", ROLES[1], "--auditor", ROLES[2])
LOGINS = {"ql_alice": ROLES[2], "ql_bob": ROLES[2], "ql_nightly": ROLES[1], "ql_stranger": None}
ALICE, BOB, NIGHTLY, STRANGER = LOGINS
ID = job(1)["ID"]
LAST = "SELECT role, actor, command, arguments FROM v_questions ORDER BY question_no DESC LIMIT 1"
Rows = list[tuple[Any, ...]]


class Made(NamedTuple):
    """A store with roles."""

    server: Server
    name: str

    def url(self, user: str = "ql_admin") -> str:
        return self.server.url(self.name, user)

    def run(self, user: str, *arguments: str | Path) -> int:
        return cli.run([*map(str, arguments), "--db", self.url(user)])

    def rows(self, sql: str) -> Rows:
        with self.server.connect(self.name) as connection:
            return connection.execute(sql.encode()).fetchall()

    def count(self) -> int:
        return int(self.rows("SELECT count(*) FROM questions")[0][0])


@pytest.fixture(scope="module")
def store(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    made = Made(postgres, "ql_store")
    document = tmp_path_factory.mktemp("questions") / "job.json"
    document.write_bytes(compact(job(1)))
    with postgres.connect() as connection:
        connection.execute("CREATE ROLE ql_admin LOGIN CREATEROLE")
        connection.execute(
            "CREATE DATABASE ql_store OWNER ql_admin TEMPLATE template0 ENCODING 'UTF8'"
        )
    assert made.run("ql_admin", "ingest", document) == 0
    assert made.run("ql_admin", "db", "roles", *NAMES, "--apply") == 0
    with login(made.url()) as connection:
        for name, role in LOGINS.items():
            connection.execute(f"CREATE ROLE {name} LOGIN")
            if role:
                connection.execute(f"GRANT {role} TO {name}")
    yield made
    with postgres.connect() as connection:
        connection.execute("DROP DATABASE ql_store WITH (FORCE)")
        for role in (*LOGINS, *ROLES, "ql_admin"):
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_what_an_auditor_asks_is_logged(store: Made, capsys: pytest.CaptureFixture[str]) -> None:
    before, count = time.time_ns(), store.count()
    assert store.run(ALICE, "trace", ID, "--format", "json") == 0
    assert ID in capsys.readouterr().out
    assert store.count() == count + 1
    ((role, who, command, arguments),) = store.rows(LAST)
    assert (role, who, command) == (ALICE, actor(), "trace")
    assert json.loads(arguments) == [ID, "--format=json"]
    ((asked,),) = store.rows("SELECT max(asked_ns) FROM v_questions")
    assert before - 10**9 < asked < time.time_ns() + 10**9


@pytest.mark.parametrize(
    ("given", "command", "arguments"),
    [
        (("find",), "find", []),
        (
            ("find", "a=b", "not c=d", "--limit", "3", "--all", "--columns", "team,label:env"),
            "find",
            ["a=b", "not c=d", "--limit=3", "--all", "--columns=team,label:env"],
        ),
        (("prove", "--find", "a=b", "--find", "c=d"), "prove", ["--find=a=b", "--find=c=d"]),
        (("checkpoint", "show", "1"), "checkpoint show", ["1"]),
        (("alias", "list"), "alias list", []),
        (("clients", "--since", "2024"), "clients", ["--since=2024"]),
        (("sql",), "sql", []),
        (("sql", "SELECT 'ä\ud800'"), "sql", ["SELECT 'ä\\ud800'"]),
        (
            ("compare", "http://ana:secret@127.0.0.1:1/"),
            "compare",
            ["http://ana@127.0.0.1:1/"],
        ),
        (
            ("find", "image=docker://host:5000/image@sha256:0"),
            "find",
            ["image=docker://host:5000/image@sha256:0"],
        ),
        (
            (
                "lake",
                "sync",
                "s3://b/l",
                "--catalog",
                "postgresql+psycopg://u:s/e@t@h/d?password=x",
            ),
            "lake sync",
            ["s3://b/l", "--catalog=postgresql+psycopg://u@h/d?password="],
        ),
    ],
)
def test_arguments_are_logged_without_passwords(
    store: Made, given: tuple[str, ...], command: str, arguments: list[str], capsys
) -> None:
    count = store.count()
    store.run(ALICE, *given)
    assert store.count() == count + 1
    ((_, _, said, logged),) = store.rows(LAST)
    assert (said, json.loads(logged)) == (command, arguments)


def test_a_query_is_logged_wherever_it_comes_from(
    store: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    (tmp_path / "one.sql").write_text("SELECT 1 AS one")
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 2 AS two"))
    for given, query in ((tmp_path / "one.sql", "SELECT 1 AS one"), ("-", "SELECT 2 AS two")):
        assert store.run(ALICE, "sql", given) == 0
        assert json.loads(store.rows(LAST)[0][3]) == [query]


@pytest.mark.parametrize("user", ["ql_admin", NIGHTLY, "postgres"])
def test_others_are_logged_where_they_say_so(store: Made, user: str, capsys) -> None:
    """Neither the administrator who made the roles, nor importers, nor superusers."""
    count = store.count()
    assert store.run(user, "trace", ID) == 0
    assert store.count() == count
    assert store.run(user, "trace", ID, "--log-queries") == 0
    assert store.rows(LAST)[0][0] == user
    assert store.run(ALICE, "trace", ID, "--no-log-queries") == 0
    assert store.count() == count + 1


def test_a_role_that_is_taken_on_is_logged_under_the_login(store: Made, capsys) -> None:
    taken = (
        f"{store.url(ALICE)}{'&' if '?' in store.url(ALICE) else '?'}options=-crole%3D{ROLES[2]}"
    )
    assert cli.run(["find", "--db", taken]) == 0
    assert store.rows(LAST)[0][0] == ALICE


def test_verify_writes_nothing(store: Made, capsys) -> None:
    count = store.count()
    assert store.run(ALICE, "verify") == 0
    assert store.count() == count
    assert store.run(ALICE, "verify", "--log-queries") == 2


def test_a_copy_is_a_question(store: Made, tmp_path: Path, capsys) -> None:
    target = str(tmp_path / "copy.db")
    assert cli.run(["db", "copy", store.url(ALICE), target]) == 0
    ((role, _, command, arguments),) = store.rows(LAST)
    assert (role, command, json.loads(arguments)[1]) == (ALICE, "db copy", target)
    with closing(open_to_read(target)) as copied:
        sql = "SELECT command FROM v_questions ORDER BY question_no DESC LIMIT 1"
        assert copied.read(lambda session: session.value(sql)) == "db copy"


def test_sqlite_refuses(file: Audit, tmp_path: Path) -> None:
    (tmp_path / "job.json").write_bytes(compact(job(1)))
    file.ingest(tmp_path / "job.json")
    assert file.run("find").status == 0
    assert file.run("find", "--no-log-queries").status == 0
    refused = file.run("find", "--log-queries")
    assert (refused.status, refused.out) == (2, "")
    assert "a store in SQLite keeps no log of questions" in refused.err
    assert file.rows("SELECT * FROM v_questions") == []


def test_a_configuration_says_so_for_a_command(store: Made, tmp_path: Path, capsys) -> None:
    (tmp_path / "c.toml").write_text("[find]\nlog-queries = false\n")
    count = store.count()
    db = store.url(ALICE)
    assert cli.run(["--config", str(tmp_path / "c.toml"), "find", "--db", db]) == 0
    assert store.count() == count
    assert cli.run(["--config", str(tmp_path / "c.toml"), "trace", ID, "--db", db]) == 0
    assert store.count() == count + 1


def test_what_cannot_be_logged_is_not_answered(
    store: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("META_AUDIT_WAIT", "0.2")
    with store.server.connect() as connection:
        connection.execute(f"ALTER ROLE {ALICE} SET default_transaction_read_only = on")
    with store.server.connect(store.name) as connection:
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {STRANGER}")
    try:
        for user, given in ((ALICE, ()), (STRANGER, ("--log-queries",))):
            capsys.readouterr()
            assert store.run(user, "trace", ID, *given) == 4
            said = capsys.readouterr()
            assert said.out == ""
            assert "the question is not answered, because it cannot be logged" in said.err
        assert store.run(STRANGER, "trace", ID) == 0
        assert store.run(ALICE, "trace", ID, "--no-log-queries") == 0
    finally:
        with store.server.connect(store.name) as connection:
            connection.execute(f"ALTER ROLE {ALICE} RESET default_transaction_read_only")
            connection.execute(f"REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM {STRANGER}")


def test_a_question_has_a_length(store: Made, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it is logged, or it is not answered."""
    most = 99_000
    assert store.run(ALICE, "sql", f"SELECT 1 -- {'x' * most}") == 0
    assert len(store.rows(LAST)[0][3]) > most
    count = store.count()
    assert store.run(ALICE, "sql", f"SELECT 1 -- {'x' * (most + 1_000)}") == 2
    assert "too long to be logged" in capsys.readouterr().err
    assert store.count() == count


LAST_NO = "(SELECT max(question_no) FROM questions)"


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO questions VALUES ({LAST_NO} + 1, {LAST_NO}, 1, 'bob', 'a', 'c', '[]')",
        "INSERT INTO questions (question_no, follows, role, actor, command, arguments)"
        f" VALUES ({LAST_NO} + 1, {LAST_NO}, 'bob', 'a', 'c', '[]')",
        "INSERT INTO questions (question_no, follows, asked_at, actor, command, arguments)"
        f" VALUES ({LAST_NO} + 1, {LAST_NO}, 1, 'a', 'c', '[]')",
        "INSERT INTO questions (question_no, follows, actor, command, arguments)"
        f" VALUES ({LAST_NO} + 2, {LAST_NO} + 1, 'a', 'c', '[]')",
        "INSERT INTO questions (question_no, follows, actor, command, arguments)"
        f" VALUES ({LAST_NO} + 2, {LAST_NO}, 'a', 'c', '[]')",
        "INSERT INTO questions (question_no, follows, actor, command, arguments)"
        " VALUES (9223372036854775807, NULL, 'a', 'c', '[]')",
        "INSERT INTO questions (question_no, follows, actor, command, arguments)"
        " VALUES (0, -1, 'a', 'c', '[]')",
        "INSERT INTO questions (question_no, actor, command, arguments) VALUES (1, 'a', 'c', '[]')",
        "INSERT INTO questions (question_no, follows, actor, command, arguments)"
        f" VALUES ({LAST_NO} + 1, {LAST_NO}, 'a', 'c', repeat('x', 100000))",
        "COPY questions FROM STDIN",
        "UPDATE questions SET command = 'find'",
        "DELETE FROM questions",
        "TRUNCATE questions",
        "SELECT 1 FROM questions FOR UPDATE",
        "SELECT 1 FROM questions FOR KEY SHARE",
    ],
)
def test_an_auditor_can_only_add_the_next_one(store: Made, statement: str, capsys) -> None:
    store.run(BOB, "find")
    with login(store.url(ALICE)) as connection:
        with pytest.raises(psycopg.Error) as raised:
            connection.execute(statement.encode())
        assert (raised.value.sqlstate or "")[:2] in ("42", "23")
        number = connection.execute(
            "INSERT INTO questions (question_no, follows, actor, command, arguments)"
            f" VALUES ({LAST_NO} + 1, {LAST_NO}, 'a', 'c', '[]') RETURNING role"
        ).fetchone()
        assert number == (ALICE,)


def test_an_upgraded_store_logs_when_its_roles_are_made_again(
    store: Made, tmp_path: Path, capsys
) -> None:
    """The new table has the owner and readers of the others; `db roles` lets auditors log."""
    old = store._replace(name=store.server.create("ql_store"))
    with administrator(old.url("postgres")) as one:
        one.run("DELETE FROM questions")
    engine = sa.create_engine(old.url("postgres"))
    with engine.begin() as connection:
        migrate.downgrade(connection, "0006")
    engine.dispose()
    try:
        assert old.run("ql_admin", "db", "upgrade") == 0
        assert old.run(ALICE, "sql", "SELECT * FROM v_questions") == 0
        assert old.run(STRANGER, "sql", "SELECT * FROM v_questions") == 4
        owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'questions'"
        assert old.rows(owner) == [(ROLES[0],)]
        assert old.count() == 0
        assert old.run("ql_admin", "db", "roles", *NAMES, "--apply") == 0
        assert old.run(ALICE, "find") == 0
        assert old.count() == 1
    finally:
        store.server.drop(old.name)


def test_many_ask_while_one_imports(store: Made, tmp_path: Path, capsys) -> None:
    """Their numbers have no gap, and each checkpoint signs what was committed before it."""
    before, threads, each = store.count(), 8, 20
    start = threading.Barrier(threads + 1)

    def ask(number: int) -> list[int | None]:
        user = (ALICE, BOB)[number % 2]
        with closing(open_to_read(store.url(user))) as opened:
            start.wait()
            return [
                log_question(opened, "trace", [f"{number}", f"{n}"], wanted=None)
                for n in range(each)
            ]

    with ThreadPoolExecutor(threads) as pool:
        asking = [pool.submit(ask, number) for number in range(threads)]
        start.wait()
        imports = 0
        while not all(one.done() for one in asking) or not imports:
            imports += 1
            (tmp_path / f"{imports}.json").write_bytes(compact(job(100 + imports)))
            assert store.run(NIGHTLY, "ingest", tmp_path / f"{imports}.json") == 0
        numbers = [number for one in asking for number in one.result()]
    assert sorted(filter(None, numbers)) == list(range(before + 1, before + threads * each + 1))
    assert all(one.result() == sorted(filter(None, one.result())) for one in asking)
    assert store.run(NIGHTLY, "ingest", tmp_path) == 0
    capsys.readouterr()
    assert store.run(ALICE, "verify") == 0
    assert "not signed yet" not in capsys.readouterr().out


def test_one_who_holds_on_keeps_no_importer_out(
    store: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """Other auditors wait for the number, and get it when the transaction is undone."""
    (tmp_path / "job.json").write_bytes(compact(job(900)))
    with login(store.url(ALICE)) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("BEGIN")
        ((number,),) = connection.execute(
            "INSERT INTO questions (question_no, follows, actor, command, arguments)"
            f" VALUES ({LAST_NO} + 1, {LAST_NO}, 'a', 'c', '[]') RETURNING question_no"
        )
        assert store.run(NIGHTLY, "ingest", tmp_path / "job.json") == 0
        with closing(open_to_read(store.url(BOB))) as opened:
            waiting = pool.submit(log_question, opened, "find", [], wanted=None)
            wait = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while store.rows(wait) == [(0,)]:
                time.sleep(0.05)
            assert not waiting.done()
            connection.execute("ROLLBACK")
            assert waiting.result() == number
    assert store.run(ALICE, "verify") == 0
