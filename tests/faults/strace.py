"""Run work in a forked process under strace, which counts system calls or makes one fail."""

from __future__ import annotations

import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

PR_SET_PTRACER: Final = 0x59616D61
SECONDS: Final = 60
"""After which a run counts as one that hangs."""
HUNG: Final = -999
BROKEN: Final = 99
"""Exit code of a process whose work raised something."""
_CALL: Final = re.compile(r"^(?:\d+ +)?(\w+)\((.*)")
_DESCRIPTOR: Final = re.compile(r"\d+<(/[^>]*)>")
_PATHS: Final = re.compile(r'"(/[^"]*)"')


class CannotTraceError(Exception):
    """Strace is missing, or may not trace."""


@dataclass(frozen=True, slots=True)
class SystemCall:
    """One system call, as strace saw it; `number` counts from 1, for each name."""

    name: str
    number: int
    where: str
    """The file that it was about: the last one, where there are two names."""
    creates: bool
    injected: bool


@dataclass(frozen=True, slots=True)
class TraceResult:
    """Exit code, output and system calls of a traced process."""

    status: int
    """Exit code; negative for a signal."""
    out: str
    err: str
    calls: list[SystemCall]


def trace(
    work: Callable[[], int], folder: Path, names: Sequence[str], injections: Sequence[str] = ()
) -> TraceResult:
    """Run work in its own process; write `injections` in the syntax of strace."""
    out, err, log = (folder / f"traced.{kind}" for kind in ("out", "err", "log"))
    log.unlink(missing_ok=True)
    process = _stopped(work, out, err)
    inject = [part for one in injections for part in ("-e", f"inject={one}")]
    command = ["strace", "-p", str(process), "-o", str(log), "-y", "-qq", "-s", "512"]
    with subprocess.Popen(
        [*command, "-e", f"trace={','.join(names)}", *inject],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as strace:
        try:
            _wait_for_tracer(process, strace)
            os.kill(process, signal.SIGCONT)
            status = _wait(process)
        except BaseException:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            raise
        strace.wait()
    return TraceResult(
        status, out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace"), calls_of(log)
    )


def calls_of(log: Path) -> list[SystemCall]:
    """Parse the log of strace."""
    found = []
    counts: Counter[str] = Counter()
    for line in log.read_text("utf-8", "replace").splitlines():
        match = _CALL.match(line)
        if match:
            name, rest = match.groups()
            counts[name] += 1
            descriptor = _DESCRIPTOR.match(rest)
            paths = [descriptor[1]] if descriptor else ["", *_PATHS.findall(rest)]
            where = paths[-1]
            found.append(
                SystemCall(
                    name, counts[name], where, "O_CREAT" in rest, rest.endswith("(INJECTED)")
                )
            )
    return found


@cache
def cannot_trace() -> str:
    """Return why nothing can be traced here, or an empty text."""
    if not shutil.which("strace"):
        return "strace is not installed"
    folder = Path(os.environ.get("TMPDIR", "/tmp"))
    probe = folder / f"meta-audit-strace-{os.getpid()}"
    probe.mkdir()
    try:
        traced = trace(lambda: os.write(1, b"") or 0, probe, ["write"], ["write:error=EIO:when=2"])
    except CannotTraceError as error:
        return f"strace may not trace here: {error}"
    finally:
        shutil.rmtree(probe)
    return "" if traced.calls else "strace sees no system calls here"


def _stopped(work: Callable[[], int], out: Path, err: Path) -> int:
    process = os.fork()
    if process:
        os.waitpid(process, os.WUNTRACED)
        return process
    status = BROKEN
    try:
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = (open(n, "w", closefd=False) for n in (1, 2))  # noqa: SIM115
        os.kill(os.getpid(), signal.SIGSTOP)
        status = work()
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - it shall be seen, and not go up into the parent's code
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _wait_for_tracer(process: int, strace: subprocess.Popen[str]) -> None:
    status = Path(f"/proc/{process}/status")
    while "TracerPid:\t0\n" in status.read_text():
        if strace.poll() is not None:
            said = strace.stderr.read() if strace.stderr else ""
            raise CannotTraceError(" ".join(said.split()))
        time.sleep(0.002)


def _wait(process: int) -> int:
    descriptor = os.pidfd_open(process)
    ended, _, _ = select.select([descriptor], [], [], SECONDS)
    os.close(descriptor)
    if not ended:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status) if ended else HUNG
