"""The failing of system calls in its short form; `make faults` runs the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.syscalls import run
from tests.faults.traced import cannot_trace


def test_system_calls_that_fail(tmp_path: Path) -> None:
    if why := cannot_trace():
        pytest.skip(why)
    report = run(tmp_path, documents=20, errors=("EIO", "ENOSPC", "KILL", "ENOSPC+"), sample=40)
    assert report.faulty == []
    assert report.missed == []
    assert len(report.outcomes) == 40
