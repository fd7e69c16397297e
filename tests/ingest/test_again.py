"""The same again, in other bytes, in a new state, with a new spec: nothing is overwritten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meta_audit.ingest.options import Limits
from meta_audit.schema.tables import FACT_TABLES
from tests.conftest import Audit
from tests.ingest.documents import as_yaml, compact, job, lower_case, ndjson, pretty


def take(audit: Audit, path: Path, content: bytes, *options: str) -> dict[str, Any]:
    """Ingest one file; nothing that was in the store may be gone or different."""
    before = audit.raw()
    path.write_bytes(content)
    summary = audit.ingest(path, *options).summary
    after = audit.raw()
    assert all(before[name] <= after[name] for name in FACT_TABLES)
    assert audit.faults() == []
    return summary


def changes(summary: dict[str, Any]) -> tuple[int, int, int, int]:
    return (
        summary["new"],
        summary["changed"],
        summary["unchanged"],
        summary["rejected"],
    )


def known(summary: dict[str, Any]) -> tuple[int, int]:
    """Rejections that were there before, and sources."""
    return summary["known_rejected"], summary["known_sources"]


@pytest.mark.parametrize("name", ["again.ndjson", "other.ndjson"])
def test_the_same_bytes_change_nothing(audit: Audit, tmp_path: Path, name: str) -> None:
    content = ndjson(*[compact(job(n)) for n in range(5)], b'{"ID":"j-1","ID":"j-2"}')
    first = take(audit, tmp_path / "again.ndjson", content)
    assert changes(first) == (5, 0, 0, 1)
    before = audit.raw()
    again = take(audit, tmp_path / name, content)
    is_same_source = name == "again.ndjson"
    # What is wrong with a source belongs to it: under another name it is new to look at.
    assert changes(again) == (0, 0, 5, 0 if is_same_source else 1)
    assert known(again) == ((1, 1) if is_same_source else (0, 0))
    after = audit.raw()
    changed = {k for k in after if after[k] != before[k]}
    runs = {"imports", "import_results", "checkpoints"}
    of_source = {"sources", "source_results", "rejections", "ledger_entries"}
    assert changed == (runs if is_same_source else runs | of_source)
    assert audit.run("verify").status == 0


def test_what_is_known_adds_next_to_nothing(audit: Audit, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(40):
        bad = b'{"ID":"j-1","ID":"j-%d"}' % number
        (folder / f"{number}.ndjson").write_bytes(ndjson(compact(job(number)), bad))
    (folder / "page.json").write_bytes(b"[" + compact(job(0)) + b"]")
    first = audit.ingest(folder)
    assert (first.status, first.summary["rejected"], known(first.summary)) == (1, 40, (0, 0))
    before = audit.raw()
    again = audit.ingest(folder)
    # Nothing new to look at: the open rejections are those of before.
    assert (again.status, changes(again.summary)) == (0, (0, 0, 41, 0))
    assert (again.summary["sources"], known(again.summary)) == (41, (40, 41))
    after = audit.raw()
    assert {k: len(after[k]) - len(before[k]) for k in after if after[k] != before[k]} == {
        "imports": 1,
        "import_results": 1,
        "checkpoints": 1,
    }
    assert audit.rows("SELECT known_sources, known_rejected FROM v_imports ORDER BY 1") == [
        (0, 0),
        (41, 40),
    ]
    assert audit.run("verify").status == 0


def test_a_known_source_is_not_read_again(audit: Audit, tmp_path: Path) -> None:
    content = ndjson(*[compact(job(n)) for n in range(5)])
    take(audit, tmp_path / "a.ndjson", content)
    assert changes(take(audit, tmp_path / "b.ndjson", content)) == (0, 0, 5, 0)
    assert known(take(audit, tmp_path / "b.ndjson", content)) == (0, 1)
    assert audit.rows("SELECT status, documents FROM source_results ORDER BY source_id") == [
        ("complete", 5),
        ("known", 5),
    ]


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (pretty, "job.json"),
        (as_yaml, "job.yaml"),
        (lambda value: as_yaml(lower_case(value)), "lower.yaml"),
        (lambda value: compact({"Items": [value], "NextToken": ""}), "page.json"),
        (lambda value: b"[" + pretty(value) + b"]", "list.json"),
    ],
    ids=["pretty", "yaml", "lower-case yaml", "page", "list"],
)
def test_other_bytes_are_the_same_version(
    audit: Audit, tmp_path: Path, form: Callable[[Any], bytes], name: str
) -> None:
    take(audit, tmp_path / "first.json", compact(job()))
    versions = audit.rows("SELECT * FROM job_versions")
    summary = take(audit, tmp_path / name, form(job()))
    assert changes(summary) == (0, 0, 1, 0)
    assert audit.rows("SELECT * FROM job_versions") == versions
    seen = audit.rows("SELECT count(*), count(DISTINCT document_sha256) FROM v_observations")
    # An element of a compact page is the very bytes of the first: known evidence.
    assert seen == ([(1, 1)] if name == "page.json" else [(2, 2)])


def test_a_new_state_is_an_observation(audit: Audit, tmp_path: Path) -> None:
    take(audit, tmp_path / "a.json", compact(job()))
    summary = take(audit, tmp_path / "b.json", compact(job(state="Completed")))
    assert changes(summary) == (0, 1, 0, 0)
    assert (summary["jobs"], summary["meta_pairs"]) == (0, 0)
    assert audit.rows("SELECT version_no, state FROM v_observations ORDER BY entry_index") == [
        (1, "Running"),
        (1, "Completed"),
    ]
    assert audit.rows("SELECT state FROM v_jobs") == [("Completed",)]


def test_a_new_spec_is_a_version(audit: Audit, tmp_path: Path) -> None:
    take(audit, tmp_path / "a.json", compact(job()))
    changed = job(image="alpine:2", Meta={"number": "other", "added": "1"}, Version=2)
    summary = take(audit, tmp_path / "b.json", compact(changed))
    assert changes(summary) == (0, 1, 0, 0)
    assert audit.rows(
        "SELECT version_no, \"key\", value FROM v_meta WHERE level = 'job' ORDER BY 1, 2"
    ) == [
        (1, "bacalhau.org/requester.id", "n-1"),
        (1, "number", "1"),
        (2, "added", "1"),
        (2, "number", "other"),
    ]
    back = take(audit, tmp_path / "c.json", pretty(job()))
    assert changes(back) == (0, 0, 1, 0)
    assert audit.rows("SELECT version_no FROM v_observations ORDER BY entry_index") == [
        (1,),
        (2,),
        (1,),
    ]


def test_one_id_in_two_namespaces_is_two_jobs(audit: Audit, tmp_path: Path) -> None:
    content = ndjson(compact(job()), compact(job(Namespace="other")))
    assert changes(take(audit, tmp_path / "a.ndjson", content)) == (2, 0, 0, 0)


def test_an_unsubmitted_spec_again_is_the_same_job(audit: Audit, tmp_path: Path) -> None:
    spec = {k: job()[k] for k in ("Name", "Type", "Count", "Meta", "Tasks")}
    assert changes(take(audit, tmp_path / "a.yaml", as_yaml(spec))) == (1, 0, 0, 0)
    assert changes(take(audit, tmp_path / "b.json", compact(spec))) == (0, 0, 1, 0)
    assert audit.rows("SELECT count(*) FROM jobs") == [(1,)]


def test_executions_and_history_alone_connect_to_their_job(audit: Audit, tmp_path: Path) -> None:
    job_id = job()["ID"]
    take(audit, tmp_path / "job.json", compact(job()))
    items = [{"ID": "e-1", "JobID": job_id, "NodeID": "n-7", "ComputeState": {"StateType": 7}}]
    take(audit, tmp_path / "executions.json", compact({"Items": items, "NextToken": ""}))
    assert audit.rows("SELECT job_id, node FROM v_executions") == [(job_id, "n-7")]


def test_a_path_that_is_not_utf8(audit: Audit, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xe9")
    folder.mkdir()
    (folder / os.fsdecode(b"\xe8.json")).write_bytes(compact(job(1)))
    for name in (folder, folder / os.fsdecode(b"\xe8.json")):
        assert audit.ingest(name).status == 0
    shown = f"{tmp_path}/\\xe9"
    assert audit.rows("SELECT DISTINCT source FROM v_sources") == [(f"{shown}/\\xe8.json",)]
    for number, given in enumerate((shown, f"{shown}/\\xe8.json"), 1):
        said = audit.run("imports", f"{number}", "--format", "json").summary["run"]
        assert json.loads(said["arguments"])[1] == given


def test_a_folder_of_known_files_is_recorded_bit_by_bit(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is held in memory for every file of a folder, not even of one that is all known."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}.json").write_bytes(compact(job(number)))
    audit.ingest(folder)
    written = []
    monkeypatch.setattr(
        "meta_audit.cli.progress.ImportReporter.wrote",
        lambda _, summary: written.append(summary.documents),
    )
    summary = audit.ingest(folder, limits=Limits(chunk_events=12)).summary
    assert (summary["sources"], summary["documents"], summary["unchanged"]) == (30, 30, 30)
    assert len(written) > 5
    assert summary["known_sources"] == 30
    assert audit.rows("SELECT count(*) FROM v_sources") == [(30,)]


def test_what_was_accepted_is_not_rejected_later(audit: Audit, tmp_path: Path) -> None:
    not_text = compact({**job(99), "Meta": {"retries": 3}})
    take(audit, tmp_path / "first.ndjson", ndjson(not_text), "--coerce-scalars")
    others = [compact(job(n)) for n in range(40)]
    # So many are new that reading does not look for those that are known.
    summary = take(audit, tmp_path / "again.ndjson", ndjson(*others[:20], not_text, *others[20:]))
    assert changes(summary) == (40, 0, 1, 0)
    assert audit.rows("SELECT * FROM rejections") == []
    assert audit.rows("SELECT rejected FROM source_results ORDER BY result_no") == [(0,), (0,)]


@pytest.mark.parametrize("names", [("a.yaml", "b.ndjson"), ("a.ndjson", "b.yaml")])
@pytest.mark.parametrize("most", [1, 8_000])
def test_bytes_that_one_format_takes_and_another_does_not(
    audit: Audit,
    tmp_path: Path,
    names: tuple[str, str],
    most: int,
) -> None:
    paths = [tmp_path / name for name in names]
    for path in paths:
        path.write_text("{ID: j-1, Tasks: [{Name: t}]}")
    summary = audit.ingest(*paths, limits=Limits(chunk_documents=most)).summary
    is_yaml_first = names[0] == "a.yaml"
    assert changes(summary) == ((1, 0, 1, 0) if is_yaml_first else (1, 0, 0, 1))
    assert len(audit.rows("SELECT * FROM rejection_resolutions")) == (not is_yaml_first)
    assert audit.faults() == []
