"""What an ingest says at its end: the summary, the exit code, and what went wrong on the way."""

from __future__ import annotations

import io
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import Audit, Program
from tests.ingest.documents import compact, job, ndjson

REQUIRED = {
    "import_id": int,
    "status": str,
    "sources": int,
    "documents": int,
    "new": int,
    "changed": int,
    "unchanged": int,
    "rejected": int,
    "reasons": dict,
    "findings": dict,
    "jobs": int,
    "meta_pairs": int,
    "seconds": float,
}
"""The shape that the summary promises."""
NOT_STRING = b'{"ID":"j-9","Meta":{"version":1.20,"on":true,"n":null},"Tasks":[{"Name":"t"}]}'


def test_shape(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson(compact(job(1)), NOT_STRING, compact(job(2))))
    result = audit.ingest(tmp_path / "a.ndjson")
    assert result.out.count("\n") == 1
    summary = result.summary
    assert REQUIRED.keys() <= summary.keys()
    assert all(type(summary[name]) is kind for name, kind in REQUIRED.items())
    assert {k: v for k, v in summary.items() if k in REQUIRED and k != "seconds"} == {
        "import_id": 1,
        "status": "complete",
        "sources": 1,
        "documents": 3,
        "new": 2,
        "changed": 0,
        "unchanged": 0,
        "rejected": 1,
        "reasons": {"meta.not_string": 1},
        "findings": {},
        "jobs": 2,
        "meta_pairs": 6,
    }
    (row,) = audit.rows(
        "SELECT status, sources, documents, new, changed, unchanged, rejected, arguments"
        " FROM v_imports"
    )
    arguments = row[-1] if isinstance(row[-1], list) else json.loads(row[-1])
    assert [(*row[:-1], arguments)] == [
        (
            "complete",
            1,
            3,
            2,
            0,
            0,
            1,
            ["ingest", f"{tmp_path}/a.ndjson"],
        )
    ]


def test_text(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson(compact(job(1)), NOT_STRING))
    lines = audit.run("ingest", tmp_path / "a.ndjson").out.splitlines()
    assert lines[0].startswith("Import 1 complete: 2 documents from 1 source in ")
    assert lines[1:6] == [
        "  1 new, 0 changed, 0 unchanged, 1 rejected",
        "  1 job and 3 Meta pairs added",
        "  rejected meta.not_string: 1",
        "  See `meta-audit rejections list`.",
        f"  Store: {audit.shown}",
    ]


def test_exit_codes(audit: Audit, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(compact(job()))
    bad.write_bytes(NOT_STRING)
    assert audit.ingest(good).status == 0
    assert audit.ingest(good).status == 0
    assert audit.ingest(good, bad).status == 1
    missing = audit.ingest(tmp_path / "missing.json", good)
    assert missing.status == 3
    assert "no such file" in missing.err
    assert missing.summary["refused"] == 1
    assert audit.ingest(tmp_path / "missing.json", bad).status == 3
    assert audit.ingest().status == 2
    assert audit.ingest(good, "--no-such-option").status == 2
    audit.db = tmp_path
    assert audit.ingest(good).status == 4


def test_a_refused_source_is_recorded(audit: Audit, tmp_path: Path) -> None:
    audit.ingest(tmp_path / "missing.json")
    assert audit.rows("SELECT status, message, size, documents FROM v_sources") == [
        ("refused", "source.missing: no such file or directory", 0, 0)
    ]


def test_coerced_scalars(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(NOT_STRING)
    result = audit.ingest(tmp_path / "a.json", "--coerce-scalars")
    assert result.status == 0
    assert result.summary["findings"] == {
        "meta.coerced": 2,
        "meta.null": 1,
        "spec.states_id": 1,
    }
    assert audit.rows('SELECT "key", value FROM v_meta ORDER BY 1') == [
        ("n", ""),
        ("on", "true"),
        ("version", "1.2"),
    ]
    assert json.loads(audit.rows("SELECT arguments FROM imports")[0][0])[-1] == "--coerce-scalars"
    assert audit.faults() == []


def test_retry_takes_what_can_be_taken_now(audit: Audit, tmp_path: Path) -> None:
    other = b'{"ID":"j-1","ID":"j-2"}'
    (tmp_path / "a.ndjson").write_bytes(ndjson(compact(job()), NOT_STRING, other))
    (tmp_path / "cut.json").write_bytes(compact(job(2))[:-9])
    assert audit.ingest(tmp_path / "a.ndjson", tmp_path / "cut.json").summary["rejected"] == 3
    same = audit.run("rejections", "retry", "--format", "json")
    # What was cut off cannot be otherwise: it is not offered again.
    assert (same.status, same.summary["documents"], same.summary["known_rejected"]) == (0, 2, 2)
    before = audit.raw()
    retried = audit.run("rejections", "retry", "--coerce-scalars", "--format", "json")
    assert (retried.status, retried.summary["new"], retried.summary["known_rejected"]) == (0, 1, 1)
    after = audit.raw()
    assert after["rejections"] == before["rejections"]
    assert audit.rows("SELECT reason, resolved_by FROM v_rejections ORDER BY rejection_id") == [
        ("meta.not_string", 3),
        ("duplicate_key", None),
        ("truncated", None),
    ]
    # The evidence stands where it was first seen.
    assert audit.rows("SELECT source, ordinal, line FROM v_observations WHERE job_id = 'j-9'") == [
        (str(tmp_path / "a.ndjson"), 2, 2)
    ]
    assert audit.faults() == []
    last = audit.run("rejections", "retry", "--coerce-scalars", "--format", "json")
    assert last.summary["documents"] == 1


def test_accepted_later_in_an_ingest_resolves_too(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(NOT_STRING)
    audit.ingest(tmp_path / "a.json")
    audit.ingest(tmp_path / "a.json", "--coerce-scalars")
    assert audit.rows("SELECT resolved_by FROM v_rejections") == [(2,)]


@pytest.mark.parametrize("content", [b"", b" \n", b"# a comment\n"])
def test_a_file_without_a_document(audit: Audit, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "empty.yaml").write_bytes(content)
    result = audit.ingest(tmp_path / "empty.yaml")
    assert (result.status, result.summary["reasons"]) == (1, {"empty": 1})


def test_what_is_skipped_is_said(audit: Audit, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "notes.md").write_text("# Notes\n")
    (folder / "\x1b]0;x\x07.bin").write_bytes(b"\0\1")
    (folder / "job.json").write_bytes(compact(job()))
    result = audit.ingest(folder)
    assert (result.status, result.summary["skipped"], result.summary["sources"]) == (0, 2, 1)
    assert [line[:15] for line in result.err.splitlines() if "Skipped" in line] == [
        "Skipped 2 files"
    ]
    named = audit.ingest(folder, "--verbose")
    assert named.err.count("\nSkipped ") + named.err.startswith("Skipped ") == 3
    assert "\x1b" not in result.err + named.err
    assert "Skipped" not in audit.ingest(folder, "--quiet").err


def test_standard_input(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper = io.TextIOWrapper(io.BytesIO(ndjson(*[compact(job(n)) for n in range(3)])))
    monkeypatch.setattr("sys.stdin", wrapper)
    assert audit.ingest("-").summary["new"] == 3
    assert audit.rows("SELECT DISTINCT source FROM v_observations") == [("stdin",)]


def test_a_fifo_is_read_by_its_name(audit: Audit, tmp_path: Path) -> None:
    """In a directory it is not: nobody may be writing to it."""
    fifo = tmp_path / "fifo.json"
    os.mkfifo(fifo)
    (tmp_path / "a.json").write_bytes(compact(job(1)))
    writer = Thread(target=fifo.write_bytes, args=[compact(job(2))])
    writer.start()
    assert audit.ingest(fifo).summary["new"] == 1
    writer.join()
    result = audit.ingest(tmp_path)
    assert (result.status, result.summary["new"]) == (3, 1)
    assert "source.not_regular" in result.err


def test_new_store_is_said(program: Program, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(compact(job()))
    process = program("ingest", "a.json", env={"XDG_DATA_HOME": str(tmp_path / "data")})
    _, err = process.communicate(timeout=60)
    path = tmp_path / "data" / "meta-audit" / "audit.db"
    assert err.decode().splitlines()[0] == f"New store: {path}"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchall() == [(1,)]


def test_two_jobs_under_one_id_are_counted(audit: Audit, tmp_path: Path) -> None:
    """Within one import, and against what the store has; a rounded time is no second job."""
    one = job(1)
    mine, elsewhere = job(2), job(2, Meta={"bacalhau.org/requester.id": "n-2"})
    other = {**one, "CreateTime": one["CreateTime"] + 86_400 * 10**9}
    rounded = {**one, "CreateTime": int(float(one["CreateTime"]))}
    imports = [
        ([one, rounded], 0),
        ([other, {**other, "Revision": 9}], 1),
        ([mine, {**mine, "Priority": 7}], 0),
        ([elsewhere, {**elsewhere, "Priority": 7}], 1),
        ([{**one, "Priority": 8}], 0),
    ]
    for number, (documents, expected) in enumerate(imports):
        path = tmp_path / f"{number}.ndjson"
        path.write_bytes(ndjson(*map(compact, documents)))
        foretold = audit.ingest(path, "--dry-run").summary["findings"]
        findings = audit.ingest(path).summary["findings"]
        assert findings.get("identity.two_jobs", 0) == expected, number
        assert foretold == findings
