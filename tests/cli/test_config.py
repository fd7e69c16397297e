"""A configuration file stands behind the command line and the environment; messages as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meta_audit import cli
from tests.conftest import ROOT

Run = Callable[..., tuple[int, str, str]]
EXAMPLES = str(ROOT / "examples")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> Run:
    """Run the program with a configuration; its exit code and output."""
    file = tmp_path / "config.toml"
    monkeypatch.delenv("META_AUDIT_DB", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def run(config: str, *arguments: str) -> tuple[int, str, str]:
        file.write_text(config)
        capsys.readouterr()
        status = cli.run(["--config", str(file), *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_the_command_line_comes_first(run: Run, tmp_path: Path) -> None:
    store, other = tmp_path / "of-file.db", tmp_path / "other.db"
    config = f"""
        db = "{store}"
        [ingest]
        include = ["v1.6*"]
        jobs = 0
        [find]
        limit = 1
        [rejections.list]
        format = "json"
    """
    assert run(config, "ingest", EXAMPLES)[0] == 1
    assert store.exists()
    status, out, _ = run(config, "find", "--format", "json")
    assert (status, len(json.loads(out)["jobs"])) == (0, 1)
    _, out, _ = run(config, "rejections", "list")
    assert json.loads(out)["total"] == 1
    assert run(config, "rejections", "list", "--format", "text")[1].startswith("2 ")
    assert run(config, "--db", str(other), "ingest", "--include", "broken*", EXAMPLES)[0] == 1
    assert run(config, "ingest", EXAMPLES, "--db", str(other))[0] == 1
    assert other.exists()


def test_the_environment_comes_before_the_file(run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    store, log = tmp_path / "of-environment.db", tmp_path / "of-environment.log"
    monkeypatch.setenv("META_AUDIT_DB", str(store))
    monkeypatch.setenv("META_AUDIT_CHECKPOINT_LOG", str(log))
    config = f'db = "{tmp_path}/x.db"\n[ingest]\ncheckpoint-log = "{tmp_path}/x.log"'
    run(config, "ingest", EXAMPLES)
    assert store.exists()
    assert log.exists()
    assert not list(tmp_path.glob("x.*"))
    monkeypatch.delenv("META_AUDIT_CHECKPOINT_LOG")
    run(config, "ingest", EXAMPLES)
    assert (tmp_path / "x.log").exists()


def test_the_file_is_named_by_the_environment(run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    file = tmp_path / "other.toml"
    file.write_text(f'db = "{tmp_path}/named.db"\nquiet = true')
    monkeypatch.setenv("META_AUDIT_CONFIG", str(file))
    cli.run(["ingest", EXAMPLES])
    assert (tmp_path / "named.db").exists()


def test_quiet_gives_way_to_verbose(run: Run, tmp_path: Path) -> None:
    config = f'db = "{tmp_path}/a.db"\nquiet = true'
    assert "New store" not in run(config, "ingest", EXAMPLES)[2]
    (tmp_path / "a.db").unlink()
    assert "Skipped" in run(config, "ingest", EXAMPLES, "--verbose")[2]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("fnd = 1", "fnd is no option for the whole program"),
        ("[ingst]", "ingst is no command\nDid you mean ingest?"),
        ("[find]\nlimits = 1", "limits is no option of find\nDid you mean limit?"),
        ("[find]\nlimit = [1]", "find: the value of limit is empty or of the wrong kind"),
        ("[find]\ncolumns = 5", "find: the value of columns is empty or of the wrong kind"),
        ("[find]\nlimit = 'x'", "'x' is not a valid integer"),
        ("[find]\ndb = 'x'", "db is no option of find"),
        ("db = 1", "db must be text"),
        ("quiet = 'yes'", "quiet must be true or false"),
        ("quiet = true\nverbose = true", "quiet and verbose cannot be used together"),
        ("log-format = 'xml'", "log-format must be text or json"),
        ("db = ", "is not TOML"),
        ("[rejections.lst]", "ok"),
        ("[[find]]", "find is no option for the whole program"),
        ("a.b.c = 1", "a is no command"),
        ("x = 1\n" * 200_000, "is no configuration"),
    ],
)
def test_what_is_wrong_is_named(run: Run, config: str, message: str) -> None:
    status, _, err = run(config, "find")
    if message == "ok":  # only the command that runs looks at its own table
        status, _, err = run(config, "rejections", "list")
        message = "lst is no command of rejections"
    assert status == 2
    assert message in err
    assert "Traceback" not in err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--config", str(tmp_path / "none.toml"), "find"]) == 2
    assert "cannot read the configuration" in capsys.readouterr().err


def test_messages_are_json(run: Run, tmp_path: Path) -> None:
    config = f'db = "{tmp_path}/a.db"\nlog-format = "json"'
    _, out, err = run(config, "ingest", EXAMPLES)
    lines = [json.loads(line) for line in err.splitlines()]
    assert {line["level"] for line in lines} == {"info"}
    assert {line["command"] for line in lines} == {"ingest"}
    assert all(line["time"].endswith("Z") and line["message"] for line in lines)
    assert "complete" in out
    (told,) = [json.loads(x) for x in run(config, "trace", "nob\x1b[31mody")[2].splitlines()]
    assert (told["level"], told["command"]) == ("error", "trace")
    assert "\x1b" not in told["message"]
    assert told["advice"]
    (wrong,) = [json.loads(x) for x in run(config, "find", "(a=b")[2].splitlines()]
    assert "^" in wrong["advice"]
    _, _, err = run(config, "--log-format", "text", "trace", "nobody")
    assert err.startswith("Error: ")


@pytest.mark.parametrize("name", ["--log-format", "--config"])
def test_what_stands_behind_the_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["find", name, "json"]) == 2
    assert f"{name} stands before the command: meta-audit {name} ..." in capsys.readouterr().err
