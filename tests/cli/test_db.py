"""`meta-audit db`: where the store is, and its schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from meta_audit import cli
from meta_audit.schema import HEAD
from tests.conftest import Audit
from tests.store_factory import administrator


def test_path(audit: Audit) -> None:
    result = audit.run("db", "path")
    assert (result.status, result.out) == (0, f"{audit.shown}\n")


def test_default_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("META_AUDIT_DB", raising=False)
    assert cli.run(["db", "path"]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/meta-audit/audit.db\n"
    assert not list(tmp_path.iterdir())


def test_upgrade_of_the_newest_does_nothing(audit: Audit) -> None:
    result = audit.run("db", "upgrade")
    assert (result.status, result.out) == (0, f"{audit.shown} has schema {HEAD}: nothing to do.\n")


def test_upgrade_from_nothing_that_is_ours(own: Audit) -> None:
    with administrator(own.db) as one:
        one.run("DELETE FROM meta_audit_version")
    assert own.run("db", "upgrade").status == 4


def test_a_name_with_escapes_stays_text(audit: Audit, tmp_path: Path) -> None:
    name = "\x1b[31mred"
    is_file = isinstance(audit.db, Path)
    audit.db = tmp_path / f"{name}.db" if is_file else audit.db.replace("/meta_audit", f"/{name}")
    for result in (audit.run("db", "path"), audit.run("find"), audit.run("ingest", tmp_path)):
        assert "\x1b" not in result.out + result.err


def test_a_wrong_url(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["find", "--db", "oracle://host/x"]) == 2
    assert "Error: " in capsys.readouterr().err
