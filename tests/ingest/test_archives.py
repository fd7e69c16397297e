"""Archives and job stores, taken into a store of each engine."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

from meta_audit.ingest.options import Limits
from tests.conftest import Audit
from tests.ingest.documents import compact, job, ndjson
from tests.sources.bolt_writer import BoltWriter
from tests.sources.test_archives import tar, zipped

GOOD = {
    "b/jobs.ndjson": ndjson(*[compact(job(n)) for n in range(40)]),
    "b/old.ndjson.gz": gzip.compress(ndjson(*[compact(job(n)) for n in range(20, 60)])),
    "b/notes.txt": b"nothing\n",
}
RESULTS = """SELECT s.uri, r.status, r.message, r.documents, r.rejected
    FROM source_results r JOIN sources s ON s.source_id = r.source_id ORDER BY r.documents, s.uri"""


def test_members_are_sources_and_a_known_archive_is_not_read_again(
    audit: Audit, tmp_path: Path
) -> None:
    archive = tmp_path / "backup.tar.gz"
    archive.write_bytes(gzip.compress(tar(GOOD)))
    small = Limits(chunk_documents=7, first_chunk_documents=7)
    first = audit.ingest(archive, limits=small)
    assert (first.status, first.summary["sources"], first.summary["archives"]) == (0, 3, 1)
    assert (first.summary["new"], first.summary["unchanged"]) == (60, 20)
    assert audit.rows(RESULTS) == [
        (f"{archive}!b/jobs.ndjson", "complete", "", 40, 0),
        (f"{archive}!b/old.ndjson.gz", "complete", "", 40, 0),
        (str(archive), "complete", "", 80, 0),
    ]
    assert (audit.faults(), audit.run("verify").status) == ([], 0)
    before = audit.tables()
    (tmp_path / "other.tgz").write_bytes(archive.read_bytes())
    again = audit.ingest(archive, tmp_path / "other.tgz").summary
    assert (again["documents"], again["unchanged"], again["known_sources"]) == (160, 160, 1)
    changed = {name for name, rows in audit.tables().items() if rows != before[name]}
    assert changed == {"sources"}
    (evidence,) = {e for e in audit.run("trace", "job-3").out.splitlines() if "!b/" in e}
    assert evidence.strip().startswith(f"{archive}!b/jobs.ndjson, document ")


def test_what_is_wrong_in_an_archive_is_said_again(audit: Audit, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    bad = {
        "c/bad.json": b'{"ID":"j-1","Meta":{"k":1}}',
        "c/../x.json": b"{}",
        "c/cut.json": b'{"ID":"j-2","Meta":{',
    }
    archive.write_bytes(zipped(GOOD | bad))
    first = audit.ingest(archive)
    assert (first.status, first.summary["rejected"], first.summary["refused"]) == (3, 2, 1)
    assert (
        f"Refused {archive}!c/../x.json: its path leads out of the archive (archive.member)"
        in first.err
    )
    assert audit.rows(RESULTS)[-1] == (
        str(archive),
        "complete",
        "members refused: 1, members truncated: 1",
        82,
        2,
    )
    again = audit.ingest(archive)
    assert (again.status, again.summary["known_rejected"], again.summary["refused"]) == (3, 2, 1)
    assert audit.run("rejections", "list").out.count(f"{archive}!c/") == 2


def test_a_truncated_archive_is_completed_by_the_whole_one(audit: Audit, tmp_path: Path) -> None:
    archive, whole = tmp_path / "a.tar", tar(GOOD)
    archive.write_bytes(whole[:3000])
    torn = audit.ingest(archive)
    assert (torn.status, torn.summary["truncated"], torn.summary["rejected"]) == (1, 2, 1)
    archive.write_bytes(whole)
    assert audit.ingest(archive).status == 0
    assert audit.run("rejections", "list").out == ""
    assert audit.run("verify").status == 0


@pytest.mark.parametrize("members", [{"notes.txt": b"x"}, {"../a.json": b"{}"}])
def test_an_archive_without_jobs_makes_no_store(
    file: Audit, tmp_path: Path, members: dict[str, bytes]
) -> None:
    (tmp_path / "a.tar").write_bytes(tar(members))
    none = tmp_path / "none.db"
    result = file.run("ingest", tmp_path / "a.tar", "--db", none)
    assert (result.status, none.exists()) == (3 if "../a.json" in members else 1, False)
    assert file.ingest(tmp_path / "a.tar").summary["documents"] == 0


def test_a_job_store_changes_nothing_twice(audit: Audit, tmp_path: Path) -> None:
    spec = compact(job(1))
    execution = {
        "ID": "e-1",
        "JobID": job(1)["ID"],
        "NodeID": "n",
        "ComputeState": {"StateType": 7},
    }
    name = job(1)["ID"].encode()
    history = {
        "Type": "JobLevel",
        "JobID": job(1)["ID"],
        "JobState": {"New": "Running"},
        "NewRevision": 2,
        "Comment": "was here",
        "Time": "2026-01-02T03:04:05Z",
    }
    local = {
        "Execution": execution,
        "RequesterNodeID": "r",
        "State": 5,
        "Version": 3,
        "UpdateTime": "2026-01-02T03:04:06Z",
        "LatestComment": "done",
    }
    store = {
        b"jobs": {
            name: {
                b"spec": spec,
                b"executions": {b"e-1": compact(execution)},
                b"job_history": {b"%016d" % 1: compact(history)},
                b"versions": {struct.pack(">Q", 0): spec},
            }
        },
        b"execution": {b"e-1": compact(local)},
    }
    path = tmp_path / "jobs.db"
    path.write_bytes(BoltWriter(store).bytes())
    taken = audit.ingest(path)
    assert (taken.status, taken.summary["documents"], taken.summary["jobs"]) == (0, 5, 1)
    page = audit.run("trace", job(1)["ID"]).out
    assert "JobLevel Running: was here" in page
    assert "Completed" in page
    assert f"{path}, document " in page
    assert "line 0" not in page
    assert audit.ingest(path).summary["known_sources"] == 1
    assert (audit.faults(), audit.run("verify").status) == ([], 0)


def test_a_cut_archive_is_nothing_new_the_second_time(audit: Audit, tmp_path: Path) -> None:
    archive = tmp_path / "cut.tar"
    whole = tar(
        {"a.json": compact(job(1)), "b.ndjson": ndjson(*[compact(job(n)) for n in range(30)])}
    )
    archive.write_bytes(whole[: len(whole) // 1024 * 512])
    assert audit.ingest(archive).status == 1
    before = audit.rows("SELECT count(*) FROM sources")
    again = audit.ingest(archive)
    assert (again.status, again.summary["truncated"], again.summary["new"]) == (0, 0, 0)
    assert audit.rows("SELECT count(*) FROM sources") == before
