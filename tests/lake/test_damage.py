"""A lake with files that are damaged or gone says so, and never more or less than it holds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("pyiceberg", reason="needs the extra `lake`")

from meta_audit import cli
from meta_audit.errors import StoreError
from meta_audit.lake.catalog import Lake
from meta_audit.lake.tables import NUMBERS
from tests.ingest.documents import compact
from tests.ingest.documents import job as job_of
from tests.lake import lakes

JOB = job_of(1)["ID"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with one job."""
    folder = tmp_path_factory.mktemp("damage")
    (folder / "job.json").write_bytes(compact(job_of(1)))
    cli.run(["-q", "ingest", str(folder / "job.json"), "--db", str(folder / "audit.db")])
    lakes.sync(folder / "audit.db", folder / "lake")
    return folder / "lake"


@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "noise"])
@pytest.mark.parametrize("table", [NUMBERS, "v_jobs"])
def test_what_cannot_be_read_is_named(
    lake: Path, table: str, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(harm)
    for file in lakes.files_of_iceberg(lake, table):
        with lakes.harmed(file, harm, chance):
            for command in (["trace", str(lake), JOB], ["verify", str(lake)]):
                assert cli.run(["lake", *command]) == cli.Exit.STORE, (command, file)
                said = capsys.readouterr().err
                named = (file.name, f"{table} of the lake")
                assert any(name in said for name in named), said
                assert "from a copy" in said


def test_what_is_damaged_stays_so(lake: Path) -> None:
    opened = Lake(str(lake), None, make=False)
    _, listed, manifest, *_ = lakes.files_of_iceberg(lake, "v_jobs")
    for file in (listed, manifest):
        with lakes.harmed(file, "cut", random.Random(1)):
            for _ in range(2):
                with pytest.raises(StoreError, match=file.name):
                    opened.table("v_jobs")
    assert opened.table("v_jobs")


def test_find_names_what_it_cannot_read(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in lakes.files_of_iceberg(lake, "v_jobs"):
        with lakes.harmed(file, "noise", random.Random(1)):
            assert cli.run(["lake", "find", str(lake), "state:Completed"]) == cli.Exit.STORE
            assert "cannot" in capsys.readouterr().err


def test_a_catalog_that_is_none(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lakes.harmed(lake / "catalog.db", "noise", random.Random(1)):
        for command in (["trace", str(lake), JOB], ["verify", str(lake)]):
            assert cli.run(["lake", *command]) == cli.Exit.STORE
            assert "file is not a database" in capsys.readouterr().err


def test_other_bits_never_end_in_an_internal_error(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(3)
    for file in lakes.files_of_iceberg(lake, "v_jobs") * 6:
        with lakes.harmed(file, "bit", chance):
            for command in (["trace", str(lake), JOB], ["verify", str(lake)]):
                assert cli.run(["lake", *command]) != cli.Exit.INTERNAL, capsys.readouterr()
