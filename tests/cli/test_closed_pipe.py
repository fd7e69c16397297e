"""A reader that ends early, as `head` does, is no fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, Audit


def test_who_stops_reading_is_told_of_no_fault(file: Audit, tmp_path: Path) -> None:
    jobs = [{"ID": f"j-{n:04}", "Tasks": [{"Name": "t"}]} for n in range(1_500)]
    path = tmp_path / "jobs.ndjson"
    path.write_text("".join(f"{json.dumps(job)}\n" for job in jobs))
    file.ingest(path)
    for arguments in (["--all"], ["--format", "ndjson"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "meta_audit", "find", "--db", str(file.db), *arguments],
            cwd=ROOT,
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, b"")
