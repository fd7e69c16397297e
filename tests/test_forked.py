"""A forked run is what a run of the program is."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.forked import ForkServer


@pytest.mark.parametrize("command", ["--version", "nonsense", "find --db none.db", "db path"])
def test_exit_codes_and_output_are_the_same(
    forked_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    itself, forked = (
        subprocess.run(
            [*program, *command.split()], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        for program in ((sys.executable, "-m", "meta_audit"), (str(forked_program),))
    )
    assert forked.stdout + forked.stderr
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        itself.returncode,
        itself.stdout,
        itself.stderr,
    )


def test_a_signal_reaches_it(forks: ForkServer, tmp_path: Path) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM):
        arguments = ["ingest", "-", "--db", "new.db"]
        process = forks.start(arguments, tmp_path, {"HOME": str(tmp_path)}, subprocess.PIPE)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(60) in {-number, 143}
        process.communicate()
