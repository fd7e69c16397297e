"""Short forms of the long fault runs, and the faults that those cannot time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from meta_audit import cli
from meta_audit.errors import StoreError, TransientStoreError
from meta_audit.record.runs import begin_import
from meta_audit.store.opening import Store, open_to_read, open_to_write
from meta_audit.store.postgresql.session import PostgresqlSession
from meta_audit.store.retry import Retry
from tests.engines import Server
from tests.faults import export
from tests.postgres.faults import Trial
from tests.postgres.importers import check, import_at_once, write_files


@pytest.fixture(scope="module")
def trial(postgres: Server, folder: Path) -> Trial:
    """An import to disturb."""
    return Trial(postgres, folder, seed=random.Random(3).randrange(100))


@pytest.mark.parametrize(("kind", "number"), [("kills", 2), ("terminations", 3)])
def test_disturbed_imports(trial: Trial, kind: str, number: int) -> None:
    assert getattr(trial, kind)(number).details == []


def test_crashes_of_the_server(postgres: Server, trial: Trial) -> None:
    if not postgres.is_local:
        pytest.skip("the server is not the test's own")
    assert trial.restarts(2).details == []


def test_importers_at_once(db_url: str, tmp_path: Path) -> None:
    files = write_files(tmp_path, importers=3, documents=200, seed=2)
    summaries, wrong = import_at_once(files, db_url)
    assert wrong + check(files, db_url, summaries) == []


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    store = open_to_write(postgres_url)
    yield store
    store.close()


def imports(store: Store) -> int:
    with store.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM imports").scalar() or 0)


def cut(bulk: PostgresqlSession, server: Server) -> None:
    """Terminate the server's side of a connection."""
    pid = bulk._connected().info.backend_pid
    with server.connect() as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def begin(bulk: PostgresqlSession) -> int:
    return begin_import(bulk, "me", "0", "[]")


def test_a_connection_lost_while_idle(store: Store, postgres: Server) -> None:
    bulk = session_of(store)
    assert begin(bulk) == 1
    cut(bulk, postgres)
    assert begin(bulk) == 2
    cut(bulk, postgres)
    assert bulk.query("SELECT count(*) FROM imports") == [(2,)]
    bulk.close()


@pytest.mark.parametrize("moment", ["query", "insert", "commit"])
def test_a_connection_lost_within_a_transaction(
    store: Store, postgres: Server, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk = session_of(store)
    begin(bulk)
    original: Callable[..., Any] = getattr(bulk, moment)
    times = []

    def lost(*arguments: Any) -> Any:
        times.append(moment)
        if len(times) == 1:
            cut(bulk, postgres)
        return original(*arguments)

    monkeypatch.setattr(bulk, moment, lost)
    assert begin(bulk) == 2
    assert len(times) > 1 or moment == "commit"
    assert imports(store) == 2
    bulk.close()


@pytest.mark.parametrize("done", [True, False])
def test_a_commit_that_was_not_answered(
    store: Store, postgres: Server, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server committed, or not; the connection broke before it could say so."""
    bulk = session_of(store)
    begin(bulk)
    driver = bulk._connected()
    execute = driver.execute
    commits = []

    def lost(sql: Any, *rest: Any) -> Any:
        if sql == "COMMIT":
            commits.append(sql)
            if done:
                execute(sql)
            cut(bulk, postgres)
        return execute(sql, *rest)

    monkeypatch.setattr(driver, "execute", lost)
    assert begin(bulk) == 2
    assert commits == ["COMMIT"]
    assert imports(store) == 2
    bulk.close()


def test_another_writer_took_the_number_meanwhile(
    store: Store, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first row of the lost transaction has the number of another's: it was not committed."""
    again = open_to_write_again(store)
    bulk, other = session_of(store), session_of(again)
    driver = bulk._connected()
    execute = driver.execute

    def lost(sql: Any, *rest: Any) -> Any:
        if sql == "COMMIT":
            cut(bulk, postgres)
            begin_import(other, "other", "0", "[]")
        return execute(sql, *rest)

    monkeypatch.setattr(driver, "execute", lost)
    assert begin(bulk) == 2
    with store.engine.connect() as connection:
        actors = connection.exec_driver_sql("SELECT actor FROM imports ORDER BY import_id")
        assert actors.scalars().all() == ["other", "me"]
    bulk.close()
    again.close()


def open_to_write_again(store: Store, retry: Retry | None = None) -> Store:
    return open_to_write(store.location, retry=retry)


def session_of(store: Store) -> PostgresqlSession:
    session = store.session()
    assert isinstance(session, PostgresqlSession)
    return session


def test_waiting_ends(store: Store, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    again = open_to_write_again(store, Retry(write_seconds=0.5))
    bulk = session_of(again)
    original = bulk.insert

    def lost(*arguments: Any) -> Any:
        cut(bulk, postgres)
        return original(*arguments)

    monkeypatch.setattr(bulk, "insert", lost)
    with pytest.raises(TransientStoreError, match=r"terminating connection|closed"):
        begin(bulk)
    again.close()
    assert imports(store) == 0


def test_an_error_that_does_not_pass_is_not_repeated(store: Store) -> None:
    bulk = session_of(store)
    times = []

    def work() -> None:
        times.append(1)
        bulk.query("SELECT nonsense")

    with pytest.raises(StoreError, match=r"nonsense.*42703") as raised:
        bulk.transaction(work)
    assert not isinstance(raised.value, TransientStoreError)
    assert times == [1]
    assert begin(bulk) == 1
    bulk.close()


@contextmanager
def holding_the_lock(store: Store) -> Iterator[threading.Event]:
    """Another writer is at work until the event is set."""
    again = open_to_write_again(store)
    bulk = session_of(again)
    bulk.begin()
    let_go = threading.Event()

    def hold() -> None:
        let_go.wait(30)
        bulk.rollback()

    thread = threading.Thread(target=hold)
    thread.start()
    yield let_go
    let_go.set()
    thread.join()
    again.close()


def test_a_writer_waits_for_its_turn_beyond_the_time_out(store: Store) -> None:
    bulk = session_of(store)
    bulk._connected().execute("SET lock_timeout = '100ms'")
    with holding_the_lock(store) as let_go:
        threading.Timer(0.5, let_go.set).start()
        assert begin(bulk) == 1
    bulk.close()


def test_a_writer_does_not_wait_for_ever(store: Store) -> None:
    again = open_to_write_again(store, Retry(busy_seconds=0))
    bulk = session_of(again)
    bulk._connected().execute("SET lock_timeout = '100ms'")
    with holding_the_lock(store), pytest.raises(TransientStoreError, match="55P03"):
        bulk.begin()
    again.close()


def test_time_outs_are_set(store: Store) -> None:
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    bulk = session_of(store)
    assert all(bulk.query(f"SHOW {name}")[0][0] != "0" for name in names)
    bulk.close()


def test_reading_while_the_connection_is_cut(
    postgres: Server,
    postgres_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import meta_audit.query.find

    original = meta_audit.query.find.summaries

    def cut_first(session: PostgresqlSession, keys: Any) -> Any:
        cut(session, postgres)
        return original(session, [1])

    monkeypatch.setattr(meta_audit.query.find, "summaries", cut_first)
    monkeypatch.setenv("META_AUDIT_WAIT", "0.5")
    assert cli.run(["find", "--db", postgres_url]) == cli.Exit.STORE
    assert "terminating connection" in capsys.readouterr().err


def test_every_row_is_there_after_a_fault_in_the_middle(
    postgres: Server, postgres_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of statement of an import is cut once."""
    done: set[str] = set()
    for name in ("insert", "query", "insert_missing", "begin", "commit"):
        original = getattr(PostgresqlSession, name)

        def cut_once(
            self: PostgresqlSession, *rest: Any, original: Any = original, name: str = name
        ) -> Any:
            what = f"{name} {str(rest[0])[:40] if rest else ''}"
            if what not in done:
                done.add(what)
                cut(self, postgres)
            return original(self, *rest)

        monkeypatch.setattr(PostgresqlSession, name, cut_once)
    quick = Retry(first_wait=0.001, longest_wait=0.01)
    monkeypatch.setattr(Retry, "from_environment", lambda: quick)
    assert cli.run(["ingest", str(folder), "--db", postgres_url, "--jobs", "0"]) in (1, 3)
    assert len(done) > 20
    store = open_to_read(postgres_url)
    with store.engine.connect() as connection:
        assert export.faults(connection) == []
        assert connection.exec_driver_sql("SELECT count(*) FROM imports").scalar() == 1
    store.close()
