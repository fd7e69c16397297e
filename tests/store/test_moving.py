"""A store copied into another engine and back is the same store; a backup is a store."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

import meta_audit
from meta_audit.errors import UsageError
from tests.conftest import ROOT, Audit
from tests.engines import Server


@pytest.fixture
def filled(audit: Audit) -> Audit:
    """A store of the examples, of one more import that found nothing new, and of a retry."""
    assert audit.ingest(ROOT / "examples").status == 1
    assert audit.ingest(ROOT / "examples").status == 0
    audit.run("rejections", "retry", "--coerce-scalars")
    return audit


def moved(audit: Audit, to: Path | str, capsys: pytest.CaptureFixture[str]) -> Audit:
    copy = Audit(to, capsys)
    result = audit.run("db", "path")
    assert result.status == 0
    from meta_audit import cli

    assert cli.run(["db", "copy", str(audit.db), str(to)]) == 0
    assert "The copy is intact" in capsys.readouterr().out
    return copy


def test_to_postgresql_and_to_sqlite_is_the_same_store(
    filled: Audit, postgres: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on_postgres = moved(filled, postgres.clean_store(1), capsys)
    back = moved(on_postgres, tmp_path / "back.db", capsys)
    if isinstance(filled.db, Path):
        assert filled.raw() == back.raw()
    assert filled.export() == on_postgres.export() == back.export()
    assert on_postgres.faults() == []
    assert on_postgres.ingest(ROOT / "examples").summary["unchanged"] > 0
    assert on_postgres.run("verify").status == 0


def test_a_copy_into_a_store_that_holds_something_is_refused(
    filled: Audit, another: Audit, capsys: pytest.CaptureFixture[str]
) -> None:
    from meta_audit import cli

    another.ingest(ROOT / "examples")
    before = another.raw()
    assert cli.run(["db", "copy", str(filled.db), str(another.db)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert another.raw() == before


def test_a_copy_that_fails_leaves_nothing(filled: Audit, another: Audit) -> None:
    from meta_audit.store.opening import open_to_read, open_to_write
    from meta_audit.store.transfer import copy

    def fail(table: str, rows: int) -> None:
        if table == "job_versions":
            raise RuntimeError(f"stopped after {rows} rows")

    before = another.raw()
    source, target = open_to_read(str(filled.db)), open_to_write(str(another.db))
    with pytest.raises(RuntimeError, match="stopped"):
        copy(source, target, fail)
    source.close()
    target.close()
    assert another.raw() == before


def test_only_a_file_is_backed_up(postgres_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = Audit(postgres_url, capsys).run("db", "backup", "copy.db")
    assert result.status == 2
    assert "Use pg_dump" in result.err


def test_a_backup_is_a_store_and_its_name_must_be_free(
    file: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.ingest(ROOT / "examples")
    path = tmp_path / "backup.db"
    assert file.run("db", "backup", path).status == 0
    copy = Audit(path, capsys)
    assert copy.raw() == file.raw()
    assert path.stat().st_mode & 0o777 == 0o600, "others may not read a store"
    assert copy.run("verify").status == 0
    again = file.run("db", "backup", path)
    assert again.status == 2
    assert "exists" in again.err
    nowhere = file.run("db", "backup", tmp_path / "none" / "backup.db")
    assert nowhere.status == 4
    long = file.run("db", "backup", tmp_path / ("b" * 250))
    assert (long.status, "name another file" in long.err) == (4, True)
    with meta_audit.open(file.db) as store:
        for name in ("", "a\0b"):
            with pytest.raises(UsageError, match="no name of a file"):
                store.backup(name)
    assert not list(tmp_path.glob("**/*.partial*"))


def test_a_backup_is_taken_while_another_writes(
    file: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.ingest(ROOT / "examples")
    writer = sqlite3.connect(file.db, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO compression_dictionaries VALUES (99, x'00')")
    assert file.run("db", "backup", tmp_path / "backup.db").status == 0
    writer.execute("ROLLBACK")
    writer.close()
    assert Audit(tmp_path / "backup.db", capsys).run("verify").status == 0
