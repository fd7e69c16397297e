"""Output that cannot be written: no traceback, no talk of a bug, an exit code of its own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Audit

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def run(
    audit: Audit, *command: str | Path, program: Path | None = None, **streams: Any
) -> subprocess.CompletedProcess[str]:
    started = [program] if program else [sys.executable, "-m", "meta_audit"]
    with FULL.open("w") as full:
        return subprocess.run(
            [*started, *command, "--db", audit.db],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            **{n: full if s is FULL else s for n, s in streams.items()},
            text=True,
            check=False,
        )


@pytest.fixture
def job(tmp_path: Path) -> Path:
    (tmp_path / "job.json").write_text('{"ID": "j-1", "Tasks": [{"Name": "t"}]}')
    return tmp_path / "job.json"


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_full_disk_for_what_is_printed(
    audit: Audit, job: Path, format_: str, forked_program: Path
) -> None:
    for command in (("ingest", job), ("verify",), ("find",)):
        said = *command, "--format", format_
        done = run(audit, *said, program=forked_program, stdout=FULL, stderr=subprocess.PIPE)
        assert done.returncode == 74
        assert done.stderr.splitlines()[-2:] == [
            "Error: cannot write the output: No space left on device",
            "Completed work is saved. Fix the problem, then run the command again.",
        ]
    assert audit.rows("SELECT count(*) FROM documents") == [(1,)]


def test_nothing_can_be_said_at_all(audit: Audit, job: Path) -> None:
    assert run(audit, "ingest", job, stdout=FULL, stderr=FULL).returncode == 74
    assert run(audit, "ingest", job, stdout=FULL, stderr=subprocess.DEVNULL).returncode == 74
    assert run(audit, "nonsense", stderr=FULL).returncode == 74
    assert audit.rows("SELECT count(*) FROM documents") == [(1,)]


def without(*streams: int) -> Callable[[], None]:
    """Close streams in a process that begins."""

    def close() -> None:
        for number in streams:
            os.close(number)

    return close


def test_streams_that_are_closed(audit: Audit, job: Path) -> None:
    done = run(audit, "ingest", job, preexec_fn=without(1), stderr=subprocess.PIPE)
    assert done.returncode == 74
    assert "Error: cannot write the output" in done.stderr
    assert run(audit, "ingest", job, preexec_fn=without(0, 1, 2)).returncode == 74
    assert run(audit, "find", preexec_fn=without(0, 2), stdout=subprocess.PIPE).returncode == 0
    assert (
        run(audit, "ingest", "-", preexec_fn=without(0, 2), stdout=subprocess.PIPE).returncode == 3
    )
    assert audit.rows("SELECT count(*) FROM documents") == [(1,)]


def test_a_full_disk_leaves_an_earlier_file_as_it_was(file: Audit, job: Path) -> None:
    file.ingest(job)
    proof = job.with_name("proof.json")
    proof.write_text("an earlier proof")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        done = file.run("prove", "j-1", "--output", proof)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.status in (2, 74)
    assert proof.read_text() == "an earlier proof"
    assert not list(proof.parent.glob(".proof*"))
    assert file.run("prove", "j-1", "--output", proof).status == 0
    assert file.run("document", "j-1", "--output", "/dev/null").status == 0


def test_a_draft_of_a_process_that_was_killed_is_in_the_way_of_none(
    file: Audit, job: Path, tmp_path: Path
) -> None:
    """In a container every process has the same number."""
    file.ingest(job)
    made = tmp_path / "jobs.csv"
    left = tmp_path / f".jobs.csv.{os.getpid()}.new"
    left.touch()
    result = file.run("export", "--to", made)
    assert result.status == 0, result.err
    assert made.stat().st_size
