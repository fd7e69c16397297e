"""Run the commands of a document in a temporary home, as a reader would run them.

The output replaces all that differs from run to run (times of import, speed, keys, roots, paths,
user and host) by fixed values, so that the same program always gives the same document.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import termios
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
USER: Final = "ana"
COLUMNS: Final = 100
SECONDS_PER_COMMAND: Final = 60
_STAND_IN_DAY: Final = "2026-01-05"
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)([T ])\d\d:\d\d:\d\d(\.\d{9})?Z")
_KEY: Final = r"meta-audit/[0-9a-f]{16}"
_ORIGIN: Final = "meta-audit/5d41402abc4b2a76"
_STAND_INS: Final = (
    (re.compile(r"in \d+\.\d s(?:, [\d,]+/s)?"), "in 0.1 s, 180/s"),
    (re.compile(r", \d+\.\d s$", re.MULTILINE), ", 0.1 s"),
    (re.compile(r'"seconds": ?[\d.e-]+'), '"seconds":0.1'),
    (re.compile(r"root sha256:[0-9a-f]{16}"), "root sha256:5f36b2ea290645ee"),
    (
        re.compile(_KEY + r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{43,44}=?"),
        _ORIGIN + "+f3ad1cd9+AXOpuS1lfRT1vB3fZ3GmQ8yNnX2mFJ5oTz0hVqQqvXyE",
    ),
    (re.compile(_KEY + r"\+[0-9a-f]{8}\b(?!\+)"), _ORIGIN + "+f3ad1cd9"),
    (re.compile(r"— " + _KEY + r" \S+"), f"— {_ORIGIN} 861c2fU0...3Qo="),
    (re.compile(r"^[A-Za-z0-9+/]{43}=$", re.MULTILINE), "XzayopBkXu4..."),
    (re.compile(_KEY), _ORIGIN),
)
_META_AUDIT: Final = f"""\
import sys
sys.path[0] = {str(ROOT)!r}
from meta_audit.cli import main
main()
"""
_SQLITE3: Final = """\
import sqlite3, sys
connection = sqlite3.connect(sys.argv[-2])
if '-header' not in sys.argv:
    sys.exit(connection.executescript(sys.argv[-1]) and None)
cursor = connection.execute(sys.argv[-1])
print(*(c[0] for c in cursor.description), sep='|')
for row in cursor:
    print(*('' if v is None else v for v in row), sep='|')
"""
"""Replaces the shell of SQLite where it is missing: `sqlite3 [OPTION...] FILE SQL`."""
_PYTHON: Final = """\
import contextlib, io, json, sys
outputs, names = [], {}
for statement in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        try:
            exec(compile(statement + chr(10), "<page>", "single"), names)
        except Exception as error:
            print("Traceback (most recent call last):\\n  ...")
            print(f"{type(error).__module__}.{type(error).__name__}: {error}")
    outputs.append(output.getvalue())
json.dump(outputs, sys.stdout)
"""
"""Runs statements as an interpreter at a prompt does, a JSON list of them to one of outputs."""


class Shell:
    """Runs the commands of one document in order, in a home with `examples/` in it.

    `program` takes the place of meta-audit, where it should not start anew for every command.
    """

    def __init__(self, root: Path, program: Path | None = None) -> None:
        self._root = root.resolve()
        self._home = self._root / "home" / USER
        self._started = datetime.now(UTC).date().isoformat()
        self._status = 0
        programs = self._root / "bin"
        programs.mkdir(parents=True)
        shutil.copytree(ROOT / "examples", self._home / "examples")
        if program:
            (programs / "meta-audit").symlink_to(program)
        else:
            _write_program(programs / "meta-audit", _META_AUDIT)
        if shutil.which("sqlite3") is None:
            _write_program(programs / "sqlite3", _SQLITE3)
        self.environment = {
            "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
            "META_AUDIT_DB": "audit.db",
            "HOME": str(self._home),
            "USER": USER,
            "LOGNAME": USER,
            "COLUMNS": str(COLUMNS),
            "NO_COLOR": "1",
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    @property
    def home(self) -> Path:
        """Return the folder in which commands run."""
        return self._home

    def run(self, command: str) -> str:
        """Run a command line; return its stderr, then its stdout, which is a terminal."""
        ours, theirs = pty.openpty()
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST  # no CR before LF
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        process = subprocess.Popen(
            ["sh", "-c", f"(exit {self._status})\n{command}"],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            cwd=self._home,
            env=self.environment,
        )
        os.close(theirs)
        out: list[bytes] = []
        reader = threading.Thread(target=_read_all, args=(ours, out))
        reader.start()
        try:
            _, err = process.communicate(timeout=SECONDS_PER_COMMAND)
        finally:
            if process.poll() is None:
                process.kill()
            reader.join()
            os.close(ours)
        self._status = process.returncode
        return self.stand_in((err + b"".join(out)).decode())

    def python(self, statements: list[str]) -> list[str]:
        """Run Python statements in one interpreter; return the output of each."""
        process = subprocess.run(
            [sys.executable, "-c", _PYTHON],
            input=json.dumps(statements),
            cwd=self._home,
            env=self.environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=SECONDS_PER_COMMAND,
            check=True,
        )
        return [self.stand_in(output) for output in json.loads(process.stdout)]

    def stand_in(self, text: str) -> str:
        """Replace all that differs from run to run."""
        text = text.replace(str(self._root), "")
        text = text.replace(f"{USER}@{socket.gethostname()}", f"{USER}@audit")
        for pattern, replacement in _STAND_INS:
            text = pattern.sub(replacement, text)
        return _TIME.sub(self._time, text)

    def _time(self, match: re.Match[str]) -> str:
        """Replace a time that is not before this shell started; documents name earlier ones."""
        if match[1] < self._started:
            return match[0]
        return f"{_STAND_IN_DAY}{match[2]}09:30:00{'.000000000' if match[3] else ''}Z"


def _read_all(descriptor: int, into: list[bytes]) -> None:
    while True:
        try:
            piece = os.read(descriptor, 65_536)
        except OSError:  # Linux says EIO when the other end of a terminal is closed
            return
        if not piece:
            return
        into.append(piece)


def _write_program(path: Path, text: str) -> None:
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
