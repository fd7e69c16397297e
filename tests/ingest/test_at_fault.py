"""What is wrong with a source belongs to it; what was made good is matched with the fault."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from meta_audit.cli.progress import ImportReporter
from meta_audit.errors import NotFoundError, UsageError
from meta_audit.ingest.chunks import Chunker
from meta_audit.ingest.options import Limits
from meta_audit.ingest.signals import Stopper
from meta_audit.record.known import Known
from meta_audit.sources import find
from meta_audit.store.opening import open_to_write
from tests.conftest import Audit
from tests.engines import tampering
from tests.ingest import again
from tests.ingest.documents import compact, job, ndjson


def must_be_intact(audit: Audit) -> None:
    result = audit.run("verify", "--deep")
    assert result.status == 0, result.out
    assert audit.faults() == []


@pytest.mark.parametrize("together", [True, False])
def test_every_source_has_its_own_faults(audit: Audit, tmp_path: Path, together: bool) -> None:
    faults = {}
    for name in ("a", "b", "c"):
        cut = gzip.compress(ndjson(compact(job(ord(name)))))[:-8]
        faults[f"{name}.ndjson.gz"] = (cut, "truncated")
        faults[f"{name}.json"] = (b"", "empty")
        faults[f"{name}.ndjson"] = (b'{"ID":"j-1","ID":"j-2"}\n', "duplicate_key")
    for name, (content, _) in faults.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in faults]
    for some in [paths] if together else [[path] for path in paths]:
        assert audit.ingest(*some).status == 1
    rows = audit.rows("SELECT source, reason FROM v_rejections ORDER BY 1, 2")
    expected = {str(tmp_path / name): reason for name, (_, reason) in faults.items()}
    if audit.rows("SELECT 1 FROM v_rejections WHERE reason = 'duplicate_key'"):
        assert dict(rows) == expected
        assert len(rows) == len(expected)
    cut = audit.rows("SELECT source FROM v_sources WHERE status = 'truncated' ORDER BY 1")
    assert cut == [(str(tmp_path / f"{name}.ndjson.gz"),) for name in "abc"]
    before = audit.raw()["rejections"]
    assert audit.ingest(*paths).status == 0
    assert audit.raw()["rejections"] == before
    must_be_intact(audit)


def grow(audit: Audit, path: Path, *contents: bytes) -> list[int]:
    """Ingest a file as it grows; the exit codes."""
    codes = []
    for content in contents:
        path.write_bytes(content)
        codes.append(audit.ingest(path).status)
    return codes


WHOLE = ndjson(*[compact(job(n)) for n in range(4)])
TORN = len(ndjson(*[compact(job(n)) for n in range(2)])) + 40
"""In the middle of the third line."""


def test_a_torn_line_that_is_whole_later_is_resolved(audit: Audit, tmp_path: Path) -> None:
    path = tmp_path / "log.ndjson"
    assert grow(audit, path, WHOLE[:TORN], WHOLE) == [1, 0]
    assert audit.rows("SELECT reason, resolved_by FROM v_rejections") == [("truncated", 2)]
    assert audit.run("rejections", "list").out == ""
    assert audit.rows("SELECT status FROM v_sources ORDER BY source_id") == [
        ("truncated",),
        ("complete",),
    ]
    must_be_intact(audit)
    entry = audit.rows("SELECT entry_index FROM rejection_resolutions")[0][0]
    assert json.loads(audit.run("document", f"{entry}").out or "{}").get("ID") in (
        None,
        job(2)["ID"],
    )


def test_a_line_may_grow_many_times(audit: Audit, tmp_path: Path) -> None:
    path = tmp_path / "log.ndjson"
    codes = grow(audit, path, WHOLE[: TORN - 20], WHOLE[:TORN], WHOLE[: TORN + 20], WHOLE)
    assert codes == [1, 1, 1, 0]
    assert audit.rows("SELECT resolved_by FROM v_rejections") == [(4,)] * 3
    must_be_intact(audit)


def test_a_whole_line_that_is_known_from_elsewhere_resolves(audit: Audit, tmp_path: Path) -> None:
    grow(audit, tmp_path / "log.ndjson", WHOLE[:TORN])
    grow(audit, tmp_path / "copy.ndjson", WHOLE)
    assert audit.rows("SELECT resolved_by FROM v_rejections") == [(None,)]
    grow(audit, tmp_path / "log.ndjson", WHOLE)
    assert audit.rows("SELECT resolved_by FROM v_rejections") == [(3,)]
    must_be_intact(audit)


def test_a_torn_line_that_is_rejected_whole_leaves_one_to_look_at(
    audit: Audit, tmp_path: Path
) -> None:
    bad = ndjson(compact(job(0)), b'{"ID":"j-1","Meta":{"v":1.20},"Tasks":[{"Name":"t"}]}')
    assert grow(audit, tmp_path / "log.ndjson", bad[:-20], bad) == [1, 1]
    assert audit.rows("SELECT reason, resolved_by FROM v_rejections ORDER BY 1") == [
        ("meta.not_string", None),
        ("truncated", 2),
    ]
    must_be_intact(audit)


def test_another_line_in_its_place_resolves_nothing(audit: Audit, tmp_path: Path) -> None:
    """As in a file that was rotated."""
    others = ndjson(*[compact(job(n)) for n in range(10, 14)])
    grow(audit, tmp_path / "log.ndjson", WHOLE[: TORN + 60], others)
    assert audit.rows("SELECT resolved_by FROM v_rejections") == [(None,)]
    must_be_intact(audit)


def test_a_page_that_says_there_is_more(audit: Audit, tmp_path: Path) -> None:
    page = tmp_path / "page.json"
    page.write_bytes(compact({"Items": [job(1), job(2)], "NextToken": "abc"}))
    first = audit.ingest(page)
    assert (first.status, first.summary["new"], first.summary["partial"]) == (1, 2, 1)
    ((status, message),) = audit.rows("SELECT status, message FROM v_sources")
    assert status == "partial"
    assert "NextToken" in message
    # The same page again brings nothing new to look at.
    second = audit.ingest(page)
    assert (second.status, second.summary["partial"]) == (0, 0)
    must_be_intact(audit)


def test_jobs_are_counted_as_find_lists_them(audit: Audit, tmp_path: Path) -> None:
    """Executions alone tell of a job that no document has shown yet."""
    items = [
        {"ID": f"e-{n}", "JobID": job(n)["ID"], "NodeID": "n", "ComputeState": {"StateType": 7}}
        for n in range(3)
    ]
    (tmp_path / "executions.json").write_bytes(compact({"Items": items, "NextToken": ""}))
    assert audit.ingest(tmp_path / "executions.json").summary["jobs"] == 0
    (tmp_path / "jobs.ndjson").write_bytes(ndjson(*[compact(job(n)) for n in range(2)]))
    assert audit.ingest(tmp_path / "jobs.ndjson").summary["jobs"] == 2
    assert audit.rows("SELECT count(*) FROM v_jobs") == [(2,)]


def test_an_empty_directory_is_said(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "mount").mkdir()
    result = audit.run("ingest", tmp_path / "mount")
    assert result.status == 1
    assert "nothing found" in (result.out + result.err).lower()
    assert audit.rows("SELECT status, sources FROM v_imports") == [("complete", 0)]


@pytest.mark.parametrize(("name", "code"), [("missing.json", 3), ("empty", 1)])
def test_a_typo_makes_nothing(
    file: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    file.db = tmp_path / "new" / "audit.db"
    result = file.ingest(tmp_path / name)
    assert result.status == code
    assert "no store was made" in result.err.lower()
    assert result.err.count("no such file or directory") == (name == "missing.json")
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "config").exists()
    # Where one source can be read, the store is made and tells of all.
    (tmp_path / "a.json").write_bytes(compact(job()))
    assert file.ingest(tmp_path / "missing.json", tmp_path / "a.json").status == 3
    assert file.rows("SELECT status FROM v_sources ORDER BY source_id") == [
        ("refused",),
        ("complete",),
    ]


@pytest.fixture
def rejected(audit: Audit, tmp_path: Path) -> Audit:
    """A store with three rejections."""
    lines = [b'{"ID":"j-%d","ID":"j-0","Meta":{"v":1}}' % n for n in range(3)]
    (tmp_path / "bad.ndjson").write_bytes(ndjson(*lines))
    assert audit.ingest(tmp_path / "bad.ndjson").summary["rejected"] == 3
    return audit


def dismiss(audit: Audit, *ids: int, reason: str = "known, harmless") -> int:
    """Dismiss rejections; how many were."""
    result = again.dismiss(str(audit.db), *ids, reason=reason)
    assert not result.needs_attention
    return result.counts.dismissed


def test_a_rejection_is_dismissed_with_a_reason(rejected: Audit, tmp_path: Path) -> None:
    assert dismiss(rejected, 0, 2) == 2
    assert rejected.rows(
        "SELECT dismissed_by, dismissed_because FROM v_rejections ORDER BY rejection_id"
    ) == [(2, "known, harmless"), (None, None), (2, "known, harmless")]
    assert rejected.rows("SELECT arguments FROM imports WHERE import_id = 2") == [
        ('["rejections","dismiss","0","2"]',)
    ]
    listed = rejected.run("rejections", "list", "--format", "ndjson").out.splitlines()
    assert [json.loads(line)["rejection_id"] for line in listed] == [1]
    every = rejected.run("rejections", "list", "--all", "--format", "ndjson").out.splitlines()
    assert len(every) == 3
    must_be_intact(rejected)
    # It stays so, whoever offers the bytes again.
    assert rejected.ingest(tmp_path / "bad.ndjson").status == 0
    retried = rejected.run("rejections", "retry", "--format", "json").summary
    assert (retried["documents"], retried["known_rejected"]) == (1, 1)
    assert dismiss(rejected, 1) == 1
    assert rejected.run("rejections", "list").out == ""
    must_be_intact(rejected)


@pytest.mark.parametrize("ids", [(0, 1), (7,)])
def test_what_cannot_be_dismissed(rejected: Audit, ids: tuple[int, ...]) -> None:
    dismiss(rejected, 0)
    before = rejected.raw()
    error = NotFoundError if ids == (7,) else UsageError
    with pytest.raises(error, match="rejection"):
        dismiss(rejected, *ids)
    for reason in ("", " ", "a\nb", "x" * 2_001):
        with pytest.raises(UsageError, match="reason"):
            dismiss(rejected, 1, reason=reason)
    assert rejected.raw() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rejection_dismissals SET reason = 'because' WHERE dismissal_no = 1",
        "UPDATE rejection_dismissals SET rejection_id = 1 WHERE dismissal_no = 1",
        "DELETE FROM rejection_dismissals",
        "INSERT INTO rejection_dismissals VALUES (3, 1, 2, 'forged')",
        "UPDATE import_results SET known_sources = 1 WHERE import_id = 1",
        "UPDATE import_results SET known_rejected = 0 WHERE import_id = 3",
    ],
)
def test_changes_of_dismissals_and_counts_are_found(
    rejected: Audit, tmp_path: Path, statement: str
) -> None:
    dismiss(rejected, 0, 2)
    rejected.ingest(tmp_path / "bad.ndjson")
    must_be_intact(rejected)
    with tampering(str(rejected.db)) as connection:
        connection.exec_driver_sql(statement)
    assert rejected.run("verify").status == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM rejection_resolutions",
        "UPDATE rejection_resolutions SET entry_index = 0",
        "UPDATE rejection_resolutions SET entry_index = NULL",
        "UPDATE rejection_resolutions SET import_id = 1",
    ],
)
def test_changes_of_resolutions_are_found(audit: Audit, tmp_path: Path, statement: str) -> None:
    grow(audit, tmp_path / "log.ndjson", WHOLE[:TORN], WHOLE)
    must_be_intact(audit)
    with tampering(str(audit.db)) as connection:
        connection.exec_driver_sql(statement)
    assert audit.run("verify").status == 1


def numbered(audit: Audit) -> list[tuple[object, ...]]:
    return audit.rows(
        "SELECT job_id, state, ordinal, line, source FROM v_observations ORDER BY entry_index"
    )


@pytest.mark.parametrize("cuts", [(3_000, 3_400), (900, 1_900, 3_000), (0, 500)])
def test_a_file_that_grows_costs_what_is_new(
    audit: Audit, another: Audit, tmp_path: Path, cuts: tuple[int, ...]
) -> None:
    """And gives what a file gives that is read once, wherever it was cut."""
    path = tmp_path / "log.jsonl"
    limits = Limits(resume_bytes=1, block_bytes=700)
    whole = ndjson(*[compact(job(n)) for n in range(9)]).replace(b"\n{", b"\n\n{", 2)
    for cut in cuts:
        path.write_bytes(whole[:cut])
        audit.ingest(path, limits=limits)
    path.write_bytes(whole)
    read: list[int] = []
    store = open_to_write(str(audit.db))

    class Listening(ImportReporter):
        def read(self, size: int) -> None:
            read.append(size)

    class Counting(Known):
        offered = 0

        def documents(self, digests: Sequence[bytes]) -> set[bytes]:
            Counting.offered += len(digests)
            return super().documents(digests)

    chunker = Chunker(Counting(store.session()), Listening(), limits, Stopper(lambda: None))
    chunks = list(chunker.chunks(find([str(path)])))
    new = sum(len(chunk.offered) for chunk in chunks)
    assert new <= 9 - whole[: cuts[-1]].count(b"\n{") + 1
    assert sum(read) == len(whole)
    if cuts[-1] > 1_000:
        assert Counting.offered <= new + 1
    store.close()
    last = audit.ingest(path, limits=limits).summary
    assert (last["documents"], last["rejected"]) == (9, 0)
    another.ingest(path)
    assert numbered(audit) == numbered(another)
    rows = "SELECT size, sha256, documents FROM v_sources ORDER BY source_id DESC LIMIT 1"
    assert audit.rows(rows) == another.rows(rows)
    assert audit.run("rejections", "list", "--reason", "truncated").out == ""
    must_be_intact(audit)


@pytest.mark.parametrize("change", ["other", "shorter", "no line end", "rejected"])
def test_a_file_that_changed_is_read_whole(audit: Audit, tmp_path: Path, change: str) -> None:
    path = tmp_path / "log.ndjson"
    lines = [compact(job(n)) for n in range(6)]
    before = ndjson(*lines[:3])
    after = ndjson(*lines)
    if change == "other":
        after = ndjson(compact(job(0, image="x")), *lines[1:])
    elif change == "shorter":
        after = ndjson(*lines[:2])
    elif change == "no line end":
        before = before[:-1]
        after = before + b" {}\n" + ndjson(*lines[3:])
    else:
        bad = b'{"ID":"j-9","Meta":{"v":1},"Tasks":[]}'
        before, after = ndjson(lines[0], bad), ndjson(lines[0], bad, *lines[1:])
    limits = Limits(resume_bytes=1)
    path.write_bytes(before)
    audit.ingest(path, limits=limits)
    path.write_bytes(after)
    summary = audit.ingest(path, "--coerce-scalars", limits=limits).summary
    assert summary["documents"] == after.count(b"\n")
    if change == "rejected":
        assert audit.rows("SELECT resolved_by FROM v_rejections") == [(2,)]
    must_be_intact(audit)
