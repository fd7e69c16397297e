"""A lake keeps the bytes of an entry only where its other tables do not give them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("pyiceberg", reason="needs the extra `lake`")

import pyarrow as pa
import pyarrow.parquet as pq

from meta_audit.errors import StoreError
from meta_audit.lake.catalog import Lake
from meta_audit.lake.compact import compact
from meta_audit.lake.trace import job_rows
from meta_audit.ledger.entry import encode_entry
from meta_audit.ledger.merkle import leaf_hash
from tests.conftest import Audit
from tests.faults.documents import write_folder
from tests.ingest.again import another_parser, reread
from tests.lake import lakes
from tests.lake.test_tables import misread


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("entries") / "documents", 160, 5)


def _check(audit: Audit, lake: Path) -> dict[int, bytes | None]:
    """Compare all leaves with those of the store; return the bytes that the lake keeps."""
    leaves = {
        index: bytes(leaf)
        for index, leaf in audit.rows("SELECT entry_index, leaf_hash FROM ledger_entries")
    }
    found = {index: leaf_hash(encode_entry(one)) for index, one in lakes.entries(lake).items()}
    assert found == leaves
    rows = Lake(str(lake), None, make=False).table("entries").scan().to_arrow().to_pylist()
    assert len(rows) == len(leaves)
    return {row["entry_index"]: row["entry"] for row in rows}


def test_rows_give_the_entries(audit: Audit, folder: Path, tmp_path: Path) -> None:
    audit.ingest(folder)
    lakes.sync(audit.db, tmp_path / "lake", step=70)
    kept = _check(audit, tmp_path / "lake")
    accepted = audit.rows("SELECT count(*) FROM observations")[0][0]
    assert [*kept.values()].count(None) > 0.8 * accepted


def test_what_was_read_again_is_kept(audit: Audit, folder: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    with another_parser(misread):
        audit.ingest(folder / "a.ndjson")
    lakes.sync(audit.db, lake)
    assert reread(str(audit.db)).counts.reread > 3
    old = {row[0] for row in audit.rows("SELECT supersedes FROM readings")}
    lakes.sync(audit.db, lake, step=9)
    kept = _check(audit, lake)
    assert all(kept[index] for index in old)
    assert lakes.verify(lake).damages == ()
    files = lakes.named_files(lake)
    lakes.sync(audit.db, lake)
    assert len(lakes.named_files(lake)) == len(files)


def test_damage_is_named_with_the_help_of_the_document(
    audit: Audit, folder: Path, tmp_path: Path
) -> None:
    audit.ingest(folder / "a.ndjson")
    lake = tmp_path / "lake"
    lakes.sync(audit.db, lake)
    for table in ("v_meta", "v_tasks", "v_attributions", "v_versions", "v_uses", "entries"):
        (file,) = (path for path in lakes.data_files(lake) if table == path.parent.parent.name)
        with lakes.mutated(file, random.Random(2)) as what:
            damages = lakes.verify(lake).damages
            assert {one.table for one in damages if file.name in one.file} == {table}, what
            if table != "entries":
                assert not any("root" in one.detail for one in damages), what
    assert lakes.verify(lake).damages == ()


def test_an_entry_that_nothing_gives_any_longer_is_named(
    audit: Audit, folder: Path, tmp_path: Path
) -> None:
    """Where a document stood in its file only its row says."""
    audit.ingest(folder / "a.ndjson")
    lake = tmp_path / "lake"
    lakes.sync(audit.db, lake)
    (file,) = (path for path in lakes.data_files(lake) if "v_observations" in str(path))
    table = pq.read_table(file)
    at = table.column_names.index("line")
    lines = pa.array([line + 1 for line in table.column("line").to_pylist()], pa.int64())
    pq.write_table(table.set_column(at, table.schema.field(at), lines), file)
    damages = lakes.verify(lake).damages
    assert damages[0].detail.startswith("entry 0: where it was seen, or")
    assert file.name in damages[0].file
    assert any("do not give the root of their checkpoint" in one.detail for one in damages)
    (kept,) = (path for path in lakes.data_files(lake) if "documents" in str(path))
    table = pq.read_table(kept)
    at = table.column_names.index("content")
    other = pa.array([b"{}"] * table.num_rows, table.schema.field(at).type)
    pq.write_table(table.set_column(at, table.schema.field(at), other), kept)
    damages = lakes.verify(lake).damages
    assert "do not give its leaf, nor does its document" in damages[0].detail
    assert any("root of their checkpoint: entry 0 is not known" in one.detail for one in damages)


def test_a_lake_of_another_form_is_refused(audit: Audit, folder: Path, tmp_path: Path) -> None:
    audit.ingest(folder / "a.ndjson")
    lake = tmp_path / "lake"
    lakes.sync(audit.db, lake)
    opened = Lake(str(lake), None, make=False)
    for name in ("entries", "v_jobs"):
        with opened.table(name).transaction() as change:
            change.remove_properties("meta-audit.form")
    opened._catalog.drop_table(("meta_audit", "job_numbers"))
    for act in (
        lambda: lakes.sync(audit.db, lake),
        lambda: lakes.verify(lake),
        lambda: compact(opened, lambda *_: None),
        lambda: opened.drop_old(1),
        lambda: job_rows(opened, "j-1"),
    ):
        with pytest.raises(StoreError, match="has form 1, not 2"):
            act()
