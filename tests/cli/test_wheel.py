"""The wheel, installed elsewhere: it carries the migrations, and works from any directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from meta_audit import __version__
from tests.conftest import ROOT

PARTS = ("meta_audit", "migrations", "pyproject.toml", "README.md", "LICENSE")
"""What a wheel is made of."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing of a former build gets in."""
    missing = [name for name in ("build", "hatchling") if not find_spec(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    work = tmp_path_factory.mktemp("wheel")
    ignore = shutil.ignore_patterns("__pycache__")
    for part in PARTS:
        path = ROOT / part
        if path.is_dir():
            shutil.copytree(path, work / part, ignore=ignore)
        else:
            shutil.copy(path, work / part)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", work, work]
    subprocess.run(command, check=True, capture_output=True)
    return next(work.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel alone; the dependencies are lent by this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    paths = {name: str(folder) for name in ("base", "platbase", "installed_base")}
    site = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin/python")
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", wheel],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "lent.pth").write_text("\n".join(sorted(lent)))
    return folder


def run(environment: Path, cwd: Path, *command: str) -> subprocess.CompletedProcess[str]:
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [environment / "bin" / command[0], *command[1:]],
        cwd=cwd,
        env={**variables, "XDG_DATA_HOME": str(cwd / "data")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_the_wheel_holds(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "meta_audit").rglob("*.py"):
        assert str(path.relative_to(ROOT)) in names
    for path in (ROOT / "migrations").rglob("*.py"):
        assert f"meta_audit/{path.relative_to(ROOT)}" in names
    assert "meta_audit/py.typed" in names
    outside = {name for name in names if not name.startswith("meta_audit")}
    assert not outside
    assert not {name for name in names if "__pycache__" in name or name.endswith(".pyc")}


def test_ingest_and_trace_from_elsewhere(environment: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    where = run(environment, tmp_path, "python", "-c", "import meta_audit as m; print(m.__file__)")
    assert where.stdout.startswith(str(environment)), where
    ingested = run(environment, tmp_path, "meta-audit", "ingest", "examples", "--format", "json")
    assert ingested.returncode == 1, ingested.stderr
    assert ingested.stderr.startswith(f"New store: {tmp_path}/data/meta-audit/audit.db\n")
    assert json.loads(ingested.stdout)["new"] > 5
    found = run(environment, tmp_path, "python", "-m", "meta_audit", "find", "--format", "json")
    job_id = json.loads(found.stdout)["jobs"][0]["job_id"]
    traced = run(environment, tmp_path, "meta-audit", "trace", job_id, "--format", "json")
    assert traced.returncode == 0, traced.stderr
    assert json.loads(traced.stdout)["job"]["job_id"] == job_id
    current = run(environment, tmp_path, "meta-audit", "db", "upgrade")
    assert "nothing to do" in current.stdout


def test_both_ways_to_start(environment: Path, tmp_path: Path) -> None:
    for command in (("meta-audit",), ("python", "-m", "meta_audit")):
        shown = run(environment, tmp_path, *command, "--version")
        assert shown.stdout == f"meta-audit, version {__version__}\n"
        assert run(environment, tmp_path, *command, "no-such").returncode == 2
