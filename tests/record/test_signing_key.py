"""The signing key: made once, at its default path, and nowhere else."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from meta_audit.errors import StoreError
from meta_audit.record.runs import actor
from meta_audit.record.signing_key import load_signing_key
from tests.conftest import Audit
from tests.ingest.documents import compact, job


def test_the_default_key_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    key, made = load_signing_key()
    assert made == tmp_path / "meta-audit" / "signing.key"
    assert load_signing_key() == (key, None)


def test_a_mistyped_key_makes_nothing(
    audit: Audit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "typo" / "signing.key"
    monkeypatch.setenv("META_AUDIT_SIGNING_KEY", str(path))
    (tmp_path / "a.json").write_bytes(compact(job()))
    result = audit.ingest(tmp_path / "a.json")
    assert result.status == 4
    assert f"META_AUDIT_SIGNING_KEY names {path}, which does not exist" in result.err
    assert not path.parent.exists()
    assert audit.rows("SELECT * FROM imports") == []
    if audit.is_sqlite:
        audit.db = tmp_path / "none.db"
        assert audit.ingest(tmp_path / "a.json").status == 4
        assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("given", ["", "~/signing.key", "~nobody-here/signing.key"])
def test_no_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    monkeypatch.setenv("META_AUDIT_SIGNING_KEY", given)
    with pytest.raises(StoreError, match="no home directory") as raised:
        load_signing_key()
    assert "META_AUDIT_SIGNING_KEY" in raised.value.advice
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", fail)
    assert actor().startswith(f"{os.getuid()}@")


def test_a_name_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", os.fsdecode(b"al\xffice"))
    assert actor().startswith("al\\udcffice@")
