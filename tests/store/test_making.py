"""A store is made completely, or nothing of it stays."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from meta_audit import cli
from meta_audit.errors import StoreError
from meta_audit.schema import migrate
from meta_audit.store.opening import open_to_read, open_to_write
from tests.conftest import ROOT
from tests.store_factory import StoreFactory, administrator


def database_error(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SELECT nothing FROM nowhere")


def ctrl_c(_: sa.Connection) -> None:
    raise KeyboardInterrupt


@pytest.fixture(params=[database_error, ctrl_c])
def failing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the migrations fail when the tables are there."""

    def upgrade(connection: sa.Connection) -> None:
        original(connection)
        request.param(connection)

    original = migrate.upgrade
    monkeypatch.setattr(migrate, "upgrade", upgrade)


def make(db: str) -> None:
    open_to_write(db).close()


@pytest.mark.usefixtures("failing")
def test_nothing_is_left_of_a_store_that_could_not_be_made(
    factory: StoreFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = factory.new()
    with pytest.raises((StoreError, KeyboardInterrupt)):
        make(db)
    assert relations(db) == []
    monkeypatch.undo()
    make(db)
    open_to_read(db).close()
    factory.drop(db)


def relations(db: str) -> list[str]:
    """List the tables of a database, or of a file that is not there."""
    if "://" not in db:
        return sorted(str(path) for path in Path(db).parent.glob(f"*{Path(db).name}*"))
    with administrator(db) as one:
        tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        return [name for (name,) in one.run(tables)]


@pytest.mark.usefixtures("failing")
def test_a_directory_that_was_made_for_the_store_goes_too(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for parent in (tmp_path / "there", tmp_path / "not" / "there"):
        with pytest.raises((StoreError, KeyboardInterrupt)):
            make(str(parent / "audit.db"))
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "there"]


def test_the_disk_is_full_while_the_tables_are_made(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{"ID": "j-1", "Tasks": [{"Name": "t"}]}')

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    def ingest(limit: Callable[[], None] | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "meta_audit", "ingest", "job.json", "--db", "new/audit.db"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            preexec_fn=limit,
            capture_output=True,
            text=True,
            check=False,
        )

    failed = ingest(no_room)
    assert failed.returncode == 4, failed.stderr
    assert "Error: the store " in failed.stderr
    assert "Traceback" not in failed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]
    assert ingest(None).returncode == 0


def test_the_permissions_of_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What SQLite keeps beside a store has them, too."""
    db = tmp_path / "new" / "audit.db"

    def run(*arguments: str) -> int:
        return cli.run([*arguments, "--db", str(db)])

    def modes() -> set[int]:
        return {path.stat().st_mode & 0o777 for path in db.parent.glob("audit.db*")}

    for mode in ("0777", "640x", "0240", "0o640"):
        assert run("db", "create", "--mode", mode) == 2
    assert not db.parent.exists()
    assert run("db", "create") == 0
    assert (modes(), db.parent.stat().st_mode & 0o777) == ({0o600}, 0o700)
    assert run("db", "create") == 4
    assert "there is a store already" in capsys.readouterr().err
    assert cli.run(["db", "create", "--db", str(db.parent)]) == 4
    assert f"{db.parent} is a directory" in capsys.readouterr().err
    db.unlink()
    assert run("db", "create", "--mode", "0640") == 0
    with closing(open_to_write(str(db))) as store:
        store.session().transaction(lambda: None)
        assert len(list(db.parent.glob("audit.db*"))) > 1
        assert modes() == {0o640}
    assert cli.run(["db", "create", "--mode", "0640", "--db", "postgresql://h/d"]) == 2


def test_what_a_killed_making_left_is_removed(tmp_path: Path) -> None:
    """Not what another process makes now, nor what belongs to another store."""
    names = [".audit.db.dead.new", ".audit.db.dead.new-wal", ".audit.db.live.new"]
    names += [".audit.db.young.new", ".other.db.dead.new", "audit.db.new"]
    for name in names:
        (tmp_path / name).touch()
        if "young" not in name:
            os.utime(tmp_path / name, (1, 1))
    with (tmp_path / ".audit.db.live.new").open() as live:
        fcntl.flock(live, fcntl.LOCK_EX)
        make(str(tmp_path / "audit.db"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names[2:], "audit.db"])


@pytest.mark.parametrize("is_first", [True, False])
def test_file_systems_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    db = str(tmp_path / "audit.db")

    def no_links(*_: object) -> None:
        if not is_first:  # another process makes the store meanwhile
            with monkeypatch.context() as patch:
                patch.setattr("os.link", link)
                with closing(open_to_write(db)) as store:
                    store.session().query("PRAGMA user_version = 7")
        raise OSError(errno.EPERM, "Operation not permitted")

    link = os.link
    monkeypatch.setattr("os.link", no_links)
    with closing(open_to_write(db)) as store:
        assert store.created == is_first
    with closing(open_to_read(db)) as store:
        assert store.session().value("PRAGMA user_version") == (0 if is_first else 7)
    assert list(tmp_path.glob(".*")) == []
