"""Start Apache Spark on this machine, as `make test-lake` installs it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

PYTHON = os.environ.get("META_AUDIT_TEST_SPARK_PYTHON", "")
SECONDS = 60.0
WORKERS = 2


@contextmanager
def cluster() -> Iterator[str]:
    """A standalone master and two workers on this machine."""
    home = subprocess.check_output(
        [PYTHON, "-c", "import pyspark, os; print(os.path.dirname(pyspark.__file__))"], text=True
    ).strip()
    start = [f"{home}/bin/spark-class", "org.apache.spark.deploy"]
    port = 7177
    url = f"spark://127.0.0.1:{port}"
    commands = [
        [f"{start[1]}.master.Master", "--host", "127.0.0.1", "--port", f"{port}"],
        *[[f"{start[1]}.worker.Worker", url, "-c", "1", "-m", "1g"] for _ in range(WORKERS)],
    ]
    environment = os.environ | {"SPARK_HOME": home, "PYSPARK_PYTHON": PYTHON}
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for number, command in enumerate(commands):
            log = Path(folder, f"{number}.log")
            with log.open("wb") as errors:
                process = subprocess.Popen(
                    [start[0], *command, "--webui-port", "0"],
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                )
            stack.callback(process.wait)
            stack.callback(process.kill)
            _wait(log, "Successfully registered" if number else "I have been elected leader")
        yield url


def _wait(log: Path, text: str) -> None:
    deadline = time.monotonic() + SECONDS
    while text not in log.read_text(errors="replace"):
        if time.monotonic() > deadline:
            raise AssertionError(f"never said {text!r}: {log.read_text(errors='replace')}")
        time.sleep(0.1)


@pytest.fixture(scope="session")
def master() -> Iterator[str]:
    """Return the URL of a cluster that the tests of this session share."""
    with cluster() as url:
        yield url
