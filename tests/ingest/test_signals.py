"""SIGINT and SIGTERM to a real process that reads a stream which drips."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Audit, Program
from tests.ingest.documents import compact, job, ndjson

STARTED = 60.0
"""Seconds that a process may take to begin."""


def wait_for_import(audit: Audit, process: subprocess.Popen[bytes]) -> None:
    """Wait until an import has begun."""
    deadline = time.monotonic() + STARTED
    while time.monotonic() < deadline and process.poll() is None:
        if audit.rows("SELECT 1 FROM imports"):
            return
        time.sleep(0.02)
    raise AssertionError(process.communicate())


@contextmanager
def dripping(
    program: Program, audit: Audit, *documents: bytes
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """An ingest that has begun, and the end of the pipe that still feeds it."""
    reading, writing = os.pipe()
    process = program("ingest", "-", "--db", audit.db, "--format", "json", stdin=reading)
    os.close(reading)
    try:
        os.write(writing, ndjson(*documents))
        wait_for_import(audit, process)
        time.sleep(0.1)
        yield process, writing
    finally:
        os.close(writing)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_cleanly(program: Program, audit: Audit, number: int, status: int) -> None:
    with dripping(program, audit, compact(job(1))) as (process, _):
        process.send_signal(number)
        out, err = process.communicate(timeout=STARTED)
    assert process.returncode == status
    assert json.loads(out)["status"] == "interrupted"
    assert err.endswith(
        b"Interrupted: the documents that came from stdin so far are saved."
        b" It cannot be read again.\n"
    )
    assert audit.rows("SELECT job_id FROM v_jobs") == [(job(1)["ID"],)]
    assert audit.rows("SELECT source, status FROM v_sources") == [("stdin", "unfinished")]
    assert b"Traceback" not in err
    assert audit.rows("SELECT status FROM v_imports") == [("interrupted",)]
    assert audit.faults() == []
    assert audit.run("verify").status == 0


@pytest.mark.parametrize("jobs", ["0", "1"])
def test_what_drips_is_committed_soon(program: Program, audit: Audit, jobs: str) -> None:
    """Also what waits in another process, and without a signal: the process may be killed."""
    reading, writing = os.pipe()
    limits = ("20", "65536")
    arguments = ("ingest", "-", "--db", audit.db, "--jobs", jobs)
    process = program(*limits, *arguments, module="tests.faults.small_chunks", stdin=reading)
    os.close(reading)
    try:
        # Two chunks and a bit, of which one may be built in another process.
        os.write(writing, ndjson(*[compact(job(n)) for n in range(45)]))
        wait_for(audit, process, 45)
        os.write(writing, ndjson(compact(job(45))) + compact(job(46))[:50])
        wait_for(audit, process, 46)
        process.kill()
        process.communicate()
    finally:
        os.close(writing)
    assert audit.faults() == []


def test_a_followed_file_is_read_through_rotation_and_truncation(
    program: Program, file: Audit, tmp_path: Path
) -> None:
    audit, log = file, tmp_path / "jobs.ndjson"
    log.write_bytes(ndjson(compact(job(0))))
    process = program("ingest", "--follow", log, "--db", audit.db)
    wait_for_import(audit, process)
    with log.open("ab") as growing:
        growing.write(ndjson(compact(job(1))) + compact(job(2))[:80])
        growing.flush()
        wait_for(audit, process, 2)
        growing.write(compact(job(2))[80:] + b"\n")
    log.rename(tmp_path / "jobs.ndjson.1")
    log.write_bytes(ndjson(*[compact(job(n)) for n in range(3, 6)]))
    wait_for(audit, process, 6)
    log.write_bytes(ndjson(compact(job(6))))
    wait_for(audit, process, 7)
    log.write_bytes(ndjson(compact(job(7))))  # as long as before
    wait_for(audit, process, 8)
    log.write_bytes(ndjson(compact(job(8)), compact(job(9))))  # longer
    wait_for(audit, process, 10)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=STARTED)
    assert process.returncode == 143, (out, err)
    sources = audit.rows("SELECT source, status FROM v_sources ORDER BY status")
    assert sources == [(str(log), "complete")] * 4 + [(str(log), "unfinished")]
    assert (audit.faults(), audit.rows("SELECT count(*) FROM rejections")) == ([], [(0,)])


def wait_for(audit: Audit, process: subprocess.Popen[bytes], documents: int) -> None:
    """Wait until so many documents are committed."""
    deadline = time.monotonic() + STARTED
    while audit.rows("SELECT count(*) FROM documents") < [(documents,)]:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_signal_loses_nothing_that_was_read(program: Program, audit: Audit) -> None:
    """However the sender and the signal meet: what was read is kept, up to the last whole line."""
    with dripping(program, audit, compact(job(0))) as (process, writing):
        sent = 1
        os.set_blocking(writing, False)
        ends = time.monotonic() + 0.7
        while time.monotonic() < ends:
            try:
                os.write(writing, ndjson(compact(job(sent))))
                sent += 1
                time.sleep(0.0005)
            except BlockingIOError:
                time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=STARTED)
    assert process.returncode == 143
    kept = audit.rows("SELECT job_id FROM v_jobs ORDER BY job_id")
    assert kept == [(job(n)["ID"],) for n in range(len(kept))]
    assert 1 <= len(kept) == json.loads(out)["documents"] <= sent


def test_the_same_command_again_completes(
    program: Program, audit: Audit, another: Audit, tmp_path: Path
) -> None:
    documents = [compact(job(n)) for n in range(40)]
    (tmp_path / "first.ndjson").write_bytes(ndjson(*documents[:20]))
    os.mkfifo(tmp_path / "fifo")
    arguments = ("ingest", "first.ndjson", "-", "--format", "json", "--db", audit.db)
    process = program(*arguments, stdin=os.open(tmp_path / "fifo", os.O_RDWR))
    wait_for_import(audit, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=STARTED)
    assert process.returncode == 143

    (tmp_path / "rest.ndjson").write_bytes(ndjson(*documents[20:]))
    for store in (audit, another):
        with (tmp_path / "rest.ndjson").open("rb") as rest:
            again = program(*arguments[:-1], store.db, stdin=rest)
            out, _ = again.communicate(timeout=STARTED)
        assert again.returncode == 0
        assert json.loads(out)["documents"] == 40
    assert audit.rows("SELECT status FROM v_imports ORDER BY import_id") == [
        ("interrupted",),
        ("complete",),
    ]
    assert audit.export() == another.export()


def test_signals_again_and_again_change_nothing(program: Program, audit: Audit) -> None:
    with dripping(program, audit, compact(job(1))) as (process, _):
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.001)
        _, err = process.communicate()
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err
    assert audit.rows("SELECT status FROM v_imports") == [("interrupted",)]


def test_a_signal_while_a_batch_is_written_waits_for_it(
    program: Program, audit: Audit, tmp_path: Path
) -> None:
    """At any moment: every document that the import counts is in the store, and no other."""
    (tmp_path / "a.ndjson").write_bytes(ndjson(*[compact(job(n)) for n in range(4_000)]))
    process = program("ingest", "a.ndjson", "--db", audit.db, "--format", "json")
    wait_for_import(audit, process)
    time.sleep(0.15)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=STARTED)
    assert process.returncode in (0, 143)
    expected = "complete" if process.returncode == 0 else "interrupted"
    assert audit.rows("SELECT status FROM v_imports") == [(expected,)]
    assert json.loads(out)["status"] == expected
    assert audit.rows("SELECT count(*) FROM documents") == [(json.loads(out)["new"],)]
    assert audit.faults() == []
