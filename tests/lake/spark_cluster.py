"""Start Apache Spark on this machine, as `make test-lake` installs it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

PYTHON = os.environ.get("META_AUDIT_TEST_SPARK_PYTHON", "")


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
        *[[f"{start[1]}.worker.Worker", url, "-c", "1", "-m", "1g"] for _ in range(2)],
    ]
    environment = os.environ | {"SPARK_HOME": home, "PYSPARK_PYTHON": PYTHON}
    with ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(
                [start[0], *command, "--webui-port", "0"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            time.sleep(4)
        yield url
