"""The stores of these tests, on each engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import Audit
from tests.engines import Server


@pytest.fixture
def audit(
    db_url: str, empty_sqlite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Audit:
    """An empty store."""
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
    """Another empty store, of the same engine."""
    if isinstance(audit.db, Path):
        return Audit(Path(shutil.copy(empty_sqlite, tmp_path / "another.db")), capsys)
    server: Server = request.getfixturevalue("postgres")
    return Audit(server.clean_store(1), capsys)
