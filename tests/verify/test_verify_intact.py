"""No false alarms: whatever is done to a store that changes no fact."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from meta_audit.verify import run as running
from tests.verify.verify_stores import (
    KEY,
    OTHER_KEY,
    Grown,
    copy_store,
    die_within_import,
    grow,
    run,
    signing,
    verify,
    warned,
)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """A store with something in every table."""
    return grow(tmp_path_factory.mktemp("grown"))


def test_a_store_of_many_imports_is_intact(grown: Grown) -> None:
    report = verify(grown.db, grown.log, deep=True)
    assert report.damages == ()
    assert report.verdict == "intact"
    assert not warned(report)
    assert report.signed == report.entries
    assert all(step.status == "ok" for step in report.steps)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_so_is_each_older_copy(grown: Grown, number: int) -> None:
    assert verify(grown.older[number]).verdict == "intact"


def test_processes_find_the_same(grown: Grown) -> None:
    with patch.object(running, "SMALL", 1), patch.object(running, "JOBS_PER_PART", 50):
        report = verify(grown.db, grown.log, jobs=2)
    assert report.verdict == "intact"


@pytest.mark.parametrize("since", [1, 2, 3, 4])
def test_only_what_is_new(grown: Grown, since: int) -> None:
    report = verify(grown.db, grown.log, since=since)
    assert report.verdict == "intact"


def test_vacuum(grown: Grown, tmp_path: Path) -> None:
    copy_store(grown.db, tmp_path / "audit.db")
    with closing(sqlite3.connect(tmp_path / "audit.db")) as connection:
        connection.execute("VACUUM")
    assert verify(tmp_path / "audit.db", grown.log).verdict == "intact"


def test_backup_and_restore(grown: Grown, tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(grown.db)) as source,
        closing(sqlite3.connect(tmp_path / "audit.db")) as target,
    ):
        source.backup(target)
    assert verify(tmp_path / "audit.db", grown.log).verdict == "intact"


def test_dump_and_load(grown: Grown, tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(grown.db)) as source,
        closing(sqlite3.connect(tmp_path / "audit.db")) as target,
    ):
        target.executescript("\n".join(source.iterdump()))
    assert verify(tmp_path / "audit.db", grown.log).verdict == "intact"


def test_upgrade_of_the_newest_schema(grown: Grown, tmp_path: Path, capsys) -> None:
    copy_store(grown.db, tmp_path / "audit.db")
    assert run("db", "upgrade", "--db", tmp_path / "audit.db") == 0
    assert verify(tmp_path / "audit.db", grown.log).verdict == "intact"


def test_a_killed_import_is_a_warning_until_the_next_one_ends(
    grown: Grown, tmp_path: Path, capsys
) -> None:
    db, log = tmp_path / "audit.db", tmp_path / "log"
    copy_store(grown.db, db)
    log.write_bytes(grown.log.read_bytes())
    die_within_import(db, [b'{"ID": "j-again", "Tasks": [{"Name": "t"}]}', b"[broken"])
    report = verify(db, log)
    assert report.verdict == "intact"
    assert "1 imports" in warned(report)[0]
    assert report.signed == report.entries - 2
    with signing(KEY, log):
        run("ingest", grown.db.parent / "source/page.json", "--db", db)
    report = verify(db, log)
    assert report.verdict == "intact"
    assert not warned(report)


def test_an_import_stopped_by_a_signal(grown: Grown, tmp_path: Path, program) -> None:
    db = tmp_path / "audit.db"
    environment = {"META_AUDIT_SIGNING_KEY": KEY.secret()}
    arguments = ("ingest", "-", "--db", db)
    process = program(*arguments, stdin=-1, env=environment)
    process.stdin.write(b'{"ID": "j-1", "Tasks": [{"Name": "t"}]}\n')
    process.stdin.flush()
    for _ in range(100):
        if db.exists():
            with closing(sqlite3.connect(db)) as connection:
                try:
                    if connection.execute("SELECT 1 FROM imports").fetchone():
                        break
                except sqlite3.OperationalError:
                    pass
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    report = verify(db, Path(f"{db}.checkpoints"))
    assert report.verdict == "intact"
    assert report.checkpoints == 1


def test_two_imports_at_once(grown: Grown, tmp_path: Path, program) -> None:
    db = tmp_path / "audit.db"
    source = grown.db.parent / "source"
    environment = {"META_AUDIT_SIGNING_KEY": KEY.secret()}
    started = [
        program("ingest", source / path, source, "--db", db, env=environment)
        for path in ("a.ndjson", "later.ndjson.gz")
    ]
    for process in started:
        process.communicate(timeout=60)
        assert process.returncode in (1, 3)
    report = verify(db, Path(f"{db}.checkpoints"))
    assert report.damages == ()
    assert report.verdict == "intact"
    assert report.checkpoints == 2


def test_another_key_from_some_import_on(grown: Grown, tmp_path: Path, capsys) -> None:
    db, log = tmp_path / "audit.db", tmp_path / "log"
    copy_store(grown.db, db)
    log.write_bytes(grown.log.read_bytes())
    with signing(OTHER_KEY, log):
        run("ingest", grown.db.parent / "source/page.json", "--db", db)
    report = verify(db, log)
    assert report.verdict == "intact"
    assert len(report.keys) == 2


def test_the_corpus(bacalhau_corpus: Path, tmp_path: Path, capsys) -> None:
    with signing(KEY):
        run("ingest", bacalhau_corpus, "--db", tmp_path / "audit.db")
    report = verify(tmp_path / "audit.db", deep=True)
    assert report.damages == ()
    assert report.verdict == "intact"
