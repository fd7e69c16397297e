"""`ingest --dry-run`: the same counts as an import, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Audit

JOB = '{"ID": "j-%d", "Meta": {"team": "a"}, "Tasks": [{"Name": "t"}]}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two jobs, a rejection and a file that is no document."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.ndjson").write_text(JOB % 1 + JOB % 2 + (JOB % 3).replace('"a"', "1"))
    (tmp_path / "in/a.bin").write_bytes(b"\0\1")
    return tmp_path / "in"


def test_nothing_is_made(tmp_path: Path, file: Audit, folder: Path) -> None:
    file.db = tmp_path / "new" / "audit.db"
    result = file.ingest(folder, "--dry-run")
    assert result.status == 1
    assert not file.db.parent.exists()
    assert result.out.count("\n") == 1
    shape = result.summary
    assert shape["format"] == "meta-audit/dry-run/1"
    assert (shape["documents"], shape["new"], shape["rejected"]) == (3, 2, 1)
    assert (shape["skipped"], shape["reasons"]) == (1, {"meta.not_string": 1})
    assert file.ingest(tmp_path / "no.json", "--dry-run").status == 3
    assert not file.db.parent.exists()


def test_the_counts_are_those_of_the_import(audit: Audit, folder: Path) -> None:
    (folder / "b.ndjson").write_text(JOB % 7)
    audit.ingest(folder / "b.ndjson")
    before = audit.raw()
    dry = audit.ingest(folder, "--dry-run").summary
    assert audit.raw() == before
    real = audit.ingest(folder).summary
    assert dry.pop("format") == "meta-audit/dry-run/1"
    assert {name: real[name] for name in dry} == dry
    assert (dry["unchanged"], dry["new"]) == (1, 2)


def test_text(file: Audit, folder: Path) -> None:
    lines = file.run("ingest", folder, "--dry-run", "--coerce-scalars").out.splitlines()
    assert lines[:2] == [
        "Dry run: 3 documents from 1 source. Nothing was written.",
        "  3 new, 0 changed, 0 unchanged, 0 rejected",
    ]
    assert "  finding meta.coerced: 1" in lines
    assert json.loads(file.ingest(folder, "--dry-run", "--coerce-scalars").out)["new"] == 3
