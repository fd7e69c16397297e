"""A better program reads kept documents again: what differs is appended, and answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import meta_audit.ingest.build
from meta_audit.ingest.options import Limits
from meta_audit.ingest.result import ImportResult
from meta_audit.schema.tables import FACT_TABLES
from tests.conftest import Audit
from tests.engines import tampering
from tests.faults.documents import write_folder
from tests.ingest import again
from tests.ingest.again import Change, another_parser, importing, renamed
from tests.ingest.documents import compact, job, ndjson


def reread(audit: Audit, change: Change | None, **limits: int) -> ImportResult:
    return again.reread(str(audit.db), change, **limits)


@pytest.fixture
def filled(audit: Audit, tmp_path: Path) -> Audit:
    (tmp_path / "a.ndjson").write_bytes(ndjson(*[compact(job(n)) for n in range(6)]))
    (tmp_path / "b.json").write_bytes(compact(job(2, state="Completed")))
    audit.ingest(tmp_path / "a.ndjson", tmp_path / "b.json")
    return audit


def meta(audit: Audit) -> list[tuple[Any, ...]]:
    sql = "SELECT job_id, version_no, value FROM v_meta WHERE \"key\" = 'number' ORDER BY 1, 2"
    return [(int(job_id[-1]), *rest) for job_id, *rest in audit.rows(sql)]


def test_nothing_differs_with_the_same_parser(audit: Audit, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "documents", 250, 9)
    audit.ingest(folder, "--coerce-scalars")
    before = audit.raw()
    counts = reread(audit, None, first_chunk_documents=20).counts
    assert (counts.new, counts.changed, counts.rejected) == (0, 0, 0)
    assert counts.documents == counts.unchanged == len(before["documents"])
    after = audit.raw()
    assert {k for k in after if after[k] != before[k]} == {
        "imports",
        "import_results",
        "checkpoints",
    }
    assert audit.run("verify").status == 0


@pytest.mark.parametrize("size", [1, 2, 3_000])
def test_what_differs_is_appended_and_answers(filled: Audit, size: int) -> None:
    before = filled.raw()
    result = reread(filled, renamed, first_chunk_documents=size)
    assert (result.counts.documents, result.counts.changed, result.counts.sources) == (7, 3, 2)
    after = filled.raw()
    assert all(before[name] <= after[name] for name in FACT_TABLES)
    assert meta(filled) == [
        (0, 1, "0"),
        (1, 1, "1"),
        (2, 2, "better 2"),
        (3, 2, "better 3"),
        (4, 1, "4"),
        (5, 1, "5"),
    ]
    assert filled.rows("SELECT state FROM v_jobs WHERE job_id LIKE '%2'") == [("Completed",)]
    assert filled.rows("SELECT count(*) FROM v_observations") == [(7,)]
    assert filled.rows("SELECT count(*) FROM v_findings WHERE code = 'time.unit'") == [(3,)]
    pairs = "SELECT value FROM v_meta WHERE value LIKE '%2' ORDER BY 1"
    assert filled.rows(pairs) == [("better 2",)]
    assert filled.rows("SELECT DISTINCT import_id FROM v_readings") == [(2,)]
    # Where it stood: the same place, under the same name.
    places = "SELECT source, ordinal, line FROM v_observations WHERE entry_index >= 7"
    assert sorted((Path(name).name, *rest) for name, *rest in filled.rows(places)) == [
        ("a.ndjson", 3, 3),
        ("a.ndjson", 4, 4),
        ("b.json", 1, 1),
    ]
    assert filled.run("verify").status == 0


def test_again_appends_nothing_and_another_reading_supersedes_the_last(filled: Audit) -> None:
    reread(filled, renamed)
    before = filled.raw()
    assert reread(filled, renamed).counts.changed == 0
    assert filled.raw()["readings"] == before["readings"]
    # The parser of before, again: the reading of a reading.
    assert reread(filled, None).counts.documents == 7
    assert [row[1:] for row in meta(filled)] == [(1, str(n)) for n in range(6)]
    assert len(filled.raw()["readings"]) == 6
    assert filled.run("verify").status == 0
    assert filled.run("verify", "--deep").status == 0


def test_a_document_that_is_rejected_now_stays(filled: Audit) -> None:
    with pytest.MonkeyPatch.context() as patch, importing(str(filled.db)) as run:
        patch.setattr(meta_audit.ingest.build, "readings", lambda _: iter(()))
        counts = run.reread(["reread"]).counts
    assert (counts.documents, counts.unchanged) == (7, 7)
    assert filled.rows("SELECT * FROM readings") == []


def test_the_same_bytes_again_are_known(filled: Audit, tmp_path: Path) -> None:
    reread(filled, renamed)
    summary = filled.ingest(tmp_path / "a.ndjson", tmp_path / "b.json").summary
    assert (summary["unchanged"], summary["known_sources"]) == (7, 2)
    (tmp_path / "c.json").write_bytes(compact([job(2), job(9)]))
    summary = filled.ingest(tmp_path / "c.json").summary
    assert (summary["unchanged"], summary["new"]) == (1, 1)
    assert filled.run("verify").status == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM readings WHERE reading_id = 7",
        "UPDATE readings SET supersedes = 0 WHERE reading_id = 7",
        "INSERT INTO readings VALUES (4, 1)",
        "INSERT INTO readings VALUES (99, 1)",
    ],
)
def test_changes_of_readings_are_found(filled: Audit, statement: str) -> None:
    reread(filled, renamed)
    with tampering(str(filled.db)) as connection:
        connection.exec_driver_sql(statement)
    assert filled.run("verify").status == 1


def test_commands_answer_with_the_newest_reading(filled: Audit) -> None:
    reread(filled, renamed)
    traced = json.loads(filled.run("trace", job(2)["ID"], "--format", "json").out)
    assert [(m["key"], m["value"]) for m in traced["meta"] if m["level"] == "job"] == [
        ("number", "better 2")
    ]
    assert [v["version_no"] for v in traced["versions"]] == [2]
    assert len(traced["observations"]) == len(traced["evidence"]) == 2
    assert [f["code"] for f in traced["findings"]] == ["time.unit"] * 2
    assert {r["supersedes"] for r in traced["readings"]} == {2, 6}
    other = json.loads(filled.run("trace", job(4)["ID"], "--format", "json").out)
    assert other["readings"] == []
    assert len(other["versions"]) == 1

    def found(*search: str) -> list[str]:
        lines = filled.run("find", *search, "--format", "ndjson").out.splitlines()
        return [json.loads(line)["job_id"] for line in lines]

    assert found("number=2") == []
    assert found("number=better 2") == [job(2)["ID"]]
    assert found("number=better 2", "--namespace", "default") == [job(2)["ID"]]
    assert found("number=2", "--namespace", "default") == []
    assert len(found()) == 6
    digest = traced["evidence"][0]["document_sha256"]
    for name in (job(2)["ID"], digest, digest[:8]):
        assert filled.run("document", name, "--raw").status == 0
    assert filled.run("prove", job(2)["ID"]).status == 0


@pytest.mark.parametrize("jobs", ["0", "1"])
def test_the_command(filled: Audit, jobs: str) -> None:
    before = filled.raw()
    dry = filled.run("reread", "--dry-run", "--jobs", jobs, "--format", "json")
    assert (dry.status, dry.summary["documents"], dry.summary["reread"]) == (0, 7, 0)
    assert filled.raw() == before
    done = filled.run("reread", "--jobs", jobs, "--format", "json")
    assert (done.status, done.summary["documents"], done.summary["reread"]) == (0, 7, 0)


def test_a_dry_run_compares_what_other_processes_read(audit: Audit, tmp_path: Path) -> None:
    """They read once there is a dictionary; the store was filled by another program."""
    few = Limits(first_chunk_documents=20, chunk_documents=50, training_bytes=10_000)
    (tmp_path / "jobs.ndjson").write_bytes(ndjson(*[compact(job(n)) for n in range(250)]))
    with another_parser(renamed):
        assert audit.ingest(tmp_path / "jobs.ndjson", "--jobs", "0", limits=few).status == 0
    said = [
        audit.run("reread", "--dry-run", "--jobs", jobs, "--format", "json", limits=few)
        for jobs in ("0", "2")
    ]
    assert said[0].status == said[1].status == 1
    assert said[0].summary == said[1].summary
    assert said[0].summary["changes"]["meta"]["meta"] > 0


def test_a_dry_run_foretells(filled: Audit) -> None:
    before = filled.raw()
    with another_parser(renamed):
        dry = filled.run("reread", "--dry-run", "--jobs", "0")
        assert dry.status == 1
        assert "3 documents read otherwise" in dry.out
        assert dry.out.splitlines()[-3:] == [
            "  differs in meta: meta 3",
            "  differs in spec: spec_sha256 3",
            "  differs in findings: findings 3",
        ]
        foretold = filled.run("reread", "--dry-run", "--jobs", "0", "--format", "json").summary
        assert filled.raw() == before
        done = filled.run("reread", "--jobs", "0", "--format", "json").summary
    assert done["reread"] == 3
    assert foretold.pop("changes")["meta"] == {"meta": 3}
    del foretold["format"]
    assert foretold == {name: done[name] for name in foretold}
