"""Answers that must not depend on which document came first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Audit
from tests.ingest.documents import compact, job

ID = job(1)["ID"]
EXECUTION = {"ID": "e-1", "JobID": ID, "NodeID": "n-7", "ComputeState": {"StateType": "Running"}}


@pytest.mark.parametrize("order", [("default", "prod"), ("prod", "default")])
def test_an_execution_of_an_id_in_two_namespaces(
    audit: Audit, tmp_path: Path, order: tuple[str, str]
) -> None:
    for number, namespace in enumerate(order):
        path = tmp_path / f"{number}.json"
        path.write_bytes(compact(job(1, Namespace=namespace)))
        assert audit.ingest(path).status == 0
    path = tmp_path / "execution.json"
    path.write_bytes(compact(EXECUTION))
    assert audit.ingest(path).status == 0
    said = audit.run("who", "n-7", "--format", "json").summary
    assert [(one["job_id"], one["namespace"]) for one in said["newest_jobs"]] == [(ID, "default")]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_states_of_an_execution_at_one_time(
    audit: Audit, tmp_path: Path, order: tuple[int, int]
) -> None:
    """The page and the lists show one of them last, whatever came first."""
    told = [
        {**EXECUTION, "ModifyTime": 1_700_000_002_000_000_000, "ComputeState": {"StateType": state}}
        for state in ("Completed", "Failed")
    ]
    for number, one in enumerate((job(1), *(told[place] for place in order))):
        (tmp_path / f"{number}.json").write_bytes(compact(one))
        assert audit.ingest(tmp_path / f"{number}.json").status == 0
    shown = audit.run("trace", ID, "--format", "json").summary["executions"]
    assert [one["state"] for one in shown] == ["Completed", "Failed"]
    assert "Failed" in audit.run("trace", ID).out.partition("Nodes")[2].partition("\n\n")[0]
    lines = audit.run("history", ID, "--format", "json").summary["entries"]
    assert [one["what"] for one in lines if one["kind"] == "execution"] == ["Completed", "Failed"]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_the_history_of_two_specs_of_one_time_ends_with_the_one_that_trace_shows(
    audit: Audit, tmp_path: Path, order: tuple[str, str]
) -> None:
    for image in order:
        path = tmp_path / f"{image}.json"
        path.write_bytes(compact(job(1, image=image)))
        assert audit.ingest(path).status == 0
    newest = audit.run("trace", ID, "--format", "json").summary["job"]["version_no"]
    lines = audit.run("history", ID, "--format", "json").summary["entries"]
    versions = [one for one in lines if one["kind"] in ("created", "version")]
    assert [one["kind"] for one in versions] == ["created", "version"]
    assert versions[1]["what"] == f"version {newest}"
