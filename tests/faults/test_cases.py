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
PYTHON: Final = Path(sys.executable).resolve().parent
"""Folder of the `python3` that the scripts start: not one that looks for a version first."""
OF_THE_PROCESS: Final = {"03-stdin-interrupted", "16-no-passwd-entry", "17-prove-all-scales"}
"""They send signals, change who runs the program, or measure it: it starts as it does for users."""


def test_there_are_cases() -> None:
    if not CASES.is_dir():
        pytest.skip("../shared/cases is not here")
    assert len(SCRIPTS) >= 16


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_case(script: Path, forked_program: Path) -> None:
    text = script.read_text().replace(OWN_FAULT, "")
    itself = Path(sys.executable).with_name("meta-audit")
    program = itself if script.stem in OF_THE_PROCESS else forked_program
    done = subprocess.run(
        ["bash", "-c", text, script.name],
        env=os.environ | {"META_AUDIT": str(program), "PATH": f"{PYTHON}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
