"""The server stops, connections are cut, a disk is full: one clear error, nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import meta_audit.cli.verify
import meta_audit.verify.run
from bench.generate import Generator
from meta_audit import cli
from meta_audit.cli.progress import ImportReporter
from meta_audit.errors import StoreError, TransientStoreError
from meta_audit.ingest.options import Limits, Options
from meta_audit.ingest.result import Counts, ImportResult
from meta_audit.ingest.run import Import
from meta_audit.ingest.signals import STOP_SIGNALS
from meta_audit.record.runs import begin_import
from meta_audit.sources import find
from meta_audit.store import transfer as moving
from meta_audit.store.opening import open_to_read, open_to_write
from meta_audit.store.retry import Retry
from tests.clusters import USER, Cluster
from tests.faults import export
from tests.postgres.password_cluster import DATABASE, Run, cluster, rows, run, store_of

__all__ = ["cluster", "run"]


def terminate(cluster: Cluster) -> None:
    """Cut every connection to the store."""
    with cluster.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            (DATABASE,),
        )


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_verification_that_is_cut_is_no_damage(
    cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch, jobs: str
) -> None:
    monkeypatch.setattr(meta_audit.verify.run, "SMALL", 1)
    original = meta_audit.verify.run.Verification._do
    cuts: list[int] = []

    def cut(self: Any, crew: Any, parts: Any) -> Any:
        if not cuts:
            cuts.append(1)
            terminate(cluster)
        return original(self, crew, parts)

    monkeypatch.setattr(meta_audit.verify.run.Verification, "_do", cut)
    result = run("verify", "--jobs", jobs, "--db", store_of(cluster))
    assert cuts
    assert result.status == 0, result
    assert "Intact" in result.out


def test_a_search_that_is_cut_begins_again(
    cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import meta_audit.query.find

    original = meta_audit.query.find.summaries
    cuts: list[int] = []

    def cut(*arguments: Any) -> Any:
        if not cuts:
            cuts.append(1)
            terminate(cluster)
        return original(*arguments)

    monkeypatch.setattr(meta_audit.query.find, "summaries", cut)
    assert run("find", "--db", store_of(cluster)).status == 0
    assert cuts


@pytest.fixture
def stopped(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Stop the server as a crash does; it is there again after the test."""
    monkeypatch.setenv("META_AUDIT_WAIT", "0.5")
    stops: list[int] = []

    def stop() -> None:
        if not stops:
            stops.append(1)
            cluster.stop()

    yield stop
    assert stops
    cluster.start()


@pytest.mark.parametrize("command", ["trace", "trace, later", "find", "verify"])
def test_the_server_stops_while_it_is_read(
    cluster: Cluster,
    run: Run,
    stopped: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    (job,) = rows(cluster, "SELECT min(job_id) FROM jobs")[0]
    where, name = {
        "trace": ("meta_audit.query.trace", "identify"),
        "trace, later": ("meta_audit.store.postgresql.session", "PostgresqlSession.together"),
        "find": ("meta_audit.query.find", "summaries"),
        "verify": ("meta_audit.verify.run", "Checkpoints"),
    }[command]
    module = import_module(where)
    if "." in name:
        kind, name = name.split(".")
        module = getattr(module, kind)
    original = getattr(module, name)

    def stop(*arguments: Any, **options: Any) -> Any:
        stopped()
        return original(*arguments, **options)

    monkeypatch.setattr(module, name, stop)
    began = time.monotonic()
    arguments = ["trace", job] if command.startswith("trace") else [command]
    result = run(*arguments, "--db", store_of(cluster))
    assert result.status == cli.Exit.STORE
    assert "Check that the server is up" in result.err
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("direction", ["from", "to"])
def test_the_server_stops_while_a_store_is_copied(
    *,
    cluster: Cluster,
    run: Run,
    stopped: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    direction: str,
) -> None:
    file = str(tmp_path / "copy.db")
    empty = store_of(cluster, "postgres")
    if direction == "to":
        assert run("db", "copy", store_of(cluster), file).status == 0
        open_to_write(empty).close()
    given = (store_of(cluster), file) if direction == "from" else (file, empty)
    original = moving.copy

    def copy(source: Any, target: Any, copied: Any) -> Any:
        def stop(table: str, more: int) -> None:
            if table == "job_versions":
                stopped()

        return original(source, target, stop)

    monkeypatch.setattr(moving, "copy", copy)
    result = run("db", "copy", *given)
    assert result.status == cli.Exit.STORE
    monkeypatch.undo()
    with suppress(RuntimeError):
        cluster.start()
    copied = open_to_read(given[1])
    with copied.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar() == 0
    copied.close()
    assert run("db", "copy", *given).status == 0
    cluster.stop()


@pytest.fixture(params=[120.0])
def importing(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    stopped: Callable[[], None],
    tmp_path: Path,
) -> Iterator[Callable[[Callable[[], None]], ImportResult]]:
    """An import whose server stops after the first batch; then something else is done, too."""
    (tmp_path / "jobs.ndjson").write_text("\n".join(Generator(9).documents(0, 100)))
    store = open_to_write(store_of(cluster), retry=Retry(write_seconds=request.param))

    def run(then: Callable[[], None]) -> ImportResult:
        class Stopping(ImportReporter):
            def wrote(self, counts: Counts) -> None:
                stopped()
                then()

        importing = Import(store, Stopping(), Options(limits=Limits(chunk_documents=20)))
        return importing.run(find([str(tmp_path / "jobs.ndjson")]), [])

    yield run
    store.close()


@pytest.mark.parametrize("importing", [1.5], indirect=True)
def test_the_server_stops_for_good_while_documents_come_in(
    importing: Callable[[Callable[[], None]], ImportResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for once, not a second time for the end of the import."""
    ends: list[str] = []
    monkeypatch.setattr(Import, "_end", lambda _, number, status, *rest: ends.append(status))
    with pytest.raises(TransientStoreError, match=r"onnection"):
        importing(lambda: None)
    assert not ends


def test_a_signal_ends_the_waiting(importing: Callable[[Callable[[], None]], ImportResult]) -> None:
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    began = time.monotonic()
    with pytest.raises(TransientStoreError):
        importing(timer.start)
    for number in STOP_SIGNALS:
        signal.signal(number, before if number == signal.SIGINT else signal.SIG_DFL)
    assert time.monotonic() - began < Retry().write_seconds / 4


def test_a_statement_that_takes_too_long(cluster: Cluster) -> None:
    store = open_to_write(store_of(cluster))
    bulk = store.session()
    bulk._connected().execute("SET statement_timeout = '50ms'")
    with pytest.raises(StoreError, match="57014") as raised:
        bulk.query("SELECT pg_sleep(5)")
    assert not isinstance(raised.value, TransientStoreError)
    assert "took too long" in raised.value.advice
    bulk.close()
    store.close()


def test_a_transaction_that_was_idle_too_long_is_done_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_to_write(store_of(cluster))
    bulk = store.session()
    bulk._connected().execute("SET idle_in_transaction_session_timeout = '50ms'")
    original, times = bulk.insert, []

    def late(*arguments: Any) -> None:
        times.append(1)
        if len(times) == 1:
            time.sleep(0.3)
        original(*arguments)

    monkeypatch.setattr(bulk, "insert", late)
    before = rows(cluster, "SELECT count(*) FROM imports")[0][0]
    begin_import(bulk, "me", "0", "[]")
    assert len(times) == 2
    assert rows(cluster, "SELECT count(*) FROM imports")[0][0] == before + 1
    bulk.close()
    store.close()


@pytest.fixture
def small_disk(cluster: Cluster) -> Iterator[Path]:
    """Mount a disk of 24 megabytes in the server's folder, which its user may enter."""
    disk = cluster.folder / "disk"
    disk.mkdir()
    options = f"size=24m,uid={USER},mode=700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)
    disk.rmdir()


def test_a_disk_that_is_full(cluster: Cluster, small_disk: Path, run: Run, tmp_path: Path) -> None:
    with cluster.connect() as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
        connection.execute("CREATE DATABASE small TEMPLATE template0 TABLESPACE small")
    try:
        fill(store_of(cluster, "small"), cluster, small_disk, run, tmp_path / "jobs.ndjson")
    finally:
        with cluster.connect() as connection:
            connection.execute("DROP DATABASE small WITH (FORCE)")
            connection.execute("DROP TABLESPACE small")


def fill(db: str, cluster: Cluster, disk: Path, run: Run, path: Path) -> None:
    path.write_text("\n".join(Generator(8).documents(0, 12_000)))
    command = ("ingest", path, "--db", db, "--jobs", "0")
    result = run(*command, limits=Limits(chunk_documents=1_000))
    assert result.status == cli.Exit.STORE
    assert "Make room on the server's disk" in result.err
    subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
    ((documents,),) = rows(cluster, "SELECT count(*) FROM documents", "small")
    assert 0 < documents < 12_000
    store = open_to_read(db)
    with store.engine.connect() as connection:
        assert export.faults(connection) == []
    store.close()
    assert run(*command).status == 0
    assert rows(cluster, "SELECT count(*) FROM documents", "small") == [(12_000,)]


def test_a_damaged_page_is_damage(cluster: Cluster, run: Run) -> None:
    with cluster.connect() as connection:
        connection.execute(f"CREATE DATABASE damaged TEMPLATE {DATABASE}")
    ((path,),) = rows(
        cluster,
        "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('terms')",
        "damaged",
    )
    cluster.stop("fast")
    with Path(path).open("r+b") as file:
        file.write(b"\xff" * 512)
    cluster.start()
    result = run("verify", "--db", store_of(cluster, "damaged"))
    assert result.status in (1, 4)
    assert "invalid page" in result.out + result.err
