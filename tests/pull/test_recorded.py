"""Pull what real servers answered, and compare with their truth and with the same from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import CORPUS, Audit
from tests.pull.changes import Changes
from tests.pull.orchestrator import Orchestrator, recorded, serving
from tests.query.test_servers import differences

SAMPLES = Path(__file__).parent / "data"
FACTS = (
    "jobs",
    "job_versions",
    "attributions",
    "tasks",
    "meta_entries",
    "label_entries",
    "executions",
    "job_events",
    "findings",
)
"""Tables with what documents say, without where they stood."""


def test_a_pull_is_as_good_as_files(audit: Audit, another: Audit) -> None:
    compare(audit, another, SAMPLES / "v1.6.5-ids", "v1.6")


@pytest.mark.parametrize(("version", "layout"), [("v1.1.6", "v1.1"), ("v1.6.5", "v1.6")])
def test_every_job_of_the_corpus_is_pulled(
    file: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str, layout: str
) -> None:
    folder = CORPUS / "servers" / version
    if not folder.exists():
        pytest.skip("the corpus of servers is not beside the repository")
    compare(file, Audit(tmp_path / "another.db", capsys), folder, layout)


def compare(audit: Audit, another: Audit, folder: Path, layout: str) -> None:
    api = folder / "api"
    served = recorded(api, layout)
    with serving(served) as url:
        first = audit.run("pull", url, "--format", "json").summary
        again = audit.run("pull", url, "--full", "--format", "json").summary
    assert first["jobs"] == len(served.jobs)
    assert (first["rejected"], first["refused"]) == (0, 0)
    assert (again["new"], again["changed"]) == (0, 0)
    assert again["unchanged"] == first["documents"]
    assert differences(audit, json.loads((folder / "truth.json").read_text())) == {}

    another.ingest(api / "jobs/all.json", api / "executions", api / "history")
    pulled, ingested = audit.tables(), another.tables()
    assert {name: pulled[name] for name in FACTS} == {name: ingested[name] for name in FACTS}
    digests = [digest for _, digest, _ in pulled["documents"]]
    assert sorted(digests) == sorted(digest for _, digest, _ in ingested["documents"])
    assert len(digests) == len(set(digests))
    assert audit.faults() == []
    assert {row[-3] for row in pulled["observations"]} == {f"{url}/api/v1/orchestrator/jobs"}
    assert audit.run("verify").status == 0


SAID: Final = {
    "v_jobs": "job_id, namespace, name, state, client, requester, created_ns, version, revision",
    "v_versions": "job_id, version, created_ns, spec_sha256",
    "v_meta": "job_id, version_no, level, task_no, key, value",
    "v_attributions": "job_id, role, value, trust, verdict",
    "v_executions": "job_id, execution_id, node, state, desired_state, message",
    "v_events": "job_id, time_ns, kind, execution_id, state, message",
    "v_uses": "job_id, task_no, kind, type, value, target",
}
"""Views, and columns that do not depend on where a job was read."""


def test_the_job_store_of_a_server_says_what_its_api_says(audit: Audit, another: Audit) -> None:
    folder = SAMPLES / "v1.9.0"
    with serving(recorded(folder / "api", "v1.9")) as url:
        pulled = audit.run("pull", url, "--format", "json").summary
    stored = another.ingest(folder / "state_boltdb.db.zst").summary
    assert pulled["jobs"] == stored["jobs"] == 2
    assert (pulled["rejected"], stored["rejected"]) == (0, 0)
    for view, columns in SAID.items():
        sql = f"SELECT DISTINCT {columns} FROM {view}"
        found = sorted(audit.rows(sql), key=repr)
        assert found == sorted(another.rows(sql), key=repr), view
        assert found
    ((versions,),) = audit.rows("SELECT max(versions) FROM v_jobs")
    assert versions == 2


def test_a_server_is_compared_with_the_store(audit: Audit) -> None:
    served = Orchestrator("v1.9")
    changes = Changes(served, 5)
    for _ in range(30):
        changes.change()
    with serving(served) as url:
        audit.run("pull", url)
        same = audit.run("compare", url, "--format", "json")
        assert same.status == 0
        assert same.summary["listed"] == len(served.jobs)
        assert same.summary["differences"] == []
        before = {j.job_id: j.body for j in served.jobs.values()}
        for _ in range(20):
            changes.change()
        gone = next(job_id for job_id in before if job_id in served.jobs)
        del served.jobs[gone]
        after = {j.job_id: j.body for j in served.jobs.values()}
        differs = audit.run("compare", url, "--format", "json")
        text = audit.run("compare", url)
        assert audit.run("compare", f"{url}/nonsense").status == 3
        assert audit.run("compare", f"{url}x").status == 2
        nobody = audit.run("compare", url, "--namespace", "nobody")
        assert (nobody.status, "check --namespace" in nobody.err) == (0, True)
    assert (differs.status, text.status) == (1, 1)
    assert {d["job_id"]: d["difference"] for d in differs.summary["differences"]} == {
        **dict.fromkeys(after.keys() - before.keys(), "missing"),
        **{i: "changed" for i in after.keys() & before.keys() if after[i] != before[i]},
        **dict.fromkeys(before.keys() - after.keys(), "gone"),
    }
    assert f"{gone}  the server lists it no more" in text.out


def test_a_namespace_or_a_label_is_a_list_of_its_own(file: Audit) -> None:
    served = Orchestrator("v1.9")
    changes = Changes(served, 3)
    for _ in range(60):
        changes.change()
    team = {j.job_id for j in served.jobs.values() if j.namespace == "team"}
    prod = {j.job_id for j in served.jobs.values() if j.labels["env"] == "prod"}
    assert len(served.jobs) > len(team | prod) > max(len(team), len(prod))
    with serving(served) as url:
        file.run("pull", url, "--namespace", "team")
        assert {row[0] for row in file.rows("SELECT job_id FROM jobs")} == team
        file.run("pull", url, "--label", "env=prod")
        assert {row[0] for row in file.rows("SELECT job_id FROM jobs")} == team | prod
        file.run("pull", url)
        assert {row[0] for row in file.rows("SELECT job_id FROM jobs")} == set(served.jobs)
        served.layout = "v1.1"
        refused = file.run("pull", url, "--label", "env=test")
    assert refused.status == 3
    assert "Pull without --label" in refused.err
