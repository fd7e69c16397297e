"""What a user sees when something is wrong: one clear error, exit 4, no password, no traceback."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from meta_audit import cli
from tests.clusters import Cluster
from tests.postgres.password_cluster import DATABASE, SECRET, Run, cluster, run, store_of

__all__ = ["cluster", "run"]


CASES: dict[str, tuple[Callable[[Cluster], str], str, str]] = {
    "wrong password": (
        lambda c: c.tcp(DATABASE, "reader", f"{SECRET}x"),
        "password authentication failed",
        "Check user and password",
    ),
    "no password": (
        lambda c: c.tcp(DATABASE, "reader"),
        "no password supplied",
        "Check user and password",
    ),
    "password in the query": (
        lambda c: c.tcp(DATABASE, "reader") + f"?password={SECRET}x",
        "password authentication failed",
        "Check user and password",
    ),
    "no such role": (
        lambda c: c.tcp(DATABASE, "nobody", SECRET),
        "password authentication failed",
        "Check user and password",
    ),
    "may not log in": (
        lambda c: c.tcp(DATABASE, "sleeper", SECRET),
        "not permitted to log in",
        "Check user and password",
    ),
    "may not come from here": (
        lambda c: c.tcp(DATABASE, "banned", SECRET),
        "pg_hba.conf rejects",
        "Check user and password",
    ),
    "no such database": (
        lambda c: c.tcp("nowhere", "reader", SECRET),
        'database "nowhere" does not exist',
        "createdb",
    ),
    "may not connect": (
        lambda c: c.tcp("closed", "reader", SECRET),
        'permission denied for database "closed"',
        "Use a role with the right to do this",
    ),
    "no rights": (
        lambda c: c.tcp(DATABASE, "outsider", SECRET),
        "permission denied for table",
        "Use a role with the right to do this",
    ),
    "no SSL": (
        lambda c: c.tcp(DATABASE, "reader", SECRET) + "?sslmode=require",
        "does not support SSL",
        "do not agree about SSL",
    ),
    "no such host": (
        lambda c: f"postgresql://reader:{SECRET}@no-such-host.invalid/{DATABASE}",
        "resolve",
        "there is no such host",
    ),
    "no such option": (
        lambda c: c.tcp(DATABASE, "reader", SECRET) + "?nonsense=1",
        'invalid connection option "nonsense"',
        "libpq does not accept",
    ),
    "no such value": (
        lambda c: c.tcp(DATABASE, "reader", SECRET) + "?sslmode=sometimes",
        'invalid sslmode value: "sometimes"',
        "libpq does not accept",
    ),
    "no such port": (
        lambda c: f"postgresql://reader:{SECRET}@127.0.0.1:99999/{DATABASE}",
        'invalid port number: "99999"',
        "libpq does not accept",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_pass_is_said_at_once(
    cluster: Cluster, run: Run, tmp_path: Path, case: str
) -> None:
    make, error, advice = CASES[case]
    db = make(cluster)
    began = time.monotonic()
    for command in (["find"], ["ingest", __file__], ["verify"], ["db", "upgrade"]):
        result = run(*command, "--db", db)
        assert result.status == cli.Exit.STORE
        assert error in result.err
        assert advice in result.err
    assert run("db", "copy", db, tmp_path / "copy.db").status == cli.Exit.STORE
    assert time.monotonic() - began < 25  # it would wait for 30


PASSING: dict[str, tuple[Callable[[Cluster], str], str, str]] = {
    "wrong port": (
        lambda c: f"postgresql://reader:{SECRET}@127.0.0.1:1/{DATABASE}",
        "Connection refused",
        "Check that the server is up",
    ),
    "wrong ports of two hosts": (
        lambda c: f"postgresql://reader:{SECRET}@127.0.0.1:1,127.0.0.1:2/{DATABASE}",
        "Connection refused",
        "Check that the server is up",
    ),
    "too many connections": (
        lambda c: c.tcp(DATABASE, "crowded", SECRET),
        "too many connections for role",
        "has too many connections",
    ),
}


@pytest.mark.parametrize("case", PASSING)
def test_what_may_pass_is_waited_for(
    cluster: Cluster, run: Run, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    make, error, advice = PASSING[case]
    monkeypatch.setenv("META_AUDIT_WAIT", "0.7")
    for command in (["find"], ["ingest", __file__], ["verify"]):
        began = time.monotonic()
        result = run(*command, "--db", make(cluster))
        assert 0.2 < time.monotonic() - began < 10
        assert result.status == cli.Exit.STORE
        assert error in result.err
        assert advice in result.err


def test_who_waits_for_long_says_so_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("META_AUDIT_WAIT", "4")
    result = run("find", "--db", f"postgresql://reader:{SECRET}@127.0.0.1:1/a")
    waiting, error, _ = result.err.splitlines()
    assert waiting.startswith("Waiting, up to 4 s: the store postgresql://reader@")
    assert error.startswith("Error: ")


@pytest.mark.parametrize("how", ["fsync", "full_page_writes", "synchronous_commit", "role"])
def test_an_unsafe_server_is_refused(cluster: Cluster, run: Run, tmp_path: Path, how: str) -> None:
    setting = "synchronous_commit" if how == "role" else how
    if how == "role":
        with cluster.connect() as connection:
            connection.execute("ALTER ROLE postgres SET synchronous_commit = off")
    else:
        cluster.configure({how: "off"})
        cluster.restart("fast")
    (tmp_path / "job.json").write_text('{"ID": "j-1", "Tasks": [{"Name": "t"}]}')
    db = store_of(cluster)
    copying = ("db", "copy", tmp_path / "from.db", store_of(cluster, "template1"))
    assert run("ingest", tmp_path / "job.json", "--db", tmp_path / "from.db").status == 0
    try:
        for command in (("ingest", tmp_path, "--db", db), ("rejections", "retry", "--db", db)):
            result = run(*command)
            assert result.status == cli.Exit.STORE
            assert f"runs with {setting} off" in result.err
            assert "--allow-unsafe-server" in result.err
            assert run(*command, "--allow-unsafe-server").status in (0, 1)
        assert f"runs with {setting} off" in run(*copying).err
        assert run("find", "--db", db).status == 0
    finally:
        with cluster.connect() as connection:
            connection.execute("ALTER ROLE postgres RESET synchronous_commit")
        if how != "role":
            cluster.configure({how: "on"})
            cluster.restart("fast")
    assert run("ingest", tmp_path / "job.json", "--db", db).status == 0
