"""The program of docs/segments.md, run by Apache Spark: a master and two workers.

`make test-lake` installs what this needs, and names it in the environment.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from bench.segments import write_archive
from tests.conftest import ROOT, Audit
from tests.faults.documents import BROKEN
from tests.lake.segments import ledger, views
from tests.lake.spark_cluster import PYTHON

COUNT = int(os.environ.get("META_AUDIT_TEST_SPARK_JOBS", "10000"))
pytestmark = pytest.mark.skipif(not PYTHON, reason="run by `make test-lake`")


def program(folder: Path) -> Path:
    """Take the program out of the page."""
    page = (ROOT / "docs/segments.md").read_text("utf-8")
    _, _, rest = page.partition("```python\n")
    file = folder / "read_archive.py"
    file.write_text(rest.partition("```")[0])
    return file


def start(master: str, file: Path, *arguments: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PYTHON, str(file), *map(str, arguments)],
        env=os.environ
        | {
            "PYSPARK_PYTHON": PYTHON,
            "PYSPARK_SUBMIT_ARGS": f"--master {master} --conf spark.ui.enabled=false --conf "
            "spark.driver.host=127.0.0.1 --conf spark.driver.bindAddress=127.0.0.1 pyspark-shell",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_two_workers_read_what_one_machine_does(
    file: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str], master: str
) -> None:
    """The engine of the store makes no difference to what is read: see tests/ingest."""
    archive, segments = tmp_path / "archive", tmp_path / "segments"
    first = write_archive(archive, COUNT, 8)[0]
    with first.open("ab") as broken:
        broken.write(b"\n".join(BROKEN) + b"\n")
    killed = start(master, program(tmp_path), archive, segments)
    while not list(segments.glob("*.segment")) and killed.poll() is None:
        time.sleep(0.1)
    killed.kill()
    killed.communicate()
    whole = start(master, program(tmp_path), archive, segments)
    out, _ = whole.communicate(timeout=300)
    assert whole.returncode == 0
    assert sum(int(line.split()[0]) for line in out.splitlines()) == COUNT + len(BROKEN)
    assert len(list(segments.glob("*.segment"))) == 8
    assert file.run("segments", "seal", segments).status == 1
    alone = Audit(tmp_path / "alone.db", capsys)
    assert alone.ingest(archive).status == 1
    assert views(file.db) == views(alone.db)
    assert ledger(file.db) == ledger(alone.db)
    deep = file.run("verify", "--deep")
    assert deep.status == 0
    assert "Intact." in deep.out
