"""A job that turns up later than its create time can be true is named in the report."""

from __future__ import annotations

import json
import time

from tests.conftest import Audit
from tests.ingest.documents import compact, job
from tests.pull.orchestrator import Held, Orchestrator, serving

HOUR = 3_600 * 10**9


def add(served: Orchestrator, number: int, created: int) -> str:
    value = job(number, CreateTime=created, ModifyTime=time.time_ns())
    held = Held(value["ID"], compact(value), created, value["ModifyTime"])
    served.jobs[held.job_id] = held
    return held.job_id


def test_a_job_that_was_not_there_is_named(own: Audit) -> None:
    served, now = Orchestrator("v1.9"), time.time_ns()
    add(served, 1, now - 30 * HOUR)
    with serving(served) as url:
        assert own.run("pull", url, "--full").status == 0
        late = add(served, 2, now - 20 * HOUR)
        add(served, 3, time.time_ns())
        add(served, 4, now - HOUR // 2)  # clocks differ
        assert own.run("pull", url).status == 0
    reported = own.run("report", "--format", "json").summary
    named = [one for one in reported["concerns"] if one["kind"] == "created.backdated"]
    assert [one["job_id"] for one in named] == [late]
    assert "it came with import 2" in named[0]["detail"]
    assert json.dumps(reported["concern_counts"]).count("backdated") == 1
    assert "created.backdated" in own.run("report").out or late in own.run("report").out


def test_what_files_bring_is_no_concern(own: Audit, tmp_path) -> None:
    path = tmp_path / "old.json"
    path.write_bytes(compact(job(1)))
    served = Orchestrator("v1.9")
    with serving(served) as url:
        own.run("pull", url, "--full")
    own.ingest(path)
    reported = own.run("report", "--format", "json").summary
    assert [one for one in reported["concerns"] if one["kind"] == "created.backdated"] == []
