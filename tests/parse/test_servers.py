"""What real servers gave out, against what their API said of each job (`truth.json`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meta_audit import execution_state
from meta_audit.decode import decode
from meta_audit.model import JobRecord
from meta_audit.nul import unescape_nul
from meta_audit.parse import parse

SERVERS = Path(__file__).resolve().parents[2] / "../shared/corpus/servers"
ROLES = ("requester", "requester_key", "client", "server_installation", "server_instance")
CLIENT_ROLES = ("client_installation", "client_instance")


def read(path: Path) -> JobRecord:
    content = path.read_bytes()
    return parse(decode(content, "json"), content)


def plain(texts: dict[str, str]) -> dict[str, str]:
    return {unescape_nul(key): unescape_nul(value) for key, value in texts.items()}


def said(record: JobRecord) -> dict[str, Any]:
    """Give a record in the terms of `truth.json`."""
    named = {a.role: a.value for a in reversed(record.attributions)}
    return {
        "id": record.job_id,
        "name": record.name,
        "namespace": record.namespace,
        "type": record.type,
        "count": record.count,
        "priority": record.priority,
        "version": record.version,
        "revision": record.revision,
        "create": record.created_at,
        "modify": record.modified_at,
        "state": record.state,
        "message": record.state_message or None,
        "meta": plain(record.meta),
        "task_meta": {task.name: plain(task.meta) for task in record.tasks},
        "labels": plain(record.labels),
        **{role: named.get(role) for role in (*ROLES, *CLIENT_ROLES)},
    }


@pytest.mark.parametrize(("version", "count"), [("v1.1.6", 45), ("v1.6.5", 40), ("v1.6.5-ids", 4)])
def test_every_job_of_a_server(version: str, count: int) -> None:
    folder = SERVERS / version
    if not folder.is_dir():
        pytest.skip("what real servers put out is not beside the repository")
    truth = json.loads((folder / "truth.json").read_bytes())
    assert len(truth) == count
    wrong = {}
    for job_id, expected in truth.items():
        record = read(folder / "api" / "job" / f"{job_id}.json")
        assert record.origin == "orchestrator"
        assert {a.trust for a in record.attributions if a.role in ROLES} <= {"server"}
        assert {a.trust for a in record.attributions if a.role in CLIENT_ROLES} <= {"claimed"}
        answer = said(record)
        differs = {name: (answer[name], expected[name]) for name in answer}
        wrong |= {(job_id, name): both for name, both in differs.items() if both[0] != both[1]}
        enum = execution_state.names(record.layout)
        for execution in record.executions:
            assert execution.state == enum[expected["executions"][execution.execution_id]["state"]]
    assert wrong == {}
