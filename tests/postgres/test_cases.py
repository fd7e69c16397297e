"""What strangers tried on SQLite, tried on PostgreSQL."""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Audit
from tests.verify import lies_postgresql
from tests.verify.lies_postgresql import Liar


@pytest.fixture
def audit(postgres_own_url: str, capsys: pytest.CaptureFixture[str]) -> Audit:
    """An empty store that a test may break."""
    return Audit(postgres_own_url, capsys)


def job(number: int, **given: Any) -> str:
    described = {
        "ID": f"j-{number:08x}-0000-4000-8000-{number:012x}",
        "Name": f"job-{number}",
        "Namespace": "default",
        "Type": "batch",
        "Count": 1,
        "Meta": {"team": "a"},
        "Tasks": [{"Name": "main", "Engine": {"Type": "docker", "Params": {"Image": "busybox"}}}],
        "State": {"StateType": "Completed"},
        "Revision": 2,
        "CreateTime": 1_700_000_000_123_456_789 + number * 10**9,
        "ModifyTime": 1_700_000_001_123_456_789 + number * 10**9,
    }
    return json.dumps(described | given)


def redefine(one: Liar) -> str:
    one.run("DROP VIEW v_meta")
    one.run("CREATE VIEW v_meta AS SELECT 'j-1' AS job_id, 'owner' AS key, 'mallory' AS value")
    return "v_meta"


def swap(one: Liar) -> str:
    """Let the index lead from each of the two jobs to the other one."""
    one.chance.choice = lambda _: ("jobs", "job_id")  # type: ignore[method-assign,assignment]
    return lies_postgresql.index_swapped(one)


@pytest.mark.parametrize("lie", [swap, redefine])
def test_what_answers_are_read_through(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: Callable[[Liar], str]
) -> None:
    for number, owner in ((1, "alice"), (2, "mallory")):
        (tmp_path / f"{number}.json").write_text(job(number, Meta={"owner": owner}))
        audit.ingest(tmp_path / f"{number}.json")
    key = audit.run("checkpoint", "key").out.strip()
    outside = tmp_path / "outside"
    outside.write_text(audit.run("checkpoint", "show", "2").out)
    command = ("verify", "--against", outside, "--key", key)
    assert audit.run(*command).out.endswith("\nIntact.\n")
    with lies_postgresql.liar(str(audit.db), random.Random(1)) as one:
        assert lie(one)
    said = audit.run(*command)
    assert said.status == 1
    assert said.out.endswith("\nNOT INTACT.\n")
    # The server may read a table as small as this one without the index that lies.
    monkeypatch.setenv("PGOPTIONS", "-c enable_seqscan=off")
    for asked in ("j-00000001-0000-4000-8000-000000000001", "j-00000001"):
        traced = audit.run("trace", asked)
        assert "mallory" not in traced.out
        assert traced.status == (0 if lie is redefine else 4)


def test_a_copy_with_rounded_times_is_no_other_spec(audit: Audit, tmp_path: Path) -> None:
    rounded = {"CreateTime": 1_700_000_001_123_456_800, "ModifyTime": 1_700_000_002_123_456_800}
    (tmp_path / "a.ndjson").write_text(f"{job(1)}\n{job(1, **rounded)}\n")
    audit.ingest(tmp_path / "a.ndjson")
    traced = json.loads(audit.run("trace", "j-00000001", "--format", "json").out)
    assert len({version["spec_sha256"] for version in traced["versions"]}) == 1
    assert "Different specs" not in audit.run("trace", "j-00000001").out


def test_a_limit_gives_the_first_rows(audit: Audit, tmp_path: Path) -> None:
    late, early = 1_800_000_000_000_000_000, 1_600_000_000_000_000_000
    lines = [job(n) for n in (10, 11, 12)]
    for n in (1, 2, 3):
        lines.append(job(n, CreateTime=late + n, ModifyTime=early, Revision=1))
        lines.append(job(n, Name="new", CreateTime=early + n, ModifyTime=late, Revision=2))
    (tmp_path / "a.ndjson").write_text("\n".join(lines))
    audit.ingest(tmp_path / "a.ndjson")
    everything = audit.run("find", "--format", "ndjson").out.splitlines()
    assert len(everything) == 6
    for limit in range(1, 6):
        some = audit.run("find", "--limit", str(limit), "--format", "ndjson").out.splitlines()
        assert some == everything[:limit]


def test_a_page_that_says_there_is_more(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "page.json").write_text(f'{{"Items":[{job(1)}],"NextToken":"abc"}}')
    taken = audit.ingest(tmp_path / "page.json")
    assert (taken.status, taken.summary["partial"]) == (1, 1)


def test_a_line_that_was_torn_and_is_whole(audit: Audit, tmp_path: Path) -> None:
    log, whole = tmp_path / "log.ndjson", f"{job(1)}\n{job(2)}\n"
    log.write_text(whole[:-40])
    assert audit.ingest(log).status == 1
    log.write_text(whole)
    assert audit.ingest(log).status == 0
    assert audit.run("rejections", "list", "--format", "ndjson").out == ""


def test_each_source_that_was_cut_off_is_listed(audit: Audit, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.ndjson.gz" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(gzip.compress(job(number).encode())[:-8])
    audit.ingest(*paths[:2])
    audit.ingest(paths[2])
    listed = audit.run("rejections", "list", "--all", "--format", "ndjson").out
    assert len(listed.splitlines()) == 3


def test_checkpoints_that_were_shown_into_a_file(audit: Audit, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    for number in (1, 2):
        (tmp_path / "a.ndjson").write_text(job(number))
        audit.ingest(tmp_path / "a.ndjson")
    kept.write_text("".join(audit.run("checkpoint", "show", n).out for n in ("1", "2")))
    assert audit.run("verify", "--against", kept).status == 0


def test_proving_every_document_takes_time_by_their_number(audit: Audit, tmp_path: Path) -> None:
    counts = {"j-few": 60, "j-many": 300}
    lines = [job(0, ID=name, Revision=n) for name, count in counts.items() for n in range(count)]
    (tmp_path / "a.ndjson").write_text("\n".join(lines))
    audit.ingest(tmp_path / "a.ndjson")
    seconds = {}
    for name, count in counts.items():
        began = time.process_time()
        proofs = audit.run("prove", "--all", name).out
        seconds[name] = time.process_time() - began
        assert len(json.loads(proofs)) == count
    assert seconds["j-many"] < 10 * max(seconds["j-few"], 0.05)
