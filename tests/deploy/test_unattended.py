"""What stands in deploy/ is run as far as one machine can, and docs/deploy.md is true."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from meta_audit.query.metrics import OUTCOMES, StoreMetrics
from meta_audit.render.exposition import ServerMetrics, exposition
from tests.conftest import ROOT
from tests.pull.orchestrator import Orchestrator, serving

DEPLOY = ROOT / "deploy"
PROGRAM = f"{shlex.quote(sys.executable)} -m meta_audit"
EXAMPLES = str(ROOT / "examples")


@pytest.fixture
def home(tmp_path: Path, forked_program: Path) -> Path:
    """An empty home directory, which stands for every directory that deploy/ names."""
    (tmp_path / "home").mkdir()
    (tmp_path / "meta-audit").symlink_to(forked_program)
    return tmp_path / "home"


def here(text: str, home: Path, program: str = "") -> str:
    """Put this machine's places for those that a file names."""
    program = program or shlex.quote(str(home.parent / "meta-audit"))
    for path in ("/var/lib/meta-audit", "/srv/audit", "/data"):
        text = text.replace(path, str(home))
    text = re.sub(r"/srv/bacalhau/jobs(/\{\{ ds \}\})?", EXAMPLES, text)
    text = text.replace("/opt/meta-audit/bin/meta-audit", program)
    return re.sub(r"(?<![\w/.-])meta-audit (?=[-a-z])", f"{program} ", text)


def shell(command: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return subprocess.run(
        ["sh", "-c", command],
        env={**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = []
    for unit in sorted((DEPLOY / "systemd").glob("meta-audit*")):
        copy = tmp_path / unit.name
        text = unit.read_text().replace("/opt/meta-audit/bin/meta-audit", "/bin/true")
        copy.write_text(text)
        units.append(str(copy))
    assert len(units) == 3
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in checked.stderr.splitlines() if "meta-audit" in line]
    assert ours == []


def test_services_that_share_a_directory_share_a_user() -> None:
    """Systemd gives the directory to the dynamic user of the unit that starts last."""
    owners = {
        tuple(re.findall(r"^(?:StateDirectory|User)=(.*)$", unit.read_text(), re.MULTILINE))
        for unit in (DEPLOY / "systemd").glob("*.service")
    }
    assert owners == {("meta-audit", "meta-audit")}


def test_a_systemd_service_runs_with_its_configuration(home: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(here((DEPLOY / "systemd" / "config.toml").read_text(), home))
    unit = (DEPLOY / "systemd" / "meta-audit-ingest.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    ran = shell(here(command, home), home, META_AUDIT_CONFIG=str(config))
    assert ran.returncode == 1, ran.stderr  # the examples have broken documents
    assert "SuccessExitStatus=1" in unit
    assert (home / "audit.db").exists()
    assert "meta_audit_open_rejections 2" in (home / "ingest.prom").read_text()


def test_the_watching_service_follows(home: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(here((DEPLOY / "systemd" / "config.toml").read_text(), home))
    unit = (DEPLOY / "systemd" / "meta-audit-pull.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    with serving(Orchestrator("v1.9")) as url:
        command = command.replace("${ORCHESTRATOR}", url).replace("60s", "1s")
        command = here(command, home, PROGRAM)  # it gets a signal
        written = home / "pull.prom"
        until = f"for _ in $(seq 600); do test -s {written} && break; sleep 0.1; done"
        followed = f"{command} & {until}; kill -TERM $!; wait $!"
        ran = shell(followed, home, META_AUDIT_CONFIG=str(config))
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False)
    assert "meta_audit_server_up" in written.read_text()


def test_cron_prints_only_what_somebody_should_look_at(home: Path) -> None:
    lines = (DEPLOY / "crontab").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    environment = {name: here(value, home) for name, value in environment.items()}
    assert environment.pop("PATH").split(":")[0] == "/opt/meta-audit/bin"
    ingest, verify = (line.split(None, 5)[5] for line in lines if re.match(r"[\d*]", line))
    first = shell(here(ingest, home), home, **environment)
    assert "rejected" in first.stdout
    again = shell(here(ingest, home), home, **environment)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert oct((home / "ingest.prom").stat().st_mode & 0o777) == "0o600"
    intact = shell(here(verify, home), home, **environment)
    assert (intact.returncode, intact.stdout, intact.stderr) == (0, "", "")


def test_the_cron_job_of_kubernetes_pulls(home: Path) -> None:
    claim, job = yaml.safe_load_all((DEPLOY / "kubernetes" / "cronjob.yaml").read_text())
    spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    volume = next(v for v in spec["volumes"] if v["name"] == "data")
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert container["command"] == ["sh", "-c"]
    (script,) = container["args"]
    image = dict(re.findall(r"(META_AUDIT_\w+)=(\S+)", (DEPLOY / "Dockerfile").read_text()))
    with serving(Orchestrator("v1.9")) as url:
        script = here(script.replace("http://bacalhau-orchestrator:1234", url), home)
        ran = shell(script, home, **{name: here(text, home) for name, text in image.items()})
    assert ran.returncode == 0, ran.stderr
    assert (home / "audit.db").exists()
    assert "meta_audit_server_up" in (home / "pull.prom").read_text()


def test_the_image_installs_what_there_is() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    extras = re.search(r"/src\[(.*?)\]", text)
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras
    assert set(extras[1].split(",")) <= known["optional-dependencies"].keys()
    assert re.search(r"^USER \d+$", text, re.MULTILINE)
    assert 'ENTRYPOINT ["meta-audit"]' in text
    assert "meta-audit" in known["scripts"]


def test_the_commands_of_the_image_make_a_program_that_runs(tmp_path: Path, home: Path) -> None:
    """With the Python at hand, and on a home directory alone."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "")
    (build,) = re.findall(r"^RUN (python -m venv .*)$", text, re.MULTILINE)
    (settings,) = re.findall(r"^ENV (.*)$", text, re.MULTILINE)
    source, program = tmp_path / "src", tmp_path / "opt"
    kept = ("meta_audit", "migrations", "pyproject.toml", "README.md", "LICENSE")
    source.mkdir()
    for name in kept:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    build = build.replace("/opt/meta-audit", str(program)).replace("/src", str(source))
    build = build.replace("python -m", f"{shlex.quote(sys.executable)} -m", 1)
    # "no" to --no-compile means to leave it out: the program runs once here.
    made = shell(build, home, PIP_NO_COMPILE="no")
    assert made.returncode == 0, made.stderr
    environment = dict(pair.split("=", 1) for pair in shlex.split(here(settings, home)))
    del environment["PATH"]
    environment["PYTHONPATH"] = ""
    ran = shell(f"{program}/bin/meta-audit ingest {shlex.quote(EXAMPLES)}", home, **environment)
    assert ran.returncode == 1, ran.stderr  # the examples have broken documents
    assert all(line.startswith("{") for line in ran.stderr.splitlines())
    assert (home / "audit.db").exists()
    assert "obstore" in {path.name for path in program.glob("lib/*/site-packages/*")}


def test_the_commands_of_the_airflow_dag_run(home: Path) -> None:
    tree = ast.parse((DEPLOY / "airflow_dag.py").read_text())
    compile(tree, "airflow_dag.py", "exec")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    tasks = [
        {one.arg: ast.literal_eval(one.value) for one in call.keywords}
        for call in calls
        if ast.unparse(call.func) == "BashOperator"
    ]
    expected = {"ingest": 1, "verify": 0}
    assert [task["task_id"] for task in tasks] == list(expected)
    for task in tasks:
        environment = {name: here(text, home) for name, text in task["env"].items()}
        ran = shell(here(task["bash_command"], home), home, **environment)
        assert ran.returncode == expected[task["task_id"]], ran.stderr
    assert tasks[0]["skip_on_exit_code"] == 1


def test_the_page_names_the_metrics_that_there_are() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    store = StoreMetrics(dict.fromkeys(OUTCOMES, 1), {"complete": 1}, 1, 1, 1, 1, 1, 1, 1)
    content = exposition(store, 0, ServerMetrics("http://h", is_up=True, read_at=1)).decode()
    given = set(re.findall(r"^# TYPE meta_audit_(\w+)", content, re.MULTILINE))
    rows = re.findall(r"^\| (`.*?) \|", page.split("behind `meta_audit_`")[1], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert named == given
    assert set(re.findall(r"meta_audit_(\w+)", page.split("Alerts")[1])) <= given


def test_the_configuration_of_the_page_is_taken(home: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    config = tmp_path / "config.toml"
    config.write_text(here(example, home))
    for command in (f"ingest {EXAMPLES}", "rejections list"):
        ran = shell(here(f"meta-audit --config {config} {command}", home), home)
        assert ran.returncode in (0, 1), ran.stderr
    assert (home / "ingest.prom").exists()
