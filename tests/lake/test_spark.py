"""The 40 questions, asked of a lake through Apache Spark: a master and two workers.

`make test-lake` installs what this needs, and names it in the environment.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("pyiceberg", reason="needs the extra `lake`")

from meta_audit import cli
from tests.conftest import ROOT, Audit
from tests.docs.questions import read_questions
from tests.lake import lakes
from tests.lake.spark_cluster import PYTHON

JARS = os.environ.get("META_AUDIT_TEST_SPARK_JARS", "")
SCRIPT = Path(__file__).with_name("spark_queries.py")
pytestmark = pytest.mark.skipif(not (PYTHON and JARS), reason="run by `make test-lake`")


def same(value: Any) -> str | None:
    """Write a time to the microsecond, as files have it."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    text = str(value)
    is_time = len(text) == 30 and text[10] == "T" and text.endswith("Z")
    return f"{text[:26]}+00:00" if is_time else text


def test_the_questions_are_answered_alike(
    file: Audit,
    postgres_own_url: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    master: str,
) -> None:
    """A lake, its store in a file, and a copy of it on PostgreSQL give the same rows."""
    assert file.ingest(ROOT / "examples").status == 1
    assert cli.run(["-q", "db", "copy", str(file.db), postgres_own_url]) == 0
    lake = tmp_path / "lake"
    assert file.run("lake", "sync", str(lake)).status == 0
    questions = read_questions()
    ran = subprocess.run(
        [PYTHON, str(SCRIPT), str(lake), JARS, master],
        input=json.dumps([question.sql for question in questions]),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PYSPARK_PYTHON": PYTHON},
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    answer = json.loads(ran.stdout)
    assert answer["workers"] == 2
    for question, found in zip(questions, answer["results"], strict=True):
        assert isinstance(found, list), (question.number, found)
        rows = sorted(([same(_padded(value)) for value in row] for row in found), key=repr)
        for store in (file, Audit(postgres_own_url, capsys)):
            wanted = [[same(value) for value in row] for row in store.rows(question.sql)]
            assert rows == sorted(wanted, key=repr), (question.number, store.is_sqlite)


def test_ranges_are_verified_by_the_workers(file: Audit, tmp_path: Path, master: str) -> None:
    assert file.ingest(ROOT / "examples").status == 1
    lake, program = tmp_path / "lake", tmp_path / "verify.py"
    assert file.run("lake", "sync", str(lake)).status == 0
    page = (ROOT / "docs/lake.md").read_text("utf-8")
    (text,) = [part for part in page.split("```python\n") if "on_workers" in part]
    text = text.partition("```")[0].replace("/srv/lake", str(lake))
    program.write_text(text.replace("print, on_workers", "print, on_workers, at_once=10"))
    changed = lakes.data_files(lake)[0]
    for found in (0, 1):
        with lakes.mutated(changed, Random(2)) if found else nullcontext():
            here = lakes.verify(lake).damage_count
            ran = submit(master, program)
        assert ran.returncode == 0, ran.stderr[-2000:]
        assert f"{here} damages" in ran.stdout
        assert bool(here) == bool(found)


def submit(master: str, file: Path) -> subprocess.CompletedProcess[str]:
    options = f"--master {master} --conf spark.ui.enabled=false --conf spark.driver.host=127.0.0.1"
    return subprocess.run(
        [PYTHON, str(file)],
        env=os.environ
        | {
            "PYSPARK_PYTHON": PYTHON,
            "PYSPARK_SUBMIT_ARGS": f"{options} --conf spark.driver.bindAddress=127.0.0.1 "
            "pyspark-shell",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _padded(value: str | None) -> str | None:
    """Write a time of whole seconds as the others."""
    if value and len(value) == 19 and value[10] == "T":
        return f"{value}.000000+00:00"
    return f"{value}+00:00" if value and len(value) == 26 and value[10] == "T" else value
