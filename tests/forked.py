"""Run the program many times without starting it as often.

A server has imported the program. For each run it forks itself, and the copy takes the arguments,
folder, environment and streams of a small script that waits for it: so a run is a process of its
own with its own terminal, as always, but does not import everything again, which takes longer than
most commands. Signals to the script do not reach the program: tests of signals and of the start
run the program itself.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

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
asked = memoryview(marshal.dumps((sys.argv[1:], os.getcwd(), dict(os.environ))))
while asked:
    asked = asked[server.send(asked):]
server.shutdown(SHUT_WR)
status = server.recv(3)
server.recv(1)  # until the program has ended
sys.exit(int(status or {crashed}))
"""


class ForkServer:
    """The server, and the script that stands for the program."""

    def __init__(self, folder: Path) -> None:
        self.program: Final = folder / "meta-audit"
        address = str(folder / "server")
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


def serve(address: str) -> None:
    """Fork for each connection, until the parent is gone."""
    import_all()
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
    """Import what most commands need."""
    import meta_audit.api
    import meta_audit.cli
    import meta_audit.ingest.run
    import meta_audit.query.find
    import meta_audit.query.trace
    import meta_audit.query.who
    import meta_audit.sources
    import meta_audit.store.opening
    import meta_audit.verify.run  # noqa: F401


def run(connection: socket.socket) -> None:
    """Be the program, and tell the script the exit code."""
    from meta_audit.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as asked:
        arguments, folder, environment = marshal.loads(asked.read())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
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
        sys.exit(0)


def opened(number: int) -> IO[str]:
    """Open a stream as Python does when it starts."""
    mode, errors = ("r" if number == 0 else "w"), ("backslashreplace" if number == 2 else "strict")
    buffering = 1 if number == 2 or os.isatty(number) else -1
    return open(number, mode, buffering, encoding="utf-8", errors=errors, closefd=False)


if __name__ == "__main__":
    serve(sys.argv[1])
