"""From a URL to a store: making it, several processes at once, and refusing what is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from meta_audit import cli
from meta_audit.errors import StoreError, UsageError
from meta_audit.schema import HEAD
from meta_audit.schema.tables import indexes, metadata
from meta_audit.store.location import locate, shown
from meta_audit.store.opening import open_to_read, open_to_write
from tests.engines import Server

ROOT = Path(__file__).resolve().parents[2]
JOB = b'{"ID": "j-1", "Name": "n", "Tasks": [{"Name": "t", "Engine": {"Type": "noop"}}]}'


@pytest.fixture
def empty(postgres: Server) -> Iterator[str]:
    """URL of a database with nothing in it."""
    name = postgres.create()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_schemes(scheme: str) -> None:
    assert (
        locate(f"{scheme}://u:secret@h:5433/d?sslmode=require").drivername == "postgresql+psycopg"
    )


@pytest.mark.parametrize("url", ["postgresql+psycopg2://h/d", "mysql://h/d", "postgresql://h:x/d"])
def test_no_such_engine(url: str) -> None:
    with pytest.raises(UsageError):
        locate(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:sec@ret@h/d",
        "postgresql://u:sec@ret@h,i/d",
        "postgresql://h/d?PASSWORD=secret",
        "postgresql://h/d?Password=secret&sslPassword=secret",
        "postgresql:u:secret@h/d",
    ],
)
def test_no_password_in_an_error(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a URL that nobody can connect to."""
    for command in (["find", "--db", url], ["db", "path", "--db", url]):
        cli.run(command)
        said = "".join(capsys.readouterr())
        assert "ret" not in said.replace("secrets", "")
        assert "Internal" not in said


def test_a_socket_without_a_file() -> None:
    assert locate("postgresql://u@/d?host=@here").query["host"] == "@here"
    assert locate("postgresql://u@/d?host=h,@here").query["host"] == "h,@here"


def test_no_password_is_shown() -> None:
    hidden = "password=secret&sslpassword=secret"
    said = shown(locate(f"postgresql://u:secret@h/d?{hidden}&sslmode=require"))
    assert said == "postgresql://u@h/d?sslmode=require"
    assert shown(locate(said)) == said, "what is shown can be given again"


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgresql://u:p%40@a:5432,b:5433/d?sslmode=require", "a,b", "5432,5433"),
        ("postgresql://a,b/d", "a,b", ","),
        ("postgresql://u@[::1]:5,b:6/d", "::1,b", "5,6"),
        ("postgresql:///d?host=a:1,b:2", "a,b", "1,2"),
        ("postgresql:///d?host=a:1&host=b:2", "a,b", "1,2"),
        ("postgresql:///d?host=a,b&port=1,2", "a,b", "1,2"),
        ("postgresql:///d?host=/run/a,/run/b", "/run/a,/run/b", ","),
    ],
)
def test_several_hosts(url: str, host: str, port: str) -> None:
    found = locate(url)
    assert (found.host, found.port, found.database) == (None, None, "d")
    assert (found.query["host"], found.query["port"]) == (host, port)
    assert locate(found.render_as_string(hide_password=False)) == found


def test_sqlite_does_not_import_psycopg(tmp_path: Path) -> None:
    code = (
        "import sys; from meta_audit.store.opening import *;"
        f"open_to_write({str(tmp_path / 'a.db')!r}); open_to_read({str(tmp_path / 'a.db')!r});"
        "print({'psycopg', 'meta_audit.store.postgresql.backend'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_without_psycopg_the_advice_is_to_install_it() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None; from meta_audit import cli; "
        "sys.exit(cli.run(['find', '--db', 'postgresql://h/d']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == cli.Exit.STORE, done.stderr
    assert "pip install 'meta-audit[postgresql]'" in done.stderr


@pytest.mark.parametrize(
    ("database", "advice"), [("no_such_database", "createdb"), ("user", "user and password")]
)
def test_cannot_connect(
    postgres: Server, database: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = (
        postgres.url("postgres", user="nobody_there")
        if database == "user"
        else postgres.url(database)
    )
    for command in (["find"], ["ingest", __file__]):
        assert cli.run([*command, "--db", url]) == cli.Exit.STORE
        assert advice in capsys.readouterr().err


def test_no_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("META_AUDIT_WAIT", "0.3")
    assert cli.run(["find", "--db", "postgresql://127.0.0.1:1/d"]) == cli.Exit.STORE
    assert "Check that the server is up" in capsys.readouterr().err


def test_reading_makes_no_store(empty: str) -> None:
    with pytest.raises(StoreError, match="not a meta-audit store"):
        open_to_read(empty)


def test_a_database_of_another_program_is_left_alone(postgres: Server, empty: str) -> None:
    with postgres.connect(sa.make_url(empty).database or "") as connection:
        connection.execute("CREATE TABLE others (n int)")
    with pytest.raises(StoreError, match="not a meta-audit store"):
        open_to_write(empty)
    with postgres.connect(sa.make_url(empty).database or "") as connection:
        connection.execute("CREATE SCHEMA audit")
    url = sa.make_url(empty).update_query_dict({"options": "-csearch_path=audit"})
    in_schema = url.render_as_string(hide_password=False)
    store = open_to_write(in_schema)
    assert store.created
    assert store.revision() == HEAD
    store.close()


def test_extensions_do_not_count(postgres: Server, empty: str) -> None:
    with postgres.connect(sa.make_url(empty).database or "") as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'"
        ).fetchone()
        if not found:
            pytest.skip("the server brings no extension with views")
        connection.execute("CREATE EXTENSION pg_stat_statements")
    store = open_to_write(empty)
    assert store.created
    store.close()


def test_several_make_a_store_at_once(empty: str) -> None:
    def make(_: int) -> bool:
        store = open_to_write(empty)
        store.close()
        return store.created

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, range(4)))
    assert any(made)


def test_other_encodings_are_refused(postgres: Server) -> None:
    with postgres.connect() as connection:
        connection.execute(
            "CREATE DATABASE meta_audit_latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
        )
    try:
        with pytest.raises(StoreError, match="encoding LATIN1"):
            open_to_write(postgres.url("meta_audit_latin1"))
    finally:
        with postgres.connect() as connection:
            connection.execute("DROP DATABASE meta_audit_latin1 WITH (FORCE)")


def test_a_schema_that_is_not_there(empty: str) -> None:
    url = sa.make_url(empty).update_query_dict({"options": "-csearch_path=audit"})
    with pytest.raises(StoreError, match="no schema in search_path exists") as caught:
        open_to_write(url.render_as_string(hide_password=False))
    assert "CREATE SCHEMA" in caught.value.advice


@pytest.mark.parametrize("setting", ["synchronous_commit"])
def test_unsafe_servers_are_refused(
    postgres: Server,
    postgres_own_url: str,
    setting: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = sa.make_url(postgres_own_url).database or ""
    with postgres.connect() as connection:
        connection.execute(f"ALTER DATABASE {name} SET {setting} = off")
    (tmp_path / "job.json").write_bytes(JOB)
    command = ["ingest", str(tmp_path), "--db", postgres_own_url]
    assert cli.run(command) == cli.Exit.STORE
    assert f"{setting} off" in capsys.readouterr().err
    assert cli.run([*command, "--allow-unsafe-server"]) == cli.Exit.DONE
    assert cli.run(["find", "--db", postgres_own_url]) == cli.Exit.DONE


def test_the_migrated_schema_is_that_of_the_code(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table in metadata.tables.values():
        monkeypatch.setattr(table, "indexes", set(indexes(table, "postgresql")))
    store = open_to_read(postgres_url)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    store.close()
    assert [d for d in differences if d[0] != "remove_table"] == []


def test_texts_sort_by_code_point(postgres_url: str) -> None:
    store = open_to_read(postgres_url)
    with store.engine.connect() as connection:
        other = connection.exec_driver_sql(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND data_type = 'text'"
            " AND collation_name IS DISTINCT FROM 'C' AND table_name NOT LIKE 'v\\_%%'"
        ).fetchall()
    store.close()
    assert other == []
