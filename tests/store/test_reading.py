"""SQLite stores of those who may read, and may not write beside; and files of other programs."""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from meta_audit import cli
from tests.conftest import ROOT, Audit

CAPBSET_DROP, DAC_OVERRIDE, DAC_READ_SEARCH = 24, 1, 2
"""Of prctl(2) and capabilities(7)."""
READERS: Final = (("verify",), ("find",), ("trace", "j-1"), ("document", "j-1"))


def obey_permissions() -> None:
    """Take from root, in a new process, what lets it write everything."""
    for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(CAPBSET_DROP, capability, 0, 0, 0)


def run(db: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return run_python("from meta_audit import cli; cli.main()", *command, "--db", db)


def run_python(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=obey_permissions,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def locked(file: Audit, tmp_path: Path) -> Iterator[Path]:
    """A store with a job, in a directory of its own that may not be written."""
    (tmp_path / "job.json").write_text('{"ID": "j-1", "Tasks": [{"Name": "t"}]}')
    assert file.ingest(tmp_path / "job.json").status == 0
    folder = tmp_path / "theirs"
    folder.mkdir()
    shutil.copy(file.db, folder / "audit.db")
    folder.chmod(0o555)
    yield folder / "audit.db"
    folder.chmod(0o755)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
@pytest.mark.parametrize("command", READERS, ids=" ".join)
@pytest.mark.parametrize("left", ["nothing", "an empty log"])
def test_a_store_at_rest_in_a_directory_that_may_not_be_written(
    locked: Path, command: tuple[str, ...], left: str
) -> None:
    if left == "an empty log":
        locked.parent.chmod(0o755)
        Path(f"{locked}-wal").touch()
        locked.parent.chmod(0o555)
    before = locked.read_bytes()
    done = run(locked, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert locked.read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_a_store_that_is_not_at_rest_is_not_read_without_what_is_beside_it(locked: Path) -> None:
    locked.parent.chmod(0o755)
    with closing(sqlite3.connect(locked)) as writer:
        writer.execute("CREATE TABLE more (a)")
        shutil.copy(f"{locked}-wal", f"{locked}-kept")
    Path(f"{locked}-kept").rename(f"{locked}-wal")
    locked.parent.chmod(0o555)
    done = run(locked, "verify")
    assert done.returncode == 4
    assert f"the store {locked} failed: unable to open database file" in done.stderr
    assert "run the import again" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_a_store_that_is_written_to_while_it_is_read_without_locks(locked: Path) -> None:
    done = run_python(
        """if True:
        import os, sys
        from meta_audit.errors import StoreError
        from meta_audit.store.opening import open_to_read
        store = open_to_read(sys.argv[1])
        with store.engine.connect() as connection:
            connection.exec_driver_sql("SELECT * FROM jobs").all()
        os.utime(sys.argv[1])
        try:
            store.close()
        except StoreError as error:
            sys.exit(f"{error}. {error.advice}")
        """,
        locked,
    )
    assert done.returncode == 1
    assert "was written to while it was read" in done.stderr
    assert "Run the same command again" in done.stderr


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("command", [("ingest", "job.json"), ("db", "upgrade")], ids=" ".join)
def test_the_file_of_another_program_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.json").write_text('{"ID": "j-1", "Tasks": [{"Name": "t"}]}')
    theirs = tmp_path / "theirs" / "their.db"
    theirs.parent.mkdir()
    with closing(sqlite3.connect(theirs)) as connection, connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE theirs (a)")
    before = theirs.read_bytes()
    assert cli.run([*command, "--db", str(theirs)]) == cli.Exit.STORE
    assert theirs.read_bytes() == before
    assert list(theirs.parent.iterdir()) == [theirs]


def test_a_store_that_is_not_in_wal_mode_is_put_into_it(file: Audit, tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{"ID": "j-1", "Tasks": [{"Name": "t"}]}')
    with closing(sqlite3.connect(file.db)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    assert file.ingest(tmp_path / "job.json").status == 0
    with closing(sqlite3.connect(file.db)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_a_store_that_another_user_writes_to(locked: Path) -> None:
    locked.parent.chmod(0o755)
    with closing(sqlite3.connect(locked, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE more (a)")
        for path in locked.parent.iterdir():
            path.chmod(0o444)
        locked.parent.chmod(0o555)
        done = run(locked, "verify")
    assert (done.returncode, done.stderr) == (0, "")
