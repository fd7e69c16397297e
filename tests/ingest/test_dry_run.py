"""A dry run counts what the import after it does, and leaves no trace."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from meta_audit.cli.progress import ImportReporter
from meta_audit.ingest.dry_run import dry_run
from meta_audit.ingest.options import Limits, Options
from meta_audit.ingest.result import Counts
from meta_audit.sources import find
from tests.conftest import Audit
from tests.faults.documents import write_folder
from tests.ingest.documents import compact, job
from tests.record.test_model import Documents

SMALL = Limits(chunk_documents=20, training_bytes=1)


def dry(audit: Audit, *paths: Path, **options: object) -> Counts:
    return dry_run(str(audit.db), find([*map(str, paths)]), ImportReporter(), Options(limits=SMALL))


def counted(counts: Counts) -> dict[str, object]:
    return {
        name: dict(v) if name in ("reasons", "findings") else v for name, v in vars(counts).items()
    }


def must_foretell(audit: Audit, *paths: Path) -> None:
    before = audit.raw()
    foretold = counted(dry(audit, *paths))
    assert audit.raw() == before
    done = audit.ingest(*paths).summary
    assert foretold == {name: done[name] for name in foretold}


def test_it_foretells_an_import(audit: Audit, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "documents", 300, 5)
    must_foretell(audit, folder / "small", folder / "a.ndjson")
    must_foretell(audit, folder, tmp_path / "missing.json")
    must_foretell(audit, folder)


@pytest.mark.parametrize("seed", [3, 4])
def test_it_foretells_few_jobs_in_many_documents(audit: Audit, tmp_path: Path, seed: int) -> None:
    documents, chance = Documents(seed), random.Random(seed)
    for step in range(4):
        paths = []
        for number in range(chance.randrange(1, 4)):
            paths.append(tmp_path / f"{step}-{number}.ndjson")
            paths[-1].write_bytes(b"\n".join(documents.some(60)) + b"\n")
        must_foretell(audit, *paths)


def test_no_store_is_made(file: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    file.db = tmp_path / "new" / "audit.db"
    (tmp_path / "a.json").write_bytes(compact(job()))
    assert dry(file, tmp_path / "a.json").new == 1
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "config").exists()
