"""Trace every job that real servers put out, and compare with what their API said."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from meta_audit.query.results import Trace
from meta_audit.query.trace import trace
from meta_audit.store.opening import open_to_read
from tests.conftest import CORPUS, Audit

SERVERS = CORPUS / "servers"
ROLES = {
    "requester": "requester",
    "requester_key": "requester_key",
    "client": "client",
    "server_installation": "server_installation",
    "server_instance": "server_instance",
}


def nanoseconds(time: str | None) -> int | None:
    """Read RFC 3339 text in UTC, to the nanosecond."""
    if time is None:
        return None
    from datetime import UTC, datetime

    whole = datetime.strptime(time[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return int(whole.timestamp()) * 10**9 + int(time[20:29])


def told(found: Trace) -> dict[str, Any]:
    """What a trace says of a job, in the shape of truth.json."""
    best: dict[str, str] = {}
    for one in found.attributions:
        if one.trust in ("proven", "server"):
            best.setdefault(one.role, one.value)
    return {
        "name": found.job.name,
        "namespace": found.job.namespace,
        "type": found.job.type,
        "count": found.job.count,
        "priority": found.job.priority,
        "version": found.job.version,
        "revision": found.job.revision,
        "create": nanoseconds(found.job.created_at),
        "modify": nanoseconds(found.job.modified_at),
        "state": found.job.state,
        "message": found.job.state_message or None,
        "meta": {pair.key: pair.value for pair in found.meta if pair.level == "job"},
        "labels": found.labels,
        **{role: best.get(role) for role in ROLES},
    }


def differences(audit: Audit, truth: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Jobs whose trace says something else, field by field."""
    wrong: dict[str, dict[str, Any]] = {}
    store = open_to_read(str(audit.db))
    for job_id, wanted in truth.items():
        found = store.read(lambda session, job=job_id: trace(session, job))  # type: ignore[misc]
        if not isinstance(found, Trace):
            wrong[job_id] = {"ambiguous": [c.namespace for c in found.candidates]}
            continue
        said = told(found)
        fields = {
            name: (said[name], wanted.get(name))
            for name in said
            if (said[name] or None) != (wanted.get(name) or None)
        }
        if fields:
            wrong[job_id] = fields
    store.close()
    return wrong


@pytest.mark.parametrize("server", ["v1.1.6", "v1.6.5", "v1.6.5-ids"])
def test_what_the_api_said_is_what_trace_says(audit: Audit, server: str) -> None:
    folder = SERVERS / server
    if not folder.exists():
        pytest.skip("the corpus of servers is not beside the repository")
    audit.ingest(folder / "api")
    truth = json.loads((folder / "truth.json").read_text())
    assert differences(audit, truth) == {}


@pytest.mark.parametrize("server", ["v1.1.6", "v1.6.5"])
def test_what_the_api_said_is_what_the_job_stores_say(
    audit: Audit, server: str, tmp_path: Path
) -> None:
    folder = SERVERS / server
    if not folder.exists():
        pytest.skip("the corpus of servers is not beside the repository")
    with tarfile.open(tmp_path / "backup.tar", "w") as backup:
        for file in sorted((folder / "db").iterdir()):
            backup.add(file, f".bacalhau/{file.name}")
    taken = audit.ingest(tmp_path / "backup.tar")
    assert (taken.status, taken.summary["rejected"]) == (0, 0)
    truth = json.loads((folder / "truth.json").read_text())
    wrong = differences(audit, truth)
    # The copies are newer than the answers: two jobs were stopped between.
    stopped = {"modify", "revision", "state"}
    assert [{*fields} for fields in wrong.values()] == [stopped] * (2 if server == "v1.1.6" else 0)
    assert all(fields["state"] == ("Stopped", "Running") for fields in wrong.values())
    histories = audit.rows("SELECT count(*) FROM v_events WHERE kind = 'JobLevel'")[0][0]
    assert histories >= len(truth)


def test_two_apis_of_one_job_are_one_job(audit: Audit, another: Audit) -> None:
    folder = SERVERS / "minimal" / "two-apis"
    if not folder.exists():
        pytest.skip("the corpus of servers is not beside the repository")
    files = sorted(Path(folder).iterdir())
    for store, order in ((audit, files), (another, files[::-1])):
        for file in order:
            store.ingest(file)
    jobs = [store.run("find", "--format", "ndjson").out for store in (audit, another)]
    assert jobs[0] == jobs[1]
