"""The failing of system calls in its short form; `make faults` runs the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.strace import SystemCall, cannot_trace
from tests.faults.syscalls import run, too_early


def test_system_calls_that_fail(tmp_path: Path) -> None:
    if why := cannot_trace():
        pytest.skip(why)
    errors = ("EIO", "ENOSPC", "KILL", "ENOSPC+")
    report = run(tmp_path, documents=12, errors=errors, sample=16, processes=1)
    assert report.faulty == []
    assert report.missed == []
    assert len(report.outcomes) == 16


@pytest.mark.parametrize(
    ("order", "found"),
    [
        (
            "write db-wal, fdatasync db-wal, write db.checkpoints, fsync db.checkpoints, write out",
            0,
        ),
        (
            "write db-wal, write db.checkpoints, fsync db.checkpoints, fdatasync db-wal, write out",
            1,
        ),
        ("write db-wal, fdatasync db-wal, write db.checkpoints, write out", 1),
        ("pwrite64 db, unlink db-wal, fdatasync db", 1),
        ("pwrite64 db, fdatasync db, unlink db-wal", 0),
    ],
)
def test_an_order_that_is_not_durable_is_seen(order: str, found: int) -> None:
    files = {"out": "/here/traced.out"}
    calls = [
        SystemCall(name, 1, files.get(file, f"/here/{file}"), creates=False, injected=False)
        for name, file in (step.split(" ") for step in order.split(", "))
    ]
    assert len(list(too_early(calls, Path("/here/db")))) == found
