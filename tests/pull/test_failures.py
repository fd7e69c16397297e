"""What a server may do to us: each case ends soon, with clear words, and takes nothing half."""

from __future__ import annotations

import base64
import gzip
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meta_audit.errors import SourceError, UsageError
from meta_audit.sources.orchestrator import (
    Address,
    Credentials,
    HttpLimits,
    Transport,
    load_credentials,
)
from meta_audit.sources.orchestrator.address import JOBS
from tests.certificates import make_certificate
from tests.conftest import Audit, Program
from tests.pull import orchestrator as server
from tests.pull.changes import Changes
from tests.pull.orchestrator import Fault, Orchestrator, serving

QUICK = HttpLimits(seconds=0.4, patience=2.0, pause=0.01, body_bytes=100_000, requests=2)


@pytest.fixture(scope="module")
def served() -> Orchestrator:
    """Hold some jobs that do not change."""
    found = Orchestrator("v1.9")
    changes = Changes(found, 1)
    for _ in range(12):
        changes.change()
    return found


@pytest.fixture(scope="module")
def url(served: Orchestrator) -> Iterator[str]:
    with serving(served) as found:
        yield found


@pytest.fixture(autouse=True)
def _calm(served: Orchestrator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("META_AUDIT_WAIT", "0.3")
    for name in ("BACALHAU_API_KEY", "BACALHAU_API_USERNAME", "BACALHAU_API_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    yield
    served.faults.clear()
    served.wanted = None


def ask(url: str, limits: HttpLimits = QUICK) -> bytes | None:
    """Ask for the first page."""
    parameters = [("order_by", "created_at"), ("limit", "3")]
    with closing(Transport(Address.parse(url), Credentials(), limits=limits)) as transport:
        return transport.ask(JOBS, parameters)


@pytest.mark.parametrize(
    "fault",
    [
        server.status(429, Retry_After="0"),
        server.status(500),
        server.status(503, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"),
        server.cut_off,
        server.drip,
        server.drop,
        server.status(307, Location=JOBS + "?order_by=created_at&limit=3"),
    ],
    ids=["429", "500", "503", "cut off", "drip", "drop", "redirect within the host"],
)
def test_what_passes_is_waited_for(url: str, served: Orchestrator, fault: Fault) -> None:
    served.faults.append(fault)
    assert b'"Items"' in (ask(url) or b"")


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (server.status(429, Retry_After="3600"), "server.failed", "come back in 3600 seconds"),
        (server.status(404), "server.failed", "404"),
        (server.status(401), "server.denied", "401"),
        (server.status(403), "server.denied", "403"),
        (server.status(302, Location="http://example.org/"), "server.answer", "another server"),
        (server.status(302, Location="//u:p@127.0.0.1/"), "server.answer", "another server"),
        (server.body(b"{}" * 60_000), "server.answer", "more than 100,000 bytes"),
        (
            server.body(gzip.compress(b"{}"), Content_Encoding="gzip"),
            "server.answer",
            "compresses",
        ),
    ],
)
def test_what_does_not_pass_is_said_at_once(
    url: str, served: Orchestrator, fault: Fault, code: str, words: str
) -> None:
    served.faults.append(fault)
    with pytest.raises(SourceError, match=words) as caught:
        ask(url)
    assert caught.value.code == code
    assert "secret-echo" not in str(caught.value)


@pytest.mark.parametrize("fault", [server.status(500), server.drip, server.drop, server.cut_off])
def test_patience_ends(url: str, served: Orchestrator, fault: Fault) -> None:
    served.faults.extend([fault] * 8)
    with pytest.raises(SourceError):
        ask(url, HttpLimits(seconds=0.1, patience=0.2, pause=0.05))


@pytest.mark.parametrize(
    "content",
    [b"<html>", b"[]", b'{"Items":{}}', b'{"error":"no"}', b'{"Items":[],"NextToken":"opaque"}'],
)
def test_an_answer_of_another_program_makes_no_store(
    url: str, served: Orchestrator, tmp_path: Path, file: Audit, content: bytes
) -> None:
    served.faults.append(server.body(content))
    file.db = tmp_path / "none.db"
    refused = file.run("pull", url)
    assert refused.status == 3
    assert url in refused.err
    assert not file.db.exists()


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ([], "is empty, though it says that more follow"),
        ([b'{"ID":"j-1","CreateTime":1}'], "goes on behind a page of 1, though asked for 100"),
    ],
)
def test_a_page_that_is_cut_is_not_the_end_of_the_list(
    url: str, served: Orchestrator, audit: Audit, elements: list[bytes], words: str
) -> None:
    more = base64.urlsafe_b64encode(b"created_at:N:100:1").decode()
    for _ in range(2):  # a list that goes on is never read as a whole one
        served.faults.extend([server.body(server.page(elements, "Items", more))] * 2)
        refused = audit.run("pull", url)
        served.faults.clear()
        assert refused.status == 3
        assert words in " ".join(refused.err.split())
    assert audit.run("pull", url).status == 0
    assert audit.rows("SELECT count(*) FROM v_jobs") == [(len(served.jobs),)]


def test_hostile_elements_are_kept_aside_and_hide_no_job(file: Audit) -> None:
    hostile = Orchestrator("v1.9")
    changes = Changes(hostile, 1)
    for _ in range(12):
        changes.change()
    odd = (b"null", b'{"ID":7}', b"[[[]]]", b'{"ID":"..","Tasks":[]}', b'"' + b"x" * 100 + b'"')
    for n, body in enumerate(odd):
        hostile.jobs[f"odd {n}"] = server.Held(f"odd {n}", body, 0, 0)
    with serving(hostile) as url:
        done = file.run("pull", url, "--format", "json")
    assert done.status == 1
    assert done.summary["rejected"] + done.summary["jobs"] >= len(hostile.jobs) - 1
    real = {job_id for job_id in hostile.jobs if job_id.startswith("j-")}
    assert real <= {row[0] for row in file.rows("SELECT job_id FROM jobs")}
    assert file.faults() == []


def test_a_list_of_a_job_that_comes_in_pages_is_taken_whole(
    file: Audit, own: Audit, tmp_path: Path
) -> None:
    file.db = tmp_path / "whole.db"
    paged = Orchestrator("v1.9")
    changes = Changes(paged, 3)
    for _ in range(30):
        changes.change()
    views = (
        "SELECT execution_id, job_id, node, state, modified_ns FROM v_executions ORDER BY 1, 5, 4",
        "SELECT job_id, execution_id, time_ns, state, message FROM v_events ORDER BY 1, 2, 3, 4, 5",
    )
    found = []
    for audit, most in ((file, None), (own, 1)):
        paged.most = most
        with serving(paged) as url:
            assert audit.run("pull", url, "--full").status == 0
        found.append([audit.rows(view) for view in views])
    assert len(found[0][0]) > len(paged.jobs) / 2
    assert found[0] == found[1]


def test_a_part_that_cannot_be_read_is_reported_and_all_else_taken(file: Audit) -> None:
    broken = Orchestrator("v1.9")
    changes = Changes(broken, 1)
    for _ in range(12):
        changes.change()
    victim, other = sorted(broken.jobs)[:2]
    broken.jobs[victim].parts["history"] = broken.jobs[other].parts["history"]
    with serving(broken) as url:
        done = file.run("pull", url)
        assert done.status == 3
        assert f"the history of job {victim}: they are of another job" in done.err
        assert {row[0] for row in file.rows("SELECT job_id FROM jobs")} == set(broken.jobs)
        file.run("pull", url)
    sweeps = ["--full" in row[0] for row in file.rows("SELECT arguments FROM imports")]
    assert sweeps == [True, False]  # a job that cannot be read does not make us read all again


def test_a_server_that_fails_midway_leaves_whole_jobs_and_no_watermark(file: Audit) -> None:
    partly = Orchestrator("v1.9")
    changes = Changes(partly, 2)
    for _ in range(150):
        changes.change()
    answered = iter(range(10_000))

    def fail() -> None:
        if next(answered) == 25:
            partly.faults.extend([server.status(401)] * 500)

    partly.before = fail
    with serving(partly) as address:
        refused = file.run("pull", address)
        assert refused.status == 3
        assert "401" in refused.err
        _check_whole(changes, file)
        partly.before = lambda: None
        partly.faults.clear()
        assert file.run("pull", address).status == 0
    assert _check_whole(changes, file) == len(partly.jobs)
    sweeps = ["--full" in row[0] for row in file.rows("SELECT arguments FROM imports")]
    assert sweeps == [True, True]


def _check_whole(changes: Changes, audit: Audit) -> int:
    """Check that each job is in the store with all its parts or not at all; count them."""
    held = {bytes(row[0]) for row in audit.rows("SELECT sha256 FROM documents")}
    shown = [set(digests) for digests in changes.shown(with_parts=True).values()]
    assert all(held >= one or not held & one for one in shown)
    return sum(held >= one for one in shown)


def test_the_certificate_must_be_known(file: Audit, served: Orchestrator, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make_certificate(key, certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with serving(served, tls) as url:
        refused = file.run("pull", url)
        assert refused.status == 3
        assert "its certificate cannot be verified" in refused.err
        assert file.run("pull", url, "--ca-file", certificate).status == 0
    assert file.run("pull", url, "--ca-file", key).status == 2


def test_credentials_reach_the_server_and_nothing_else(
    file: Audit, url: str, served: Orchestrator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "s3cret-of-ana"
    secrets = tmp_path / "secrets"
    secrets.write_text(f"BACALHAU_API_USERNAME=ana\nBACALHAU_API_PASSWORD={secret}\n")
    served.wanted = "Basic YW5hOnMzY3JldC1vZi1hbmE="
    said = [file.run("pull", url)]
    assert (said[0].status, "read:job" in said[0].err) == (3, True)
    said.append(file.run("pull", url, "--credentials", secrets))
    assert said[1].status == 0
    monkeypatch.setenv("BACALHAU_API_KEY", secret)
    said.append(file.run("pull", url))
    assert said[2].status == 3
    served.wanted = f"Bearer {secret}"
    said.append(file.run("pull", url))
    assert said[3].status == 0
    assert not any(secret in one.out + one.err for one in said)
    stored = b"".join(path.read_bytes() for path in Path(file.db).parent.glob("audit.db*"))
    assert secret.encode() not in stored
    assert served.wanted.encode() not in stored


def test_the_proxy_of_the_environment_is_asked(
    file: Audit, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", url.replace("http://", "http://ana:s3cr@"))
    assert file.run("pull", "http://orchestrator.invalid:1234").status == 0
    monkeypatch.setenv("no_proxy", ".invalid")
    direct = file.run("pull", "http://orchestrator.invalid:1234")
    monkeypatch.setenv("http_proxy", "socks5://ana:s3cr@127.0.0.1:9")
    unusable = file.run("pull", "http://orchestrator.example:1234")
    assert (direct.status, unusable.status) == (3, 2)
    assert "s3cr" not in direct.err + unusable.err


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "no line BACALHAU_API_KEY"),
        ("BACALHAU_API_USERNAME=ana", "only one of"),
        ("BACALHAU_API_KEY=a\nBACALHAU_API_USERNAME=b", "use one of the two"),
        ("BACALHAU_API_KEY=s3cr\x00et", "no header can hold"),
    ],
)
def test_credentials_that_cannot_be_used_are_not_repeated(
    tmp_path: Path, lines: str, words: str
) -> None:
    (tmp_path / "secrets").write_text(lines)
    with pytest.raises(UsageError, match=words) as caught:
        load_credentials(str(tmp_path / "secrets"), {})
    assert "s3cr" not in str(caught.value)
    assert "hidden" in repr(Credentials("Bearer s3cr"))


@pytest.mark.parametrize(
    "bad", ["host:1234", "ftp://host", "http://ana:s3cr@host", "http://host:x", "http://h/?a=b"]
)
def test_an_address_that_is_none_is_refused(file: Audit, bad: str) -> None:
    refused = file.run("pull", bad)
    assert refused.status == 2
    assert "s3cr" not in refused.err


@pytest.mark.parametrize("command", ["pull", "compare"])
def test_a_file_is_no_server(file: Audit, tmp_path: Path, command: str) -> None:
    result = file.run(command, tmp_path)
    assert result.status == 2
    assert "is a file or directory, not the address of a server" in result.err
    assert "meta-audit has" in result.err


def test_addresses_of_one_server_are_one_source() -> None:
    for written in ("HTTP://Host:1234/", "http://host:1234/api/v1/orchestrator/jobs"):
        assert Address.parse(written).uri == "http://host:1234/api/v1/orchestrator/jobs"
    path = Address.parse("http://h").job_path("a/../b?c", "history")
    assert path == f"{JOBS}/a%2F..%2Fb%3Fc/history"
    assert Address.parse("http://h").job_path("..", "history") is None


def test_watch_follows_waits_and_stops(program: Program, file: Audit, tmp_path: Path) -> None:
    served = Orchestrator("v1.9")
    changes = Changes(served, 4)
    for _ in range(20):
        changes.change()
    with serving(served) as url:
        watching = program(
            "pull", url, "--watch", "1s", "--db", file.db, "--format", "json",
            "--metrics", tmp_path / "meta.prom",
            env={"META_AUDIT_WAIT": "0.1"},
        )  # fmt: skip
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        for _ in range(20):
            changes.change()
        served.faults.append(server.status(503))
        second = json.loads(watching.stdout.readline())
        asked = len(served.requests)
        while len(served.requests) < asked + 2:  # it goes on, and makes no import of nothing
            assert watching.poll() is None
            time.sleep(0.05)
        watching.terminate()
        out, err = watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert (first["import_id"], second["import_id"], out) == (1, 2, b"")
    assert b"Waiting: " in err
    assert b"503" in err
    assert b"The server answers again." in err
    metrics = (tmp_path / "meta.prom").read_text()
    assert f'meta_audit_server_up{{url="{url}/api/v1/orchestrator/jobs"}} 1' in metrics
    assert "meta_audit_server_read_timestamp_seconds" in metrics
    assert 'meta_audit_imports_total{status="complete"} 2' in metrics
    assert _check_whole(changes, file) == len(served.jobs)


def test_a_signal_stops_at_a_whole_job(program: Program, file: Audit) -> None:
    served = Orchestrator("v1.9")
    changes = Changes(served, 4)
    for _ in range(150):
        changes.change()
    answered = iter(range(10_000))

    def stall() -> None:
        if next(answered) == 60:
            served.faults.extend([server.drip] * 20)

    served.before = stall
    with serving(served) as url:
        pulling = program("pull", url, "--db", file.db)
        while not served.faults:
            assert pulling.poll() is None
            time.sleep(0.05)
        pulling.terminate()
        _, err = pulling.communicate(timeout=60)
        assert pulling.returncode == 128 + 15
        assert b"run the same command again" in err
        _check_whole(changes, file)
        served.faults.clear()
        served.before = lambda: None
        assert file.run("pull", url).status == 0
    assert _check_whole(changes, file) == len(served.jobs)
