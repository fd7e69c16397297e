"""Runs the program in processes forked from one that has imported it already.

A command then takes a tenth of a second and not a half, most of which is importing SQLAlchemy.
Each is still a process of its own with the terminal, folder and environment of its caller.
`Forks.make_program` writes the script that stands for `meta-audit`.
"""

from __future__ import annotations

import array
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from meta_audit import cli

ROOT: Final = Path(__file__).resolve().parents[2]
PRELOADED: Final = (
    *(module for module, _ in cli.COMMANDS.values()),
    "meta_audit.cli.retry",
    "meta_audit.ingest.run",
    "meta_audit.render.json",
    "meta_audit.render.trace",
    "meta_audit.schema.migrate",
    "meta_audit.store.opening",
    "meta_audit.store.sqlite.backend",
    "sqlalchemy.dialects.sqlite.pysqlite",
)
CLIENT: Final = """#!{python} -IS
import array, json, os, socket, sys
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
server = socket.socket(socket.AF_UNIX)
server.connect({path!r})
files = array.array("i", [0, 1, 2])
server.sendmsg([b"\\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
server.sendall(request)
server.shutdown(socket.SHUT_WR)
sys.exit(int(server.recv(16) or b"70"))
"""


class Forks:
    """The process that forks, to be stopped at the end."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="meta-audit-"))  # short: a socket's path
        self._path = self._folder / "socket"
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.docs.forks", str(self._path)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
        )
        while not self._path.exists():
            if self._server.poll() is not None:
                raise RuntimeError("the program cannot be imported: see above")
            time.sleep(0.02)

    def make_program(self, path: Path) -> None:
        """Write the script."""
        path.write_text(CLIENT.format(python=sys.executable, path=str(self._path)))
        path.chmod(0o755)

    def close(self) -> None:
        """Stop the process."""
        self._server.terminate()
        self._server.wait()
        shutil.rmtree(self._folder)


def serve(path: str) -> None:
    """Answer each request in a process of its own, for ever."""
    for name in PRELOADED:
        import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    server = socket.socket(socket.AF_UNIX)
    server.bind(path + ".new")
    server.listen()
    os.rename(path + ".new", path)
    while True:
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            _answer(connection)
        connection.close()


def _answer(connection: socket.socket) -> None:
    status = 70
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        arguments, folder, environment = _receive(connection)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        status = cli.run(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        connection.sendall(str(status).encode())
        os._exit(0)


def _receive(connection: socket.socket) -> Any:
    files = array.array("i")
    _, ancillary, _, _ = connection.recvmsg(1, socket.CMSG_LEN(3 * files.itemsize))
    files.frombytes(ancillary[0][2])
    for theirs, ours in zip(files, (0, 1, 2), strict=True):
        os.dup2(theirs, ours)
        os.close(theirs)
    request = b""
    while piece := connection.recv(65_536):
        request += piece
    return json.loads(request)


if __name__ == "__main__":
    serve(sys.argv[1])
