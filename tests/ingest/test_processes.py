"""Two ingests at once, and ingests that parse in processes of their own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bench.generate import Generator
from meta_audit.ingest.options import Limits
from tests.conftest import Audit, Program
from tests.ingest.documents import compact, job, ndjson

SHARED = ("observations", "ledger_entries", "documents", "rejections", "evidence")
"""Tables that say who came first."""


def folder(path: Path, numbers: range) -> Path:
    """Files with these jobs, a state of each, and some broken documents."""
    path.mkdir()
    for start in numbers[::50]:
        jobs = range(start, min(start + 50, numbers.stop))
        (path / f"{start}.ndjson").write_bytes(
            ndjson(*[compact(job(n)) for n in jobs], b'{"ID":"j-%d","ID":""}' % start)
        )
    return path


@pytest.mark.parametrize("exists", [True, False], ids=["a store", "no store yet"])
def test_two_ingests_at_once(
    program: Program, audit: Audit, another: Audit, tmp_path: Path, exists: bool
) -> None:
    first = folder(tmp_path / "first", range(400))
    second = folder(tmp_path / "second", range(200, 600))
    if not exists:
        audit.db = tmp_path / "new" / "audit.db"
    runs = [
        program("ingest", *sources, "--db", audit.db)
        for sources in ((first, second), (second, first), (second,))
    ]
    for process in runs:
        _, err = process.communicate(timeout=60)
        # 0 where another run was first to meet each broken document.
        assert process.returncode in (0, 1), err
        assert b"rror" not in err
    assert audit.faults() == []
    another.ingest(first, second)
    here, there = audit.tables(), another.tables()
    assert {k: v for k, v in here.items() if k not in SHARED} == {
        k: v for k, v in there.items() if k not in SHARED
    }
    assert {row[1:] for row in here["documents"]} == {row[1:] for row in there["documents"]}
    assert {digest for _, digest in here["evidence"]} == {digest for _, digest in there["evidence"]}
    assert len(here["rejections"]) == len(there["rejections"]) == 16
    assert len(here["ledger_entries"]) == 616
    assert audit.rows("SELECT status FROM v_imports") == [("complete",)] * 3


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents enough for several chunks, with the later states of some."""
    path = tmp_path_factory.mktemp("many") / "many.ndjson"
    generator = Generator(3)
    documents = [*generator.documents(0, 700), *generator.states(0, 700)]
    lines = [d.encode() for d in documents]
    lines[400:400] = [b'{"ID":"j-1","ID":"j-2"}', lines[3], b'{"ID":"j-3","Meta":{"a":1.0}}']
    path.write_bytes(ndjson(*lines))
    return path


SMALL = Limits(chunk_documents=150, training_bytes=100_000)
"""Chunks of some hundred documents; the first is large enough to train a dictionary."""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_any_number_of_processes_gives_the_same_store(
    audit: Audit, another: Audit, many: Path, jobs: str
) -> None:
    alone = another.ingest(many, "--jobs", "0", limits=SMALL)
    together = audit.ingest(many, "--jobs", jobs, limits=SMALL)
    assert together.status == alone.status == 1
    different = ("seconds", "checkpoint")
    assert {k: v for k, v in together.summary.items() if k not in different} == {
        k: v for k, v in alone.summary.items() if k not in different
    }
    assert audit.rows("SELECT count(*) FROM compression_dictionaries") == [(1,)]
    assert audit.export() == another.export()
    assert audit.faults() == []


def children(process_id: int) -> set[int]:
    """Processes that have a process, or one of its children, as parent."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rsplit(")")[1].split()[1]
                )
            except OSError:
                continue
    found = {process_id}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {process_id}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_no_process_outlives_a_killed_ingest(program: Program, audit: Audit, many: Path) -> None:
    reading, writing = os.pipe()
    process = program(
        *("200", "65536", "ingest", "-", "--jobs", "1", "--db", audit.db),
        module="tests.faults.small_chunks",
        stdin=reading,
    )
    os.close(reading)
    try:
        os.write(writing, many.read_bytes())
        deadline = time.monotonic() + 60
        while not audit.rows("SELECT 1 FROM documents WHERE document_id > 400"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        helpers = children(process.pid)
        # One that tracks resources, one that forks, one that parses.
        assert len(helpers) == 3
        process.kill()
        process.wait()
        while any(map(lives, helpers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(lives, helpers))
    finally:
        os.close(writing)
    assert audit.faults() == []


def lives(process_id: int) -> bool:
    return Path(f"/proc/{process_id}").exists()
