"""A PostgreSQL server, and documents of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.documents import write_folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind of source, some documents broken and some repeated."""
    return write_folder(tmp_path_factory.mktemp("sources") / "documents", 600, seed=7)
