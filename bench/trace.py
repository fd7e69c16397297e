"""How long a trace takes: in-process, and as a command against the cheapest command there is.

    python -m bench.trace STORE               (both, printed; `bench.run` does this too)
    python -m bench.trace STORE --in-process  (the first only, as one JSON object)

The cheapest command imports click and SQLAlchemy, connects and runs one query: nothing that
uses them can be quicker.
"""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.measure import ROOT, python

TRACES = 1_000
COMMANDS = 15

_CHEAPEST = """
import click, sqlalchemy, sys
engine = sqlalchemy.create_engine(sys.argv[1])
with engine.connect() as connection:
    query = sqlalchemy.text("SELECT * FROM jobs WHERE job_id = :job_id")
    print(connection.execute(query, {"job_id": sys.argv[2]}).all())
"""


def job_ids(store: Path, count: int) -> list[str]:
    """Return the IDs of jobs drawn from all over the store, the same on every run."""
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    last = connection.execute("SELECT max(job_key) FROM jobs").fetchone()[0]
    drawn = random.Random(1).choices(range(1, last + 1), k=count)
    query = "SELECT job_id FROM jobs WHERE job_key = ?"
    found = [connection.execute(query, (key,)).fetchone()[0] for key in drawn]
    connection.close()
    return found


def _tracer(store: Path) -> Callable[[str], Any]:
    """Return the library function behind the command: a job's ID in, all its parts out."""
    from meta_audit.store.opening import open_to_read

    connection = open_to_read(f"sqlite:///{store}").engine.connect()
    from meta_audit.query.trace import trace

    return lambda job_id: trace(connection, job_id)


def in_process(store: Path) -> dict[str, float]:
    """Trace jobs one after the other; return p50 and p99 in milliseconds."""
    ids = job_ids(store, TRACES)
    trace = _tracer(store)
    trace(ids[0])
    took = []
    for job_id in ids:
        began = time.perf_counter()
        trace(job_id)
        took.append((time.perf_counter() - began) * 1e3)
    cuts = quantiles(took, n=100)
    return {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3)}


def as_command(store: Path) -> dict[str, float]:
    """Run the command and the cheapest one in turn; return medians in ms, and their ratio."""
    url = f"sqlite:///{store}"
    ours, cheapest = [], []
    for job_id in job_ids(store, COMMANDS):
        ours.append(_milliseconds(python("-m", "meta_audit", "trace", job_id, "--db", url)))
        cheapest.append(_milliseconds(python("-c", _CHEAPEST, url, job_id)))
    ratio = median(a / b for a, b in zip(ours, cheapest, strict=True))
    return {
        "command_ms": round(median(ours), 1),
        "cheapest_ms": round(median(cheapest), 1),
        "ratio": round(ratio, 2),
    }


def _milliseconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return (time.perf_counter() - began) * 1e3


def measure_all(store: Path) -> dict[str, Any]:
    """Measure both ways; one that fails carries the reason instead of figures."""
    command = python("-m", "bench.trace", str(store), "--in-process")
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    measured: dict[str, Any] = {}
    if done.returncode:
        measured["in_process"] = {"failed": done.stderr.strip().splitlines()[-1]}
    else:
        measured["in_process"] = json.loads(done.stdout)
    try:
        measured["command"] = as_command(store)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        measured["command"] = {"failed": said[-1] if said else str(error)}
    return measured


def show(measured: dict[str, Any]) -> None:
    """Print what was measured."""
    print("\nTrace")
    for way, figures in measured.items():
        print(f"{way:<28}" + ", ".join(f"{name} {value}" for name, value in figures.items()))


def main() -> None:
    """Run the command line."""
    store = Path(sys.argv[1])
    if "--in-process" in sys.argv[2:]:
        print(json.dumps(in_process(store)))
    else:
        show(measure_all(store))


if __name__ == "__main__":
    main()
