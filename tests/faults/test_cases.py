"""Run the scripts of `../shared/cases`: faults that outsiders found, each with its own check."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.docs.shell import ROOT

CASES: Final = ROOT / "../shared/cases"
SCRIPTS: Final = sorted(CASES.glob("*.sh"))
OWN_FAULT: Final = 'c.execute("alter table jobs rename to jobs")'
"""A line of `31-view-lies.sh` that changes nothing, and that no SQLite takes."""


def test_there_are_cases() -> None:
    if not CASES.is_dir():
        pytest.skip("../shared/cases is not here")
    assert len(SCRIPTS) >= 16


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_case(script: Path) -> None:
    text = script.read_text().replace(OWN_FAULT, "")
    program = Path(sys.executable).with_name("meta-audit")
    done = subprocess.run(
        ["bash", "-c", text, script.name],
        env=os.environ | {"META_AUDIT": str(program)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
