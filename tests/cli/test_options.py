"""The options that stand before a command or after it, and what is printed with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from meta_audit import cli
from tests.conftest import Audit

JOB = """{"ID": "j-1", "Name": "hello", "Namespace": "default", "Meta": {"team": "a"},
"Tasks": [{"Name": "t"}]}"""
BROKEN = '{"ID": "j-2", "Meta": {"n": 1}, "Tasks": [{"Name": "t"}]}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with a job and two files that are none."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/job.json").write_text(JOB)
    (tmp_path / "in/a.bin").write_bytes(b"\0\1")
    (tmp_path / "in/b.bin").write_bytes(b"\0\1")
    return tmp_path / "in"


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    status = cli.run([str(argument) for argument in arguments])
    return int(status), *capsys.readouterr()


def test_db_before_the_command_and_after_it(file: Audit, folder: Path, capsys) -> None:
    db = file.db
    assert run(capsys, "--db", db, "ingest", folder)[0] == 0
    for arguments in (
        ("--db", db, "find"),
        ("find", "--db", db),
        ("--db", db, "find", "--db", db),
        ("--db", db, "checkpoint", "list"),
        ("checkpoint", "--db", db, "list"),
        ("checkpoint", "list", "--db", db),
        ("--db", db, "rejections", "--db", db, "list", "--db", db),
    ):
        assert run(capsys, *arguments)[0] == 0, arguments
    assert run(capsys, "--db", db, "db", "path")[1] == f"{db}\n"


def test_two_values_of_db_are_wrong_usage(file: Audit, capsys) -> None:
    for arguments in (
        ("--db", file.db, "find", "--db", "other.db"),
        ("--db", "postgresql://u:secret@h/x", "rejections", "--db", file.db, "list"),
    ):
        status, out, err = run(capsys, *arguments)
        assert (status, out) == (2, "")
        assert "--db is given twice, with different values" in err
        assert "secret" not in err
    status, _, err = run(capsys, "--db", file.db, "db", "copy", "a.db", "b.db")
    assert status == 2
    assert "takes no --db" in err


@pytest.mark.parametrize("group", [(), ("db",), ("rejections",), ("checkpoint",)])
def test_help_before_and_after(group: tuple[str, ...], capsys) -> None:
    for flag in ("--help", "-h"):
        assert "Usage: " in run(capsys, *group, flag)[1]
        assert "Usage: " in run(capsys, "--db", "x", *group, flag)[1]
    status, out, err = run(capsys, *group)
    assert (status, out) == (2, "")
    assert err.startswith("Usage: meta-audit")
    assert ("Commands:" if group else "Ask about jobs:") in err
    status, _, err = run(
        capsys, *group, "fin" if not group else "lst" if "db" not in group else "pth"
    )
    assert status == 2
    assert "Did you mean '" in err


def test_quiet_says_nothing_when_all_is_well(file: Audit, folder: Path, capsys) -> None:
    for arguments in (
        ("-q", "ingest", folder, "--db", file.db),
        ("ingest", folder, "--quiet", "--db", file.db),
        ("verify", "-q", "--db", file.db),
    ):
        assert run(capsys, *arguments) == (0, "", ""), arguments
    status, out, err = run(capsys, "-q", "--db", file.db, "find")
    assert (status, err) == (0, "")
    assert "j-1" in out
    status, out, _ = run(capsys, "-q", "ingest", folder, "--db", file.db, "--format", "json")
    assert json.loads(out)["unchanged"] == 1


def test_quiet_still_says_what_is_wrong(file: Audit, tmp_path: Path, capsys) -> None:
    (tmp_path / "broken.json").write_text(BROKEN)
    status, out, _ = run(capsys, "-q", "ingest", tmp_path / "broken.json", "--db", file.db)
    assert status == 1
    assert "rejected meta.not_string: 1" in out
    status, out, err = run(capsys, "-q", "ingest", tmp_path / "no.json", "--db", file.db)
    assert status == 3
    assert "Refused" in err
    assert run(capsys, "-q", "-v", "find", "--db", file.db)[0] == 2


def test_what_is_skipped_is_one_line(file: Audit, folder: Path, capsys) -> None:
    _, _, err = run(capsys, "ingest", folder, "--db", file.db)
    assert [line for line in err.splitlines() if "kipped" in line] == [
        "Skipped 2 files (binary: 2). --verbose names them."
    ]
    _, _, err = run(capsys, "-v", "ingest", folder, "--db", file.db)
    lines = [line for line in err.splitlines() if "kipped" in line]
    assert [line.split(" (")[0].split(": ")[0] for line in lines] == [
        f"Skipped {folder}/a.bin",
        f"Skipped {folder}/b.bin",
        "Skipped 2 files",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("find", "taem=a"), "Did you mean team (1 job)?"),
        (("find", "--namespace", "defualt"), "Did you mean default?"),
        (("find", "--client", "nobody"), "the store knows no client nobody"),
        (("rejections", "list", "--reason", "meta.not_strin"), "Did you mean meta.not_string or "),
        (("rejections", "list", "--source", "job.jso_"), "Did you mean job.json?"),
        (("rejections", "list", "--import", "7"), "The newest import is 1."),
        (("document", "00"), "A SHA-256 needs 8 digits or more"),
        (("document", "ab" * 32), f"no document has the SHA-256 {'ab' * 32}"),
        (("trace", "e-123"), "It looks like the ID of an execution"),
        (("trace", "job.json"), "It looks like a file"),
        (("trace", "team=a"), "meta-audit find KEY=VALUE"),
        (("prove", "nope"), "no job matches nope"),
    ],
)
def test_what_is_unknown_is_said_to_be_unknown(
    file: Audit, folder: Path, capsys, arguments: tuple[str, ...], said: str
) -> None:
    run(capsys, "ingest", folder / "job.json", "--db", file.db)
    status, out, err = run(capsys, *arguments, "--db", file.db)
    assert (status, out) == (1, "")
    assert said in err


def test_a_hash_where_a_job_belongs(file: Audit, folder: Path, capsys) -> None:
    run(capsys, "ingest", folder / "job.json", "--db", file.db)
    digest = file.rows("SELECT sha256 FROM documents")[0][0].hex()
    for text in (digest, digest[:8]):
        status, _, err = run(capsys, "trace", text, "--db", file.db)
        assert status == 1
        assert f"`meta-audit document {text}` prints it" in err


def test_every_json_object_has_a_format(file: Audit, folder: Path, capsys) -> None:
    (folder / "broken.json").write_text(BROKEN)
    for command in (
        ("ingest", folder),
        ("rejections", "retry"),
        ("rejections", "list"),
        ("rejections", "show", "0"),
        ("find",),
        ("trace", "j-1"),
        ("verify",),
        ("checkpoint", "consistency", "1", "2"),
        ("checkpoint", "list"),
    ):
        _, out, _ = run(capsys, *command, "--format", "json", "--db", file.db)
        shape = json.loads(out)
        for one in shape if isinstance(shape, list) else [shape]:
            assert one["format"].startswith("meta-audit/"), command


def test_a_count_that_is_a_bound_says_so(file: Audit, tmp_path: Path, capsys) -> None:
    one = {"Name": "hello", "Tasks": [{"Name": "t"}]}
    lines = [json.dumps({"ID": f"j-{number:04}", **one}) for number in range(1_001)]
    (tmp_path / "many.ndjson").write_text("\n".join(lines))
    file.ingest(tmp_path / "many.ndjson")
    _, _, err = run(capsys, "trace", "j-000", "--db", file.db)
    assert err.startswith("j-000 fits 10 jobs.")
    status, out, err = run(capsys, "trace", "hello", "--db", file.db, "--format", "json")
    assert status == 1
    assert err.splitlines() == [
        "hello fits at least 1,000 jobs. Give more of the ID, or add --namespace NS.",
        "Not listed: at least 980 more.",
    ]
    assert (json.loads(out)["more"], json.loads(out)["at_least"]) == (980, True)


def test_what_is_taken_from_a_directory(file: Audit, folder: Path, capsys) -> None:
    (folder / "more").mkdir()
    (folder / "more/other.json").write_text(JOB.replace("j-1", "j-2"))
    outside = folder.parent / "outside.json"
    outside.write_text(JOB.replace("j-1", "j-3"))
    (folder / "link.json").symlink_to(outside)

    def jobs(*arguments: str) -> list[str]:
        assert run(capsys, "ingest", folder, "--db", file.db, *arguments)[0] == 0
        return [row[0] for row in file.rows("SELECT job_id FROM jobs ORDER BY 1")]

    assert jobs("--include", "job.*") == ["j-1"]
    assert jobs("--exclude", "more", "--include", "*.json") == ["j-1"]
    assert jobs("--exclude", "job.json") == ["j-1", "j-2"]
    assert jobs("--follow-links") == ["j-1", "j-2", "j-3"]
    recorded = [json.loads(row[0])[2:] for row in file.rows("SELECT arguments FROM imports")]
    assert recorded[0] == ["--include=job.*"]
    assert recorded[3] == ["--follow-links"]


def test_a_source_that_is_missing_makes_no_store(tmp_path: Path, file: Audit, capsys) -> None:
    db = tmp_path / "new" / "audit.db"
    status, out, err = run(capsys, "ingest", tmp_path / "no.json", "no/such", "--db", db)
    assert (status, out) == (3, "")
    assert f"Refused {tmp_path}/no.json: no such file or directory" in err
    assert "no store was made" in err
    assert not db.parent.exists()
    assert run(capsys, "ingest", tmp_path / "no.json", "--db", file.db)[0] == 3
    assert file.rows("SELECT status FROM v_sources") == [("refused",)]


def _options(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield each option that takes a value, after the command that has it."""
    context = click.Context(group)
    own = [(), *((name,) for name in group.list_commands(context))]
    for place in own:
        command = group.get_command(context, place[0]) if place else group
        if isinstance(command, click.Group) and place:
            yield from _options(command, (*path, *place))
            continue
        for option in command.params if command else ():
            if isinstance(option, click.Option) and not (option.is_flag or option.count):
                yield (*path, *place, option.opts[0])


def test_an_empty_argument_is_refused(file: Audit, folder: Path, capsys) -> None:
    """As by a variable without value: `ingest "$FILE"`."""
    file.ingest(folder)
    imports = file.rows("SELECT count(*) FROM v_imports")
    for arguments in (
        *(["ingest", ""], ["ingest", folder, ""], ["has", ""], ["db", "backup", ""]),
        *(["lake", "sync", ""], ["pull", ""], ["compare", ""]),
        ["segments", "seal", ""],
    ):
        status, _, err = run(capsys, *arguments, "--db", file.db)
        assert (status, "it is empty" in err) == (2, True)
    assert file.rows("SELECT count(*) FROM v_imports") == imports


def test_an_option_without_a_value_is_refused(capsys, tmp_path: Path, monkeypatch) -> None:
    """`--since "$SINCE"` with a variable that is not set must not count as no limit."""
    monkeypatch.chdir(tmp_path)
    found = sorted(set(_options(cli.cli)))
    assert len(found) > 100
    for *place, name in found:
        if name == "--namespace" and place[0] not in {"pull", "compare"}:
            continue  # a job may have none
        rest = ("find",) if not place else ()
        status, out, err = run(capsys, *place, name, "", *rest)
        assert (status, out) == (2, ""), (place, name, err)
        assert "is empty" in err or "Invalid value" in err or "Missing" in err, (place, name, err)
    assert not list(tmp_path.iterdir())
