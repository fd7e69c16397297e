"""Run the program again and again in processes that have imported it already."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]
KILLED: Final = -9


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """One run of the program."""

    status: int
    out: str
    err: str
    seconds: float

    @property
    def acknowledged(self) -> int:
        """Return the number of documents that it said it had dealt with."""
        return max((int(line) for line in self.out.splitlines() if line.isdecimal()), default=0)


class Program:
    """Forks one process per run; in small chunks (tests/faults/small_chunks.py)."""

    def __init__(self, work: Path, documents: int, block: int) -> None:
        self._out, self._err = work / "program.out", work / "program.err"
        self._command = command(documents, block)
        began = time.monotonic()
        self._server = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._line()
        self.starting: Final = time.monotonic() - began
        """Seconds that it took to start."""

    def _line(self) -> str:
        line = self._server.stdout.readline() if self._server.stdout else b""
        if not line:
            raise RuntimeError("the server of forks has ended")
        return line.decode().strip()

    def run(self, *arguments: str | Path, kill_after: float | None = None) -> ProgramRun:
        """Run it to its end, or kill it after so many seconds."""
        if self._server.stdin is None or self._server.stdout is None:
            raise AssertionError
        began = time.monotonic()
        asked = [str(part) for part in (self._out, self._err, *arguments)]
        self._server.stdin.write(f"{json.dumps(asked)}\n".encode())
        process = int(self._line())
        ends = kill_after is None or select.select([self._server.stdout], [], [], kill_after)[0]
        if not ends:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return self._ended(int(self._line()), began)

    def start_and_kill(self, *arguments: str | Path, kill_after: float) -> ProgramRun:
        """Start it from nothing, and kill it while it comes up."""
        began = time.monotonic()
        with self._out.open("w") as out, self._err.open("w") as err:
            whole = [*self._command, *map(str, arguments)]
            process = subprocess.Popen(whole, cwd=ROOT, stdout=out, stderr=err)
            try:
                status = process.wait(kill_after)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
        return self._ended(status, began)

    def _ended(self, status: int, began: float) -> ProgramRun:
        out, err = (path.read_text("utf-8", "replace") for path in (self._out, self._err))
        return ProgramRun(status, out, err, time.monotonic() - began)

    def close(self) -> None:
        """End the server of forks."""
        if self._server.stdin:
            self._server.stdin.close()
        self._server.wait()
        if self._server.stdout:
            self._server.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def command(documents: int, block: int) -> tuple[str, ...]:
    """Return what starts the program, with chunks of documents and blocks of bytes."""
    return (sys.executable, "-m", "tests.faults.small_chunks", str(documents), str(block))
