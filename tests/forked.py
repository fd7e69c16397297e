"""Run the program many times without starting it as often.

A server has imported the program. For each run it forks itself, and the copy takes the arguments,
folder, environment, umask and streams of a small script that waits for it: so a run is a process
of its own with its own terminal, as always, but does not import everything again, which takes
longer than most commands. Signals to the script do not reach the program; `ForkServer.start` gives
a process that gets them. Tests of the start run the program itself.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import marshal
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import meta_audit
from meta_audit.schema import reference

ROOT: Final = Path(__file__).resolve().parents[1]
_CRASHED: Final = 99
_SCRIPT: Final = """\
#!{python} -IS
import marshal, os, sys
from _socket import AF_UNIX, SCM_RIGHTS, SHUT_WR, SOCK_STREAM, SOL_SOCKET, socket
server = socket(AF_UNIX, SOCK_STREAM)
server.connect({address!r})
streams = b"".join(n.to_bytes(4, sys.byteorder) for n in range(3))
server.sendmsg([b"!"], [(SOL_SOCKET, SCM_RIGHTS, streams)])
mask = os.umask(0)
asked = memoryview(marshal.dumps((sys.argv[1:], os.getcwd(), dict(os.environ), mask)))
while asked:
    asked = asked[server.send(asked):]
server.shutdown(SHUT_WR)
said = b""
while more := server.recv(99):  # until the program has ended
    said += more
sys.exit(int((said.split() + [{crashed}])[1]))
"""


class ForkServer:
    """The server, and the script that stands for the program."""

    def __init__(self, folder: Path) -> None:
        self.program: Final = folder / "meta-audit"
        self._address = address = str(folder / "server")
        python = Path(sys.executable)
        text = _SCRIPT.format(python=python, address=address, crashed=_CRASHED)
        self.program.write_text(text)
        self.program.chmod(0o755)
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", address],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        if not self._server.stdout or not self._server.stdout.readline():
            raise RuntimeError("the server of forks has ended")

    def start(
        self, arguments: Sequence[str], folder: Path, environment: dict[str, str], stdin: int
    ) -> ForkedProcess:
        """Start the program; `stdin` as `subprocess.Popen` takes it, with pipes for its output."""
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.connect(self._address)
        (out, to_out), (err, to_err) = os.pipe(), os.pipe()
        given: IO[bytes] | None = None
        theirs = [to_out, to_err]
        if stdin == subprocess.PIPE:
            reading, writing = os.pipe()
            given = os.fdopen(writing, "wb")
            theirs.append(reading)
        elif stdin == subprocess.DEVNULL:
            reading = os.open(os.devnull, os.O_RDONLY)
            theirs.append(reading)
        else:
            reading = stdin
        socket.send_fds(server, [b"!"], [reading, to_out, to_err])
        os.umask(mask := os.umask(0))
        server.sendall(marshal.dumps((list(arguments), str(folder), environment, mask)))
        server.shutdown(socket.SHUT_WR)
        for descriptor in theirs:
            os.close(descriptor)
        return ForkedProcess(server, given, os.fdopen(out, "rb"), os.fdopen(err, "rb"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server.stdout:
            self._server.stdout.close()
        self._server.kill()
        self._server.wait()


class ForkedProcess:
    """A run of the program, used as a `subprocess.Popen` is."""

    def __init__(
        self,
        server: socket.socket,
        stdin: IO[bytes] | None,
        stdout: IO[bytes],
        stderr: IO[bytes],
    ) -> None:
        self._server = server
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.returncode: int | None = None
        self._sent = 0
        self._status = number = b""
        while more := server.recv(1).strip():
            number += more
        self.pid = int(number)

    def poll(self) -> int | None:
        """Return the exit code if the process has ended."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; the exit code is minus the signal that killed the process."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            if not select.select([self._server], [], [], left)[0]:
                raise subprocess.TimeoutExpired("meta-audit", timeout or 0)
            more = b""
            with suppress(ConnectionResetError):  # it was killed before it had read everything
                more = self._server.recv(99)
            if more:
                self._status += more
                continue
            self.returncode = int(self._status) if self._status else -self._sent
            self._server.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Read all output, wait for the end, and close the pipes."""
        said: dict[IO[bytes], bytes] = {self.stdout: b"", self.stderr: b""}

        def read(stream: IO[bytes]) -> None:
            with suppress(ValueError):  # it was closed before
                said[stream] = stream.read()

        readers = [threading.Thread(target=read, args=(stream,), daemon=True) for stream in said]
        if self.stdin:
            with suppress(BrokenPipeError):
                self.stdin.close()
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join()
        for stream in said:
            stream.close()
        return said[self.stdout], said[self.stderr]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            self._sent = number
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)


def serve(address: str) -> None:
    """Fork for each connection, until the parent is gone."""
    import_all()
    gc.freeze()  # or else each fork copies the memory of what it collects
    parent = os.getppid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks for the status of a fork
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as listening:
        listening.bind(address)
        listening.listen(64)
        listening.settimeout(10)
        print("ready", flush=True)
        while os.getppid() == parent:
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                listening.close()
                connection.settimeout(None)
                run(connection)
            connection.close()


def import_all() -> None:
    """Import what commands need, except what only lakes do."""
    for module in pkgutil.walk_packages(meta_audit.__path__, "meta_audit."):
        if not module.name.endswith(("__main__", ".migrations")) and ".lake" not in module.name:
            importlib.import_module(module.name)
    importlib.import_module("sqlalchemy.dialects.postgresql.psycopg")
    importlib.import_module("sqlalchemy.dialects.sqlite.pysqlite")
    reference.of_sqlite()  # what `verify` makes once in each process


def run(connection: socket.socket) -> None:
    """Be the program, and tell the script the exit code."""
    from meta_audit.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.sendall(b"%d\n" % os.getpid())
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as asked:
        arguments, folder, environment, mask = marshal.loads(asked.read())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.umask(mask)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.stdin, sys.stdout, sys.stderr = opened(0), opened(1), opened(2)
    sys.argv = ["meta-audit", *arguments]
    status: Any = _CRASHED
    try:
        main()
        status = 0
    except SystemExit as ended:
        status = ended.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(b"%d" % status)
        end()


def end() -> None:
    """End as Python does, but leave what is in memory to the system."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    os._exit(0)


def opened(number: int) -> IO[str]:
    """Open a stream as Python does when it starts."""
    mode, errors = ("r" if number == 0 else "w"), ("backslashreplace" if number == 2 else "strict")
    buffering = 1 if number == 2 or os.isatty(number) else -1
    return open(number, mode, buffering, encoding="utf-8", errors=errors, closefd=False)


if __name__ == "__main__":
    serve(sys.argv[1])
