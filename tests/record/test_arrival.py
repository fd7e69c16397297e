"""Views give the same answers in whatever order documents came in."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Audit
from tests.ingest.documents import compact, job

VIEWS = (
    "SELECT job_id, namespace, name, state, created_at, modified_at, origin, layout, requester,"
    " client, version, revision, priority FROM v_jobs",
    "SELECT job_id, namespace, execution_id, node, state FROM v_executions",
    "SELECT job_id, namespace, time, kind, message FROM v_events",
)
"""Without the columns that number what came, as it came."""


def answers(audit: Audit) -> list[list[tuple[Any, ...]]]:
    return [sorted(audit.rows(sql), key=repr) for sql in VIEWS]


SPEC = {k: v for k, v in job().items() if k not in ("State", "Version", "Revision", "ModifyTime")}
DOCUMENTS = {
    "one": job(state="Running"),
    # The same times and revision, another content: an edit that Bacalhau did not count.
    "other": job(image="alpine:2", Name="other", State={"StateType": "Running"}),
    # A spec with the ID of the job, from a client: later, and never its newest state.
    "spec": {**SPEC, "Name": "forged", "CreateTime": 0},
    "executions": {
        "Items": [
            {"ID": "e-1", "JobID": job()["ID"], "NodeID": "n-7", "ComputeState": {"StateType": 7}}
        ],
        "NextToken": "",
    },
}


def test_any_order_gives_the_same_answers(
    new_db: Callable[[], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in DOCUMENTS.items():
        (tmp_path / f"{name}.json").write_bytes(compact(value))
    found = []
    for order in itertools.permutations(DOCUMENTS):
        audit = Audit(new_db(), capsys)
        for name in order:
            assert audit.ingest(tmp_path / f"{name}.json").summary["rejected"] == 0
        found.append(answers(audit))
        assert found[-1] == found[0], order
    jobs, executions, _ = found[0]
    assert [row[6] for row in jobs] == ["orchestrator"]
    assert executions == [(job()["ID"], "default", "e-1", "n-7", executions[0][4])]


def test_times_before_1970(audit: Audit, tmp_path: Path) -> None:
    times = {-1: "1969-12-31T23:59:59.999999999Z", -1_000_000_000: "1969-12-31T23:59:59.000000000Z"}
    for number, time in enumerate(times):
        value = job(number, CreateTime=time, ModifyTime=time)
        (tmp_path / f"{number}.json").write_bytes(compact(value))
        audit.ingest(tmp_path / f"{number}.json")
    rows = audit.rows("SELECT created_ns, created_at, modified_at FROM v_jobs")
    if audit.is_sqlite:
        assert all(created == modified == times[ns] for ns, created, modified in rows)
    else:  # to the microsecond
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        assert all(created == modified for _, created, modified in rows)
        found = {ns: (created - epoch) // timedelta(microseconds=1) for ns, created, _ in rows}
        assert found == {-1: 0, -1_000_000_000: -1_000_000}
    assert len(rows) == len(times) or audit.rows("SELECT reason FROM rejections")
