"""No false alarms: whatever is done to a store that changes no fact."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from unittest.mock import patch

import pytest

from meta_audit.verify import run as running
from tests.conftest import connected
from tests.store_factory import StoreFactory
from tests.verify.stores import (
    KEY,
    OTHER_KEY,
    Grown,
    die_within_import,
    run,
    signing,
    verify,
    warned,
)


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


def test_upgrade_of_the_newest_schema(factory: StoreFactory, grown: Grown, capsys) -> None:
    db = factory.copy(grown.db)
    assert run("db", "upgrade", "--db", db) == 0
    assert verify(db, grown.log).verdict == "intact"


def test_a_killed_import_is_a_warning_until_the_next_one_ends(
    factory: StoreFactory, grown: Grown, tmp_path: Path, capsys
) -> None:
    db, log = factory.copy(grown.db), tmp_path / "log"
    log.write_bytes(grown.log.read_bytes())
    die_within_import(db, [b'{"ID": "j-again", "Tasks": [{"Name": "t"}]}', b"[broken"])
    report = verify(db, log)
    assert report.verdict == "intact"
    assert "1 imports" in warned(report)[0]
    assert report.signed == report.entries - 2
    with signing(KEY, log):
        run("ingest", grown.source / "page.json", "--db", db)
    report = verify(db, log)
    assert report.verdict == "intact"
    assert not warned(report)


def test_an_import_stopped_by_a_signal(db_url: str, tmp_path: Path, program) -> None:
    log = tmp_path / "checkpoints"
    environment = {"META_AUDIT_SIGNING_KEY": KEY.secret(), "META_AUDIT_CHECKPOINT_LOG": str(log)}
    process = program("ingest", "-", "--db", db_url, stdin=-1, env=environment)
    process.stdin.write(b'{"ID": "j-1", "Tasks": [{"Name": "t"}]}\n')
    process.stdin.flush()
    for _ in range(600):
        with connected(db_url) as connection:
            if connection.exec_driver_sql("SELECT 1 FROM imports").first():
                break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    report = verify(db_url, log)
    assert report.verdict == "intact"
    assert report.checkpoints == 1


def test_two_imports_at_once(db_url: str, in_file: Grown, tmp_path: Path, program) -> None:
    log = tmp_path / "checkpoints"
    environment = {"META_AUDIT_SIGNING_KEY": KEY.secret(), "META_AUDIT_CHECKPOINT_LOG": str(log)}
    started = [
        program("ingest", in_file.source / path, in_file.source, "--db", db_url, env=environment)
        for path in ("a.ndjson", "later.ndjson.gz")
    ]
    for process in started:
        process.communicate(timeout=60)
        assert process.returncode in (0, 1, 3)
    report = verify(db_url, log)
    assert report.damages == ()
    assert report.verdict == "intact"
    assert report.checkpoints == 2


def test_another_key_from_some_import_on(
    factory: StoreFactory, grown: Grown, tmp_path: Path, capsys
) -> None:
    db, log = factory.copy(grown.db), tmp_path / "log"
    log.write_bytes(grown.log.read_bytes())
    with signing(OTHER_KEY, log):
        run("ingest", grown.source / "page.json", "--db", db)
    report = verify(db, log)
    assert report.verdict == "intact"
    assert len(report.keys) == 2


def test_the_corpus(bacalhau_corpus: Path, db_url: str, capsys) -> None:
    with signing(KEY):
        run("ingest", bacalhau_corpus, "--db", db_url)
    report = verify(db_url, deep=True)
    assert report.damages == ()
    assert report.verdict == "intact"
