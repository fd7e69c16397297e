"""Stores that cannot be used: each is refused with what is wrong and what to do."""

from __future__ import annotations

import ctypes
import os
import resource
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from meta_audit.errors import StoreError, UsageError
from meta_audit.schema import HEAD
from meta_audit.store.location import locate, shown
from meta_audit.store.opening import open_to_read, open_to_upgrade, open_to_write
from tests.conftest import ROOT, Audit
from tests.store_factory import StoreFactory, administrator

COMMANDS = (
    ("ingest", "job.json"),
    ("trace", "j-1"),
    ("find",),
    ("rejections", "list"),
    ("rejections", "retry"),
    ("document", "j-1"),
    ("db", "upgrade"),
)

MAKING = (COMMANDS[0], ("rejections", "retry"))
"""Those that make a store where there is none."""


@pytest.fixture(autouse=True)
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document, and the directory that commands run in."""
    monkeypatch.chdir(tmp_path)
    Path("job.json").write_text('{"ID": "j-1", "Tasks": [{"Name": "t"}]}')


def set_revision(audit: Audit, revision: str) -> None:
    with administrator(audit.db) as one:
        one.run("UPDATE meta_audit_version SET version_num = ?", revision)


def refused(audit: Audit, *command: str) -> str:
    """What a command says when it refuses the store."""
    result = audit.run(*command)
    assert result.status == 4, result
    assert result.out == ""
    assert "Traceback" not in result.err
    assert result.err.startswith("Error: ")
    return result.err


@pytest.mark.parametrize("command", COMMANDS[:-1], ids=" ".join)
def test_an_older_schema(own: Audit, command: tuple[str, ...]) -> None:
    set_revision(own, "0000")
    said = refused(own, *command)
    assert f"has schema 0000; this program works with {HEAD}" in said
    assert f"meta-audit db upgrade --db {shlex.quote(shown(locate(str(own.db))))}" in said


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_newer_schema(own: Audit, command: tuple[str, ...]) -> None:
    set_revision(own, "9999")
    said = refused(own, *command)
    assert "has schema 9999, made by a newer meta-audit" in said
    assert "Upgrade meta-audit" in said


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_not_a_database(file: Audit, command: tuple[str, ...]) -> None:
    content = b"this is no database, whatever its name says" * 100
    file.db.write_bytes(content)
    assert "file is not a database" in refused(file, *command)
    assert file.db.read_bytes() == content


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_database_of_another_program(
    factory: StoreFactory, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    db = factory.new()
    with administrator(db) as one:
        one.run("CREATE TABLE theirs (a int)")
    assert "is not a meta-audit store" in refused(Audit(db, capsys), *command)
    engine = sa.create_engine(locate(db))
    assert sa.inspect(engine).get_table_names() == ["theirs"]
    engine.dispose()
    factory.drop(db)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in MAKING], ids=" ".join)
def test_no_store(file: Audit, command: tuple[str, ...]) -> None:
    file.db.unlink()
    assert "there is no store at" in refused(file, *command)
    assert not file.db.exists()


@pytest.mark.parametrize("left", ["nothing", "a header"])
def test_what_a_killed_first_use_leaves_is_completed(file: Audit, left: str) -> None:
    file.db.unlink()
    file.db.touch()
    if left == "a header":
        with closing(sqlite3.connect(file.db)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    result = file.ingest("job.json")
    assert result.status == 0
    assert "New store" in result.err


def test_a_directory_that_cannot_be_made(file: Audit, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file.db = tmp_path / "file" / "audit.db"
    assert "cannot make" in refused(file, "ingest", "job.json")


CAPBSET_DROP, DAC_OVERRIDE, DAC_READ_SEARCH = 24, 1, 2
"""Of prctl(2) and capabilities(7)."""


def obey_permissions() -> None:
    """Take from root, in a new process, what lets it write everything."""
    for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(CAPBSET_DROP, capability, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_may_not_be_written(file: Audit, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    db = folder / "audit.db"
    if what == "file":
        shutil.copy(file.db, db)
        db.chmod(0o444)
    folder.chmod(0o555)
    try:
        process = subprocess.run(
            [sys.executable, "-m", "meta_audit", "ingest", "job.json", "--db", db],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            preexec_fn=obey_permissions,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        folder.chmod(0o755)
    assert process.returncode == 4, process
    assert process.stderr.startswith(("Error: the store ", "Error: cannot make the store "))
    assert str(db) in process.stderr
    assert "Traceback" not in process.stderr


def test_a_disk_that_is_full(file: Audit) -> None:
    """The batch rolls back whole, and the same command again completes."""

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    command = [sys.executable, "-m", "meta_audit", "ingest", "--db", file.db, "jobs.ndjson"]
    lines = [
        f'{{"ID": "j-{n}", "Meta": {{"a": "{n:0900}"}}, "Tasks": [{{"Name": "t"}}]}}'
        for n in range(3_000)
    ]
    Path("jobs.ndjson").write_text("\n".join(lines))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        command, env=environment, preexec_fn=no_room, capture_output=True, text=True, check=False
    )
    assert process.returncode == 4, process.stderr
    assert "Traceback" not in process.stderr
    assert file.rows("SELECT count(*) FROM documents") == [(0,)]
    assert file.faults() == []
    assert file.ingest("jobs.ndjson").summary["new"] == 3_000
    assert file.faults() == []


def test_a_damaged_store(file: Audit) -> None:
    file.ingest("job.json")
    with closing(sqlite3.connect(file.db)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.db.read_bytes())
    for page in range(4, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    file.db.write_bytes(content)
    for command in COMMANDS[:4]:
        result = file.run(*command)
        assert result.status in (1, 4), (command, result)
        assert "Internal error" not in result.err


@pytest.mark.parametrize(
    "url",
    [
        *(
            "mysql://x/y",
            "sqlite://",
            "sqlite:///:memory:",
            "nonsense://",
            "sqlite:///a.db?mode=ro",
        ),
        *("", " ", ":memory:", "?mode=memory", "a.db?vfs=unix-none", "file:a.db", "SQLITE:a.db"),
        *("postgresql://", "postgresql://host", "postgresql:/host/db", "sqlite://host/a.db"),
        *("host=h dbname=d password=secret", "/dev/full"),
    ],
)
def test_urls_that_are_no_store(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        locate(url)
    assert "secret" not in f"{raised.value}{raised.value.advice}"


def test_where_the_store_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("META_AUDIT_DB", raising=False)
    assert locate(None).database == f"{tmp_path}/meta-audit/audit.db"
    monkeypatch.setenv("META_AUDIT_DB", "sqlite:////elsewhere.db")
    assert locate(None).database == "/elsewhere.db"
    assert locate("here.db").database == "here.db"
    monkeypatch.setenv("HOME", "/home/someone")
    assert locate("~/here.db").database == "/home/someone/here.db"


def test_a_name_full_of_signs(tmp_path: Path) -> None:
    path = tmp_path / "a b?c#d%41&mode=memory.db"
    open_to_write(str(path)).close()
    assert path.exists()
    for name in (str(path), f"/{path}"):
        store = open_to_read(name)
        store.engine.connect().close()
        store.close()
    open_to_upgrade(str(path)).close()


def test_reading_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        open_to_read(str(tmp_path / "missing.db"))
    assert not list(tmp_path.glob("missing*"))
