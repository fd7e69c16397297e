"""Runs one contender in a process of its own and measures it from outside."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_SECONDS = 0.1


PACKAGES = ("orjson", "msgspec", "SQLAlchemy", "zstandard", "duckdb", "sqlite-utils")
"""Whose versions are noted with the figures."""


class FailedError(Exception):
    """A contender ended with another exit code than 0, or did not print its JSON object."""


class Result(NamedTuple):
    """What one run of a contender cost."""

    documents: int
    wall: float
    """Seconds from start to end of the process, start-up and final checkpoint included."""
    inside: float
    """Seconds by the contender's own clock, imports left out."""
    cpu: float
    """Seconds of user and system time, all its processes added."""
    peak: int
    """Bytes of memory at the peak, all its processes added."""
    store: int
    """Bytes of the store's files after it was closed."""
    said: dict[str, object]
    """The JSON object that it printed."""

    @property
    def rate(self) -> float:
        """Documents per second of wall time."""
        return self.documents / self.wall


def python(*arguments: str) -> list[str]:
    """Return the command that runs this Python with arguments."""
    return [sys.executable, *arguments]


def run(command: list[str], store: Path) -> Result:
    """Run a command that fills `store` and prints `{"documents", "seconds", …}`; measure it.

    Raises `FailedError`.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=errors, cwd=ROOT)
        peak, seconds = 0, dict[int, float]()
        while True:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            now = list(_now(process.pid))
            peak = max(peak, sum(resident for _, _, resident in now))
            seconds.update({pid: cpu for pid, cpu, _ in now})
            time.sleep(_SAMPLE_SECONDS)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        said, complaint = out.read(), errors.read().decode(errors="replace")
    # The largest single process, as the kernel saw it: sampling can miss a short peak.
    peak = max(peak, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
    # The kernel adds only children that were waited for: a fork server's are known by sampling.
    cpu = max(sum(seconds.values()), usage.ru_utime + usage.ru_stime)
    if process.returncode:
        tail = "\n".join(complaint.strip().splitlines()[-5:])
        raise FailedError(f"{' '.join(command)}\nended with {process.returncode}: {tail}")
    try:
        summary = json.loads(said)
        documents, inside = int(summary["documents"]), float(summary["seconds"])
    except (ValueError, KeyError, TypeError) as error:
        raise FailedError(f"{' '.join(command)}\nprinted no summary: {said[:200]!r}") from error
    return Result(documents, wall, inside, cpu, peak, size(store), summary)


def size(store: Path) -> int:
    """Return the bytes of a store with its side files (`-wal`, `-shm`, `.wal`)."""
    return sum(file.stat().st_size for file in store.parent.glob(f"{store.name}*"))


def remove(store: Path) -> None:
    """Delete a store and its side files."""
    for file in store.parent.glob(f"{store.name}*"):
        file.unlink()


def _now(pid: int) -> Iterator[tuple[int, float, int]]:
    """Yield process, CPU seconds, resident bytes of a process and its descendants, now.

    Yields nothing where there is no /proc.
    """
    try:
        # Fields after the command's name, which may hold anything: proc(5), /proc/pid/stat.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = {
            child
            for listing in Path(f"/proc/{pid}/task").glob("*/children")
            for child in listing.read_text().split()
        }
    except OSError:
        return
    yield pid, (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE
    for child in children:
        yield from _now(int(child))


def machine() -> dict[str, object]:
    """Return what a reader must know to place the figures."""
    cpu = platform.processor() or platform.machine()
    try:
        models = [
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ]
        cpu = models[0] if models else cpu
    except OSError:
        pass
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gb": round(_PAGE * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
