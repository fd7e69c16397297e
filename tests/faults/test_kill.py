"""The kill test in its short form; `make faults` runs the long one."""

from __future__ import annotations

from pathlib import Path

from tests.faults.kill import Trial


def test_kills(tmp_path: Path) -> None:
    trial = Trial(tmp_path, documents=300, seed=11)
    report = trial.run(kills=4)
    assert report.ok, report.details
    assert report.kills == 4
