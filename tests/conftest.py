"""Run the command line, in this process or another, on stores of each engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from meta_audit import cli
from meta_audit.ingest.options import Limits
from meta_audit.record.signing_key import load_signing_key
from meta_audit.store.location import locate, shown
from meta_audit.store.opening import open_to_read
from tests.clusters import in_memory
from tests.engines import (
    Server,
    db_url,
    driver_of,
    empty_sqlite,
    new_db,
    postgres,
    postgres_own_url,
    postgres_url,
)
from tests.faults import export
from tests.forked import ForkServer
from tests.store_factory import factory

__all__ = [
    "db_url",
    "empty_sqlite",
    "factory",
    "new_db",
    "postgres",
    "postgres_own_url",
    "postgres_url",
]

ROOT: Final = Path(__file__).resolve().parents[1]
CORPUS: Final = ROOT / "../shared/corpus"
LONGEST: Final = (
    "lake",
    "faults",
    "postgres",
    "verify",
    "ingest",
    "sources",
    "docs",
    "store",
    "query",
)
"""Folders of tests, the longest first: a long module at the end would leave one worker idle."""


os.environ.setdefault("PYICEBERG_MAX_WORKERS", "1")  # the files are small, the processors busy
if memory := in_memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest folders first."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.parent.name, len(order)))


# A busy machine is no failure. `make faults` runs the same tests with --hypothesis-profile=long.
for profile, examples in (("gate", 50), ("long", 2_000)):
    settings.register_profile(
        profile,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("gate")


@dataclass(frozen=True)
class Result:
    """Exit code and output of a run of the program."""

    status: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """Parse the object that `--format json` printed."""
        return json.loads(self.out)


@contextmanager
def connected(db: Path | str) -> Iterator[sa.Connection]:
    """Connect to a store that exists, to read."""
    store = open_to_read(str(db))
    try:
        with store.engine.connect() as connection:
            yield connection
    finally:
        store.close()


class Audit:
    """One store, used through the command line."""

    def __init__(self, db: Path | str, capsys: pytest.CaptureFixture[str]) -> None:
        self.db = db
        self._capsys = capsys

    @property
    def shown(self) -> str:
        """Return the store's name as the program shows it."""
        return shown(locate(str(self.db)))

    @property
    def is_sqlite(self) -> bool:
        """Tell whether the store is a file."""
        return "://" not in str(self.db)

    def run(self, *arguments: str | Path, limits: Limits | None = None) -> Result:
        """Run the program in this process."""
        self._capsys.readouterr()
        status = cli.run([str(a) for a in (*arguments, "--db", self.db)], limits)
        return Result(status, *self._capsys.readouterr())

    def ingest(self, *arguments: str | Path, limits: Limits | None = None) -> Result:
        """Run `ingest --format json`."""
        return self.run("ingest", *arguments, "--format", "json", limits=limits)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        assert not self.is_sqlite or Path(self.db).exists()
        with closing(driver_of(self.db)) as driver:
            asked = sql if self.is_sqlite else sql.replace("%", "%%").replace("?", "%s")
            return [tuple(row) for row in driver.execute(asked, parameters).fetchall()]

    def tables(self) -> dict[str, export.Rows]:
        """Return the canonical rows of every table."""
        with connected(self.db) as connection:
            return export.tables(connection)

    def export(self) -> bytes:
        """Return the canonical export."""
        with connected(self.db) as connection:
            return export.export(connection)

    def faults(self) -> list[str]:
        """List the rows that differ from the kept bytes."""
        with connected(self.db) as connection:
            return export.faults(connection)

    def raw(self) -> dict[str, set[tuple[Any, ...]]]:
        """Return the rows of every table as they are."""
        with connected(self.db) as connection:
            return {
                name: {tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")}
                for name in sa.inspect(connection).get_table_names()
            }


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the user empty directories that hold only a signing key."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        for name in ("META_AUDIT_DB", "META_AUDIT_SIGNING_KEY", "META_AUDIT_DEBUG"):
            patch.delenv(name, raising=False)
        patch.setenv("PAGER", "")  # it would wait for a key
        load_signing_key()
        yield


@pytest.fixture
def audit(
    db_url: str, empty_sqlite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Audit:
    """Make an empty store on each engine; a test may not change its schema."""
    if "://" in db_url:
        return Audit(db_url, capsys)
    return Audit(Path(shutil.copy(empty_sqlite, tmp_path / "audit.db")), capsys)


@pytest.fixture
def another(
    request: pytest.FixtureRequest,
    audit: Audit,
    empty_sqlite: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Audit:
    """Make another empty store on the same engine."""
    if isinstance(audit.db, Path):
        return Audit(Path(shutil.copy(empty_sqlite, tmp_path / "another.db")), capsys)
    server: Server = request.getfixturevalue("postgres")
    return Audit(server.clean_store(1), capsys)


@pytest.fixture(params=["sqlite", "postgresql"])
def own(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Audit:
    """Make an empty store on each engine; a test may change its schema."""
    if request.param == "postgresql":
        return Audit(request.getfixturevalue("postgres_own_url"), capsys)
    empty: Path = request.getfixturevalue("empty_sqlite")
    return Audit(Path(shutil.copy(empty, tmp_path / "audit.db")), capsys)


@pytest.fixture
def file(empty_sqlite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Audit:
    """Make an empty store in an SQLite file."""
    return Audit(Path(shutil.copy(empty_sqlite, tmp_path / "audit.db")), capsys)


Program = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def program(tmp_path: Path, forks: ForkServer) -> Iterator[Program]:
    """Start the program as a process, and kill it at the end of the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(
        *arguments: str | Path, module: str = "meta_audit", **options: Any
    ) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)} | options.pop("env", {})
        if module == "meta_audit" and options.keys() <= {"stdin"}:
            stdin = options.get("stdin", subprocess.DEVNULL)
            number = stdin if isinstance(stdin, int) else stdin.fileno()
            forked = forks.start([str(a) for a in arguments], tmp_path, environment, number)
            started.append(forked)  # type: ignore[arg-type]
            return forked  # type: ignore[return-value]
        process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=environment,
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """Start the server that forks processes of the program."""
    with ForkServer(tmp_path_factory.mktemp("forked")) as server:
        yield server


@pytest.fixture(scope="session")
def forked_program(forks: ForkServer) -> Path:
    """Make a script that runs the program in a process of its own, without its start."""
    return forks.program


@pytest.fixture(scope="session")
def bacalhau_corpus() -> Path:
    """Find the real documents beside the repository."""
    return _beside("bacalhau")


@pytest.fixture(scope="session")
def json_test_suite() -> Path:
    """Find the files of JSONTestSuite."""
    return _beside("json-test-suite/test_parsing")


@pytest.fixture(scope="session")
def naughty_strings() -> list[str]:
    """Read two lists of strings that break programs."""
    folder = _beside("naughty-strings")
    strings = json.loads((folder / "blns.json").read_text("utf-8"))
    whole = (folder / "bad_strings_full.txt").read_bytes().decode("utf-8", "replace")
    return [*strings, *whole.split("\n")]


def _beside(name: str) -> Path:
    path = CORPUS / name
    if not path.exists():
        pytest.skip(f"the corpus {name} is not beside the repository")
    return path
