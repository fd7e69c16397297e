"""A primary and its standby: the standby is read, and takes over while documents come in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import meta_audit.verify.run
from meta_audit import cli
from meta_audit.errors import StoreError
from meta_audit.record.runs import begin_import
from meta_audit.store.opening import open_to_read, open_to_write
from tests.clusters import Cluster, need
from tests.faults import export
from tests.faults.kill import entries_after
from tests.postgres.faults import Importer

DATABASE = "audit"
DONE = (0, 1, 3)
"""Exit codes of an import that came to its end; some documents are broken."""


class Pair:
    """A primary, and a standby that follows it."""

    def __init__(self) -> None:
        need("initdb", "pg_basebackup")
        self.primary = Cluster()
        with self.primary.connect() as connection:
            connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
        self.standby = Cluster(source=self.primary)

    @property
    def url(self) -> str:
        """Both hosts, as libpq takes them."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in (self.primary, self.standby))
        return f"postgresql://postgres@{hosts}/{DATABASE}"

    def synchronous(self) -> None:
        """Acknowledge only what the standby has."""
        with self.primary.connect() as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        self.primary.wait("SELECT bool_or(sync_state = 'sync') FROM pg_stat_replication")

    def catch_up(self) -> None:
        """Wait until the standby has everything."""
        at = self.primary.value("SELECT pg_current_wal_lsn()")
        self.standby.wait(f"SELECT pg_last_wal_replay_lsn() >= '{at}'")

    def fail_over(self) -> None:
        """The primary crashes and stays away; the standby takes its place."""
        self.primary.stop("immediate")
        time.sleep(0.5)
        self.standby.promote()

    def remove(self) -> None:
        self.standby.remove()
        self.primary.remove()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A pair that a test may break."""
    made = Pair()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def steady(folder: Path) -> Iterator[Pair]:
    """A pair with a store, of which the primary stays."""
    made = Pair()
    assert cli.run(["ingest", str(folder), "--db", made.url]) in DONE
    made.catch_up()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a store of the documents says."""
    db = str(tmp_path_factory.mktemp("undisturbed") / "audit.db")
    importer = Importer(folder, db)
    assert importer.end()[0] in DONE
    return look(db, export.export)


def look(db: str, what: Callable[[sa.Connection], Any]) -> Any:
    store = open_to_read(db)
    with store.engine.connect() as connection:
        found = what(connection)
    store.close()
    return found


@pytest.mark.parametrize("synchronous", [True, False])
def test_failover_while_documents_come_in(
    pair: Pair, folder: Path, undisturbed: bytes, synchronous: bool
) -> None:
    open_to_write(pair.url).close()
    if synchronous:
        pair.synchronous()
    importer = Importer(folder, pair.url)
    while importer.acknowledged < 150 and importer.runs:
        time.sleep(0.01)
    pair.primary.stop("immediate")
    acknowledged = importer.acknowledged
    assert importer.runs, importer.end()
    pair.standby.promote()
    status, said = importer.end()
    assert "Traceback" not in said
    assert look(pair.url, export.faults) == []
    if synchronous:
        assert status in DONE, said
        assert len(look(pair.url, export.leaves)) >= entries_after(folder)[acknowledged]
    if status not in DONE:
        assert status == 4
        assert "has lost rows that it had committed" in said
        status, said = Importer(folder, pair.url).end()
    assert status in DONE, said
    assert look(pair.url, export.export) == undisturbed
    assert cli.run(["verify", "--db", pair.url]) == 0


def test_what_was_acknowledged_and_lost_is_noticed(pair: Pair) -> None:
    """Numbers that the process remembers are those of rows that are not there any more."""
    store = open_to_write(pair.url)
    bulk = store.session()
    assert begin_import(bulk, "me", "0", "[]") == 1
    pair.catch_up()
    pair.standby.stop("fast")
    assert begin_import(bulk, "me", "0", "[]") == 2
    pair.primary.stop("immediate")
    pair.standby.start()
    pair.standby.promote()
    with pytest.raises(StoreError, match="has lost rows that it had committed") as raised:
        begin_import(bulk, "me", "0", "[]")
    assert "Run the same command again" in raised.value.advice
    bulk.close()
    store.close()
    again = open_to_write(pair.url)
    assert begin_import(again.session(), "me", "0", "[]") == 2
    again.close()


def test_what_was_received_goes_on(pair: Pair) -> None:
    store = open_to_write(pair.url)
    bulk = store.session()
    assert begin_import(bulk, "me", "0", "[]") == 1
    pair.catch_up()
    pair.fail_over()
    assert begin_import(bulk, "me", "0", "[]") == 2
    bulk.close()
    store.close()


def test_a_standby_is_read(steady: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    db = steady.standby.tcp(DATABASE)
    (job,) = look(db, lambda c: c.exec_driver_sql("SELECT min(job_id) FROM jobs").one())
    for command in (
        ("find",),
        ("trace", job),
        ("document", job),
        ("rejections", "list"),
        ("checkpoint", "list"),
        ("verify", "--jobs", "2"),
        ("verify", "--deep"),
    ):
        status = cli.run([*command, "--db", db])
        assert status == 0, (command, capsys.readouterr().err)


@pytest.mark.parametrize("command", [("ingest", __file__), ("rejections", "retry")])
def test_a_standby_is_not_written_to(
    steady: Pair,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    monkeypatch.setenv("META_AUDIT_WAIT", "1")
    assert cli.run([*command, "--db", steady.standby.tcp(DATABASE)]) == cli.Exit.STORE
    said = capsys.readouterr().err
    assert "in a read-only transaction (25006)" in said
    assert "Name the primary or all hosts" in said


def standby_first(pair: Pair) -> sa.URL:
    """Both hosts, so that readers take the standby."""
    url = sa.make_url(pair.standby.tcp(DATABASE)).update_query_dict(
        {"host": "127.0.0.1,127.0.0.1", "port": f"{pair.standby.port},{pair.primary.port}"}
    )
    return url.set(host=None, port=None)


def test_who_reads_the_standby_is_logged_on_the_primary(
    steady: Pair, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.run(["db", "roles", "--apply", "--db", steady.primary.tcp(DATABASE)]) == 0
    with steady.primary.connect() as connection:
        connection.execute("CREATE ROLE alice LOGIN IN ROLE meta_audit_auditor")
    steady.catch_up()
    both = standby_first(steady).set(username="alice")
    wanted = both.update_query_dict({"target_session_attrs": "standby"})
    query = "SELECT pg_is_in_recovery() AS standby"
    for url in (both, wanted):
        assert cli.run(["sql", query, "--db", url.render_as_string()]) == 0
        assert capsys.readouterr().out.split()[-1] == "true"
    count = "SELECT count(*) FROM questions WHERE role = 'alice'"
    assert look(steady.primary.tcp(DATABASE), lambda c: c.exec_driver_sql(count).scalar()) == 2
    alone = sa.make_url(steady.standby.tcp(DATABASE)).set(username="alice").render_as_string()
    monkeypatch.setenv("META_AUDIT_WAIT", "0.5")
    assert cli.run(["sql", query, "--db", alone]) == cli.Exit.STORE
    said = capsys.readouterr()
    assert said.out == ""
    assert "cannot be logged" in said.err
    assert "Name the primary or all hosts" in said.err
    assert cli.run(["sql", query, "--no-log-queries", "--db", alone]) == 0


def test_of_both_hosts_a_writer_takes_the_primary(steady: Pair) -> None:
    store = open_to_write(standby_first(steady).render_as_string())
    assert store.session().query("SELECT pg_is_in_recovery()") == [(False,)]
    store.close()


@pytest.mark.parametrize("times", [1, 1_000])
def test_a_reader_in_the_way_of_recovery_begins_again(
    steady: Pair,
    times: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An exclusive lock on the primary cancels who reads the standby, after a while."""
    with steady.standby.connect() as connection:
        connection.execute("ALTER SYSTEM SET max_standby_streaming_delay = '100ms'")
        connection.execute("SELECT pg_reload_conf()")
    conflicts: list[int] = []
    original = meta_audit.verify.run.Checkpoints

    def conflict(reader: Any, damages: Any) -> Any:
        reader.query("SELECT count(*) FROM documents")
        if len(conflicts) < times:
            conflicts.append(1)
            with steady.primary.connect(DATABASE) as primary:
                primary.execute("BEGIN; LOCK TABLE documents IN ACCESS EXCLUSIVE MODE; COMMIT")
            steady.catch_up()
        return original(reader, damages)

    monkeypatch.setattr(meta_audit.verify.run, "Checkpoints", conflict)
    monkeypatch.setenv("META_AUDIT_WAIT", "2")
    status = cli.run(["verify", "--db", steady.standby.tcp(DATABASE)])
    said = capsys.readouterr().err
    assert conflicts
    if times == 1:
        assert status == 0, said
    else:
        assert len(conflicts) > 2
        assert status == cli.Exit.STORE, said
        assert "conflict with recovery" in said
        assert "max_standby_streaming_delay" in said
