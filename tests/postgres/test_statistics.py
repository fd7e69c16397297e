"""PostgreSQL knows how many rows there are, as soon as an import or a copy has ended."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bench.generate import Generator
from meta_audit import cli
from meta_audit.ingest.run import FEW_JOBS
from tests.conftest import Audit

ESTIMATE = "SELECT reltuples FROM pg_class WHERE oid = 'jobs'::regclass"


def write(path: Path, first: int, count: int) -> Path:
    documents = Generator(1).documents(first, count)
    path.write_text("\n".join(documents) + "\n")
    return path


def test_after_an_import_that_doubled_the_store(
    postgres_own_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = Audit(postgres_own_url, capsys)
    few = FEW_JOBS + 1
    audit.ingest(write(tmp_path / "few.ndjson", 0, few - 1))
    assert audit.rows(ESTIMATE)[0][0] <= 0
    audit.ingest(write(tmp_path / "many.ndjson", few, 2 * few))
    known = audit.rows(ESTIMATE)[0][0]
    assert known == pytest.approx(few - 1 + 2 * few, rel=0.01)
    audit.ingest(write(tmp_path / "more.ndjson", 3 * few, few))
    assert audit.rows(ESTIMATE)[0][0] == known


def test_after_a_copy(
    postgres_own_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "audit.db"
    Audit(file, capsys).ingest(write(tmp_path / "some.ndjson", 0, 200))
    audit = Audit(postgres_own_url, capsys)
    assert cli.run(["db", "copy", str(file), str(audit.db)]) == 0
    assert audit.rows(ESTIMATE) == [(200,)]


def test_the_statistics_of_a_file_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit = Audit(tmp_path / "audit.db", capsys)
    audit.ingest(write(tmp_path / "few.ndjson", 0, 10))
    made = statistics(audit)
    audit.ingest(write(tmp_path / "many.ndjson", 10, 2 * FEW_JOBS))
    assert statistics(audit) == made


def statistics(audit: Audit) -> set[tuple[str, ...]]:
    with sqlite3.connect(audit.db) as connection:
        return set(connection.execute("SELECT tbl, idx, stat FROM sqlite_stat1"))
