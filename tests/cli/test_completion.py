"""Completion: what each shell is offered, from the store and without it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from meta_audit import cli
from tests.cli.test_startup import DATABASES, HEAVY, imported
from tests.conftest import Audit

OF_ORCHESTRATOR = {
    "Name": "n",
    "Type": "batch",
    "Tasks": [{"Name": "t"}],
    "State": {"StateType": "Completed"},
    "Revision": 2,
    "CreateTime": 1_700_000_000_000_000_000,
}
JOBS = (
    {
        "ID": "j-aa1",
        "Namespace": "default",
        "Meta": {"team": "ops", "bacalhau.org/client.id": "c-1"},
    },
    {"ID": "j-aa2", "Namespace": "dev", "Meta": {"team": "$(touch harm)", "a=b": "x"}},
    {"ID": "j-bb3", "Namespace": "dev", "Meta": {"team": "oak", "step": "1 2"}},
)


@pytest.fixture
def offered(audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Return a function that gives what bash would be offered."""
    lines = [json.dumps(OF_ORCHESTRATOR | job) for job in JOBS]
    (tmp_path / "jobs.ndjson").write_text("\n".join(lines))
    assert audit.ingest(tmp_path / "jobs.ndjson").status == 0
    monkeypatch.setenv("_META_AUDIT_COMPLETE", "bash_complete")
    monkeypatch.setenv("META_AUDIT_DB", str(audit.db))
    monkeypatch.setattr("meta_audit.cli.complete.SECONDS", 20.0)

    def offered(line: str, breaks: str = "=:") -> list[str]:
        monkeypatch.setenv("COMP_LINE", f"meta-audit {line}")
        monkeypatch.setenv("COMP_BREAKS", breaks)
        capsys.readouterr()
        with pytest.raises(SystemExit):
            cli.run([])
        out, err = capsys.readouterr()
        assert err == ""
        return [item.partition(",")[2] for item in out.splitlines() if item]

    return offered


def test_what_is_offered(offered, tmp_path: Path) -> None:
    assert offered("trace j-a") == ["j-aa1", "j-aa2"]
    assert set(offered("document ")) == {"j-aa1", "j-aa2", "j-bb3"}
    assert offered("find te") == ["team="]
    assert offered("find team=o") == ["oak", "ops"]
    assert offered("find team=o", breaks=" ") == ["team=oak", "team=ops"]
    assert offered("find 'team=o") == ["oak", "ops"]
    assert offered("find team=$") == []
    assert offered("find a") == []
    assert offered("find cl") == ["client:"]
    assert offered("find 'client:") == ["c-1"]
    assert offered("find client:c", breaks="=") == ["client:c-1"]
    assert offered("find state:Com") == ["Completed", "CompletedPartially"]
    assert offered("find label:t") == ["team="]
    assert offered("find step=1") == []
    assert offered("trace j-aa1 --namespace ") == ["default", "dev"]
    assert offered("trace --namespace de") == ["default", "dev"]
    assert offered("find --client ") == ["c-1"]
    assert offered("find --requester c") == []
    assert offered("export --columns step,te") == ["step,team"]
    assert offered("rejections list --reason meta.not") == ["meta.not_string"]
    assert "--columns" in offered("export --c")
    missing = tmp_path / "missing.db"
    for db in (missing, tmp_path / "jobs.ndjson", tmp_path, "postgresql://nobody@127.0.0.1:1/x"):
        assert offered(f"trace --db {db} j-") == []
    assert not missing.exists()


def test_only_the_driver_is_imported(empty_sqlite: Path) -> None:
    modules, _ = imported(
        _META_AUDIT_COMPLETE="bash_complete",
        COMP_LINE=f"meta-audit trace --db {empty_sqlite} j-",
    )
    assert "sqlite3" in modules
    assert not modules & (HEAVY | DATABASES - {"sqlite3"})


def test_scripts_are_installed_and_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SHELL", "/bin/unknown")
    assert cli.run(["completion", "install"]) == 2
    assert list(tmp_path.iterdir()) == []
    for shell in ("bash", "zsh", "fish"):
        assert cli.run(["completion", "install", shell]) == 0
        monkeypatch.setenv("SHELL", f"/bin/{shell}")
        capsys.readouterr()
        assert cli.run(["completion", "show"]) == 0
        out = capsys.readouterr().out
        (file,) = (
            f for f in tmp_path.rglob("*meta-audit*") if f.is_file() and f.read_text() == out
        )
        program = shutil.which(shell)
        if program:
            subprocess.run([program, "-n", file], check=True, capture_output=True)
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    program = tmp_path / "meta-audit"
    program.write_text("#!/bin/sh\nprintf 'plain,a b\\nplain,team=\\n'\n")
    program.chmod(0o755)
    script = tmp_path / "data/bash-completion/completions/meta-audit"
    test = f"""
        source {script}
        COMP_LINE="meta-audit find te" COMP_POINT=18
        _meta_audit_completion {program} 2>/dev/null
        printf '%s|' "${{COMPREPLY[@]}}"
        complete -p meta-audit"""
    done = subprocess.run(
        [bash, "--norc", "-c", test], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.startswith("a b|team=|")
    assert "-F _meta_audit_completion meta-audit" in done.stdout
