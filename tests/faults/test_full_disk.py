"""Full disks in the short form; `make faults` tries more sizes."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults import recovery
from tests.faults.full_disk import Trial, cannot_mount, disk, remount


@pytest.fixture(autouse=True)
def _mounts() -> None:
    if why := cannot_mount():
        pytest.skip(why)


def test_a_disk_that_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))  # which the trial sets
    with closing(Trial(tmp_path, documents=400)) as trial:
        outcomes = [trial.try_(size) for size in (200, 1_000, 2_000)]
    assert [o.problems for o in outcomes] == [(), (), ()]
    assert [o.status for o in outcomes] == [4, 4, 4]
    assert outcomes[0].entries == 0 < outcomes[1].entries < outcomes[2].entries


def test_a_disk_that_is_read_only(tmp_path: Path, empty_sqlite: Path) -> None:
    with disk(tmp_path / "disk", 2_000) as folder:
        shutil.copy(empty_sqlite, folder / "audit.db")
        remount(folder, "ro")
        assert recovery.verify(folder / "audit.db").status == 0
        assert [path.name for path in folder.iterdir()] == ["audit.db"]
