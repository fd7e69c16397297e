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
