"""What start-up imports: nothing that a command does not need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Audit

HEAVY = {"sqlalchemy", "alembic", "orjson", "msgspec", "rich", "cryptography", "zstandard", "yaml"}
DATABASES = {"sqlite3", "psycopg"}
WRITERS = {
    "alembic",
    "rich.progress",
    "meta_audit.parse",
    "meta_audit.decode",
    "meta_audit.ingest",
    "meta_audit.record.writer",
    "meta_audit.sources",
    "yaml",
}
REPORT = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, sep="\\n", file=sys.__stderr__))
from meta_audit.cli import main
main()
"""


def imported(*arguments: str | Path, **environment: str) -> tuple[set[str], str]:
    """Every module that a command imports, and what it prints."""
    process = subprocess.run(
        [sys.executable, "-c", REPORT, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(process.stderr.split()), process.stdout


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("--version",), ()], ids=" ".join)
def test_help_and_version(arguments: tuple[str, ...]) -> None:
    if arguments:
        modules, out = imported(*arguments)
        assert out
    else:
        modules, _ = imported(_META_AUDIT_COMPLETE="bash_source")
    assert "meta_audit.cli" in modules
    assert not modules & (HEAVY | DATABASES)


def test_completion_of_commands() -> None:
    modules, out = imported(
        _META_AUDIT_COMPLETE="bash_complete", COMP_WORDS="meta-audit ", COMP_CWORD="1"
    )
    assert "plain,ingest" in out
    assert not modules & (HEAVY | DATABASES)


def test_completion_of_options() -> None:
    modules, out = imported(
        _META_AUDIT_COMPLETE="bash_complete", COMP_WORDS="meta-audit trace --", COMP_CWORD="2"
    )
    assert "plain,--db" in out
    assert not modules & (HEAVY | DATABASES)


def test_help_of_the_commands_in_a_line_each() -> None:
    _, out = imported("--help")
    for name in ("ingest", "trace", "find", "document", "rejections", "db"):
        assert f"\n  {name} " in out


def test_reading_imports_nothing_that_writes(audit: Audit) -> None:
    audit.ingest(ROOT / "examples")
    job_id = audit.rows("SELECT job_id FROM jobs WHERE job_id LIKE 'j-%'")[0][0]
    modules, out = imported("trace", job_id, "--db", audit.db)
    assert job_id in out
    assert "sqlalchemy" in modules
    assert not modules & WRITERS
    assert not {name for name in modules if name.startswith("sqlalchemy.orm")}


def test_ingest_imports_no_alembic_when_the_store_is_there(audit: Audit) -> None:
    modules, _ = imported("ingest", ROOT / "examples/v1.1-job.json", "--db", audit.db)
    assert not modules & {"alembic", "rich"}
