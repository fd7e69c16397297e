"""Jobs that a server has no longer are named, once, and only where it says so itself."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from meta_audit.record import pulls
from tests.conftest import Audit
from tests.ingest.documents import compact, job
from tests.pull.orchestrator import JOBS, Held, Orchestrator, serving


def add(served: Orchestrator, number: int, **fields: Any) -> Held:
    value = job(number, ModifyTime=time.time_ns(), **fields)
    held = Held(value["ID"], compact(value), value["CreateTime"], value["ModifyTime"])
    held.parts = {"executions": [], "history": []}
    served.jobs[held.job_id] = held
    return held


def vanished(audit: Audit) -> list[str]:
    found = audit.run("find", "finding:job.vanished", "--format", "ndjson")
    return sorted(json.loads(line)["job_id"] for line in found.out.splitlines())


@pytest.fixture
def served() -> Orchestrator:
    """A server with five jobs; it answers for each of them alone."""
    server = Orchestrator("v1.9")
    for number in range(1, 6):
        add(server, number)
    return server


def pull(audit: Audit, url: str, *arguments: str) -> dict[str, Any]:
    done = audit.run("pull", url, *arguments, "--format", "json")
    assert done.status in (0, 1), done.err
    return done.summary


def test_a_job_that_is_gone_is_named_once(audit: Audit, served: Orchestrator) -> None:
    with serving(served) as url:
        pull(audit, url)
        gone = served.jobs.pop(sorted(served.jobs)[2])
        pull(audit, url)  # reads only what was modified
        assert vanished(audit) == []
        summary = pull(audit, url, "--full")
        assert summary["findings"] == {"job.vanished": 1}
        assert vanished(audit) == [gone.job_id]
        before = audit.rows("SELECT count(*) FROM documents")
        asked = len(served.requests)
        pull(audit, url, "--full")
        assert audit.rows("SELECT count(*) FROM documents") == before
        assert not [r for r in served.requests[asked:] if r.startswith(f"{JOBS}/{gone.job_id}?")]
    said = audit.run("trace", gone.job_id, "--format", "json").summary
    (finding,) = said["findings"]
    newest = said["observations"][-1]["document_sha256"]
    assert finding["severity"] == "critical"
    assert finding["detail"] == (
        f"{url}{JOBS} has it no longer; its newest document is sha256:{newest}"
    )
    assert said["job"]["state"] == "Running"
    reported = audit.run("report", "--format", "json").summary
    assert [one["job_id"] for one in reported["concerns"]] == [gone.job_id]
    assert audit.run("verify", "--deep").status == 0


def test_all_that_were_there_are_looked_for(
    own: Audit, served: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "_HELD", pulls._HELD.replace("LIMIT 5000", "LIMIT 2"))
    with serving(served) as url:
        pull(own, url)
        kept = served.jobs.popitem()
        gone = sorted(served.jobs)
        served.jobs = dict([kept])
        pull(own, url, "--full")
    assert vanished(own) == gone


def test_what_comes_back_can_vanish_again(own: Audit, served: Orchestrator) -> None:
    with serving(served) as url:
        pull(own, url)
        gone = served.jobs.popitem()[1]
        pull(own, url, "--full")
        again = json.loads(gone.body) | {"ModifyTime": time.time_ns(), "Revision": 99}
        gone.body, gone.modified = compact(again), again["ModifyTime"]
        served.jobs[gone.job_id] = gone
        pull(own, url, "--full")
        del served.jobs[gone.job_id]
        assert pull(own, url, "--full")["findings"] == {"job.vanished": 1}
    said = own.run("trace", gone.job_id, "--format", "json").summary
    assert len(said["findings"]) == 2


def test_a_job_that_the_server_still_knows_has_not_vanished(
    own: Audit, served: Orchestrator
) -> None:
    with serving(served) as url:
        pull(own, url, "--namespace", "default")
        left = next(iter(served.jobs.values()))
        left.namespace = "elsewhere"
        pull(own, url, "--namespace", "default", "--full")
    assert vanished(own) == []


def test_only_jobs_of_this_server_are_looked_for(
    own: Audit, served: Orchestrator, tmp_path: Path
) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(compact(job(77)))
    own.ingest(path)
    with serving(Orchestrator("v1.9")) as empty:
        with serving(served) as url:
            pull(own, url)
        pull(own, empty, "--full")
    assert vanished(own) == []


def test_a_server_that_fails_says_nothing(own: Audit, served: Orchestrator) -> None:
    with serving(served) as url:
        pull(own, url)
        gone = served.jobs.popitem()[1]

        answer = served.answer
        served.answer = lambda path, query: (  # type: ignore[method-assign]
            (500, b"{}") if path == f"{JOBS}/{gone.job_id}" else answer(path, query)
        )
        pull(own, url, "--full")
    assert vanished(own) == []


def test_the_same_fields_in_a_file_are_no_job(own: Audit, tmp_path: Path) -> None:
    path = tmp_path / "forged.json"
    forged = {"JobID": "j-1", "Namespace": "default", "Server": "http://x", "LastSeen": "sha256:0"}
    path.write_text(json.dumps(forged))
    done = own.ingest(path, "--format", "json")
    assert (done.status, done.summary["rejected"]) == (1, 1)


def event(job_id: str, number: int) -> bytes:
    """Return an element of a history, as v1.9 writes it."""
    return compact(
        {
            "Type": "JobLevel",
            "JobID": job_id,
            "SeqNum": number,
            "Event": {"Message": f"event {number}", "Topic": "Queueing"},
            "Time": f"2026-01-01T00:00:0{number}Z",
        }
    )


def test_history_that_was_cut_is_named(audit: Audit, served: Orchestrator) -> None:
    held = next(iter(served.jobs.values()))
    held.parts["history"] = [event(held.job_id, number) for number in range(5)]
    with serving(served) as url:
        pull(audit, url)
        assert "history.cut" not in pull(audit, url, "--full")["findings"]
        again = b"%s" % event(held.job_id, 4).replace(b'"SeqNum":4,', b'"SeqNum":4,"New":1,')
        held.parts["history"] = [event(held.job_id, 3), again]
        assert "history.cut" not in pull(audit, url)["findings"]  # it looks for what is new
        assert pull(audit, url, "--full")["findings"]["history.cut"] == 1
        assert "history.cut" not in pull(audit, url, "--full")["findings"]
    (found,) = [
        one
        for one in audit.run("trace", held.job_id, "--format", "json").summary["findings"]
        if one["code"] == "history.cut"
    ]
    newest = hashlib.sha256(event(held.job_id, 2)).hexdigest()
    assert found["severity"] == "warning"
    assert found["detail"] == f"{url}{JOBS} has 3 events no longer; the last one is sha256:{newest}"
    assert audit.run("verify", "--deep").status == 0


def test_a_history_that_cannot_be_read_was_not_cut(own: Audit, served: Orchestrator) -> None:
    held = next(iter(served.jobs.values()))
    held.parts["history"] = [event(held.job_id, 1)]
    with serving(served) as url:
        pull(own, url)
        answer = served.answer
        served.answer = lambda path, query: (  # type: ignore[method-assign]
            (500, b"{}") if path.endswith("/history") else answer(path, query)
        )
        assert own.run("pull", url, "--full").status == 3
    assert own.rows("SELECT count(*) FROM findings WHERE code = 'history.cut'") == [(0,)]
