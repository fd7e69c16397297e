"""The commands that read, run in this process on a real store."""

import base64
import csv
import io
import json
import os
import pty
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from meta_audit import cli
from meta_audit.render.escape import is_safe

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(store, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program on the store."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([*arguments, "--db", store.db])
        out, err = capsys.readouterr()
        return int(status), out, err

    return run


def test_trace_prints_a_page(store, job, run: Run, key_pair) -> None:
    peer_id, key = key_pair
    meta = {"bacalhau.org/requester.id": peer_id, "bacalhau.org/requester.publicKey": key}
    store.take(job(meta=meta, task_meta={"bacalhau.org/client.id": "forged"}))
    status, page, err = run("trace", "5e85f246")
    assert (status, err) == (0, "")
    for text in (
        "Job j-5e85f246-aaaa-4bbb-8ccc-0123456789ab",
        "server: set by the orchestrator, not signed; the ID belongs to its public key",
        "key SHA256:",
        "Meta of task 1, main",
        "2023-11-14 22:13:21Z  Completed (revision 2)",
        "jobs.json, document 1, line 1",
    ):
        assert text in page
    assert page.index("Critical findings") < page.index("Who") < page.index("Evidence")
    assert "\x1b" not in page


def test_trace_of_a_job_that_nobody_is_known_to_have_sent(store, run: Run) -> None:
    spec = {"Name": "s", "Type": "batch", "Tasks": [{"Name": "t", "Engine": {"Type": "docker"}}]}
    store.take(spec)
    _, page, _ = run("trace", "s")
    assert "not known: no document names anyone for this job" in page
    store.take({"ID": "e-1", "JobID": "j-9", "NodeID": "n-9", "ComputeState": {"StateType": 3}})
    _, page, _ = run("trace", "j-9")
    assert "no document of the job itself was seen" in page
    assert "n-9" in page


def test_trace_of_a_changed_client_says_so(store, job, run: Run) -> None:
    for version in (1, 2):
        store.take(job(meta={"bacalhau.org/client.id": f"c-{version}"}, Version=version))
    _, page, _ = run("trace", "hello")
    assert "client c-1" in page
    assert "client c-2" in page


def test_trace_as_json_is_exact(store, job, run: Run) -> None:
    store.take(job(meta={"k": "\x1b]0;x\x07\u202e\x9b"}))
    status, out, _ = run("trace", "hello", "--format", "json")
    assert status == 0
    assert json.loads(out)["meta"][0]["value"] == "\x1b]0;x\x07\u202e\x9b"
    assert is_safe(out.replace("\n", ""))


@pytest.mark.parametrize("format_", ["text", "json"])
def test_an_ambiguous_job_lists_candidates_and_exits_1(store, job, run: Run, format_: str) -> None:
    store.take(*(job(f"j-{n:02}") for n in range(22)))
    status, out, err = run("trace", "hello", "--format", format_)
    assert status == 1
    assert "22 jobs" in err
    if format_ == "json":
        document = json.loads(out)
        assert document["format"] == "meta-audit/candidates/1"
        assert document["more"] == 2
        assert len(document["candidates"]) == 20
    else:
        assert len(out.splitlines()) == 21
        assert "2 more" in err


def test_what_is_not_found_exits_1_with_advice(store, job, run: Run) -> None:
    store.take(job())
    for command in ("trace", "document"):
        status, out, err = run(command, "\x1b[2Jno")
        assert (status, out) == (1, "")
        assert "\\x1b[2Jno" in err
        assert "meta-audit find" in err
    assert run("rejections", "show", "77")[0] == 1
    assert run("trace", "")[0] == 2
    assert run("find", "not-there") == (1, "", "No job matches.\n  not-there: 0 jobs\n")
    status, out, err = run("find", "a=b andd \x1b[2Jc=")
    assert (status, out) == (2, "")
    assert err.splitlines()[1:3] == ["  a=b andd \\x1b[2Jc=", "      ^"]


def test_without_a_store_it_exits_4(tmp_path: Path, capsys) -> None:
    for command in (["trace", "x"], ["find"], ["document", "x"], ["rejections", "list"]):
        assert cli.run([*command, "--db", str(tmp_path / "none.db")]) == 4
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert cli.run(["trace", "x", "--db", str(broken)]) == 4
    assert "Traceback" not in capsys.readouterr().err


def test_find_in_every_format(store, job, run: Run) -> None:
    store.take(job("j-1", Name="=cmd()", CreateTime=5), job("j-2", meta={"a=b": "x\u202e"}))
    status, text, err = run("find")
    assert (status, err) == (0, "")
    assert [line.split()[2] for line in text.splitlines()[1:]] == ["j-2", "j-1"]
    page = run("find", "--format", "json")[1]
    document = json.loads(page)
    assert document["format"] == "meta-audit/find/1"
    assert (document["more"], document["next"], document["reasons"]) == (False, None, [])
    assert run("find", "--format", "json", "--all")[1] == page
    assert run("find", "--all")[1] == text
    lines = run("find", "--format", "ndjson")[1].splitlines()
    assert list(map(json.loads, lines)) == document["jobs"]
    read = list(csv.DictReader(io.StringIO(run("find", "--format", "csv")[1], newline="")))
    assert [row["name"] for row in read] == ["hello", "'=cmd()"]
    assert list(read[0]) == list(document["jobs"][0])
    assert "j-2" in run("find", "a\\=b=x\u202e")[1]
    assert run("find", "--count") == (0, "2\n", "")
    status, text, err = run("find", "--client", "c-9", "--count")
    assert (status, text, "knows no client c-9" in err) == (1, "0\n", True)
    status, text, err = run("find", "type:service", "name:hello", "--count")
    assert (status, text, "name:hello: 1 job" in err) == (1, "0\n", True)
    assert run("find", "--namespace", "default", "name:hello", "--count") == (0, "1\n", "")


def test_what_a_page_shows_escaped_can_be_asked_for(store, job, run: Run) -> None:
    """No shell can pass NUL to a program."""
    store.take(job("j-1", meta={"k\0": "a\nb\0", "bacalhau.org/client.id": "c\0"}))
    assert (
        json.loads(run("values", r"k\x00", "--format", "json")[1])["values"][0]["value"] == "a\nb\0"
    )
    for expression in (r'"k\x00"="a\nb\x00"', r'has("k\x00")', r'client:"c\x00"'):
        assert run("find", expression, "--count") == (0, "1\n", "")
    assert r"no key k\x01" in run("values", r"k\x01")[2]


def test_columns_stand_in_every_format(store, job, run: Run) -> None:
    store.take(job("j-1", meta={"k": "=x", 'a "b"': ""}, task_meta={"k": "y"}))
    columns = ("--columns", 'k,label:env,"a \\"b\\"",none')
    header, row = run("find", *columns)[1].splitlines()
    assert header.split()[2:4] == ["k", "label:env"]
    assert "=x; y" in row
    meta = {"k": ["=x", "y"], "label:env": ["prod"], '"a \\"b\\""': [""], "none": []}
    for format_ in ("text", "ndjson", "csv"):
        assert "The store knows no key none." in run("find", *columns, "--format", format_)[2]
    (line,) = run("find", *columns, "--format", "ndjson")[1].splitlines()
    assert json.loads(line)["meta"] == meta
    assert json.loads(run("find", *columns, "--format", "json")[1])["jobs"][0]["meta"] == meta
    (read,) = csv.DictReader(io.StringIO(run("find", *columns, "--format", "csv")[1], newline=""))
    assert list(read)[-4:] == ["k", "label:env", '"a \\"b\\""', "none"]
    assert list(read.values())[-4:] == ["'=x; y", "prod", "", ""]


def test_a_list_goes_on_where_it_ended(store, job, run: Run) -> None:
    store.take(*(job(f"j-{n:02}", CreateTime=n + 1) for n in range(60)))
    status, text, err = run("find")
    assert (status, len(text.splitlines())) == (0, 51)
    assert "Only the newest 50 jobs shown: --all" in err
    cursor = err.split("--after ")[1].split()[0]
    for after in (cursor, "j-10"):
        rest = run("find", "--after", after)[1].splitlines()[1:]
        assert [line.split()[2] for line in rest] == [f"j-{n:02}" for n in range(9, -1, -1)]
    for arguments in (["--format", "csv"], ["--format", "ndjson"], ["--all"]):
        assert len(run("find", *arguments)[1].splitlines()) >= 60
    assert len(run("find", "--format", "ndjson", "--limit", "5")[1].splitlines()) == 5
    assert run("find", "--limit", f"{2**63 - 1}")[0] == 0
    assert run("find", "--limit", "5", "--all")[0] == 2


def test_finding_nothing_exits_1_and_keeps_the_shape(store, job, run: Run) -> None:
    store.take(job())
    assert run("find", "team=b and env=x")[0] == 1
    status, out, err = run("find", "team=b", "step=1", "--format", "json")
    assert status == 1
    assert json.loads(out) == {
        "format": "meta-audit/find/1",
        "jobs": [],
        "more": False,
        "next": None,
        "reasons": [
            {"expression": "team=b", "jobs": 0, "at_least": False, "hint": ""},
            {"expression": "step=1", "jobs": 1, "at_least": False, "hint": ""},
        ],
        "unknown_keys": [],
    }
    assert err == "No job matches.\n  team=b: 0 jobs\n  step=1: 1 job\n"
    status, out, err = run("find", "team=b", "--format", "csv")
    assert (status, out.startswith("created_at,job_id")) == (1, True)
    assert "team=b: 0 jobs" in err


def test_a_table_fits_its_terminal(store, job, forked_program: Path) -> None:
    store.take(job(Name="a long name " * 9), job(ID="sha256:" + "a" * 64, Name=""))
    for width in ("80", "100", "200"):
        find = (forked_program, "find", "--db", store.db)
        lines = on_a_terminal(*find, COLUMNS=width, NO_COLOR="1").splitlines()
        assert max(map(len, lines)) <= int(width)
        assert "j-5e85f246-aaaa-4bbb-8ccc-0123456789ab" in "".join(lines)
    line = on_a_terminal(*find, "--columns", "team,none,step", NO_COLOR="1")
    assert max(map(len, line.splitlines())) <= 80


def test_document_prints_the_very_bytes(store, job, capsysbinary, tmp_path: Path) -> None:
    content = json.dumps(job(meta={"k": "\x1b\u202e"}), ensure_ascii=False).encode() + b"\r\n \n"
    store.take(content, b"\xff\x00broken")
    digest = sha256(b"\xff\x00broken").hexdigest()
    for what, wanted in (("hello", content), (digest[:12], b"\xff\x00broken")):
        capsysbinary.readouterr()
        assert cli.run(["document", what, "--db", store.db]) == 0
        assert capsysbinary.readouterr().out == wanted
    target = tmp_path / "out.json"
    assert cli.run(["document", "hello", "--output", str(target), "--db", store.db]) == 0
    assert target.read_bytes() == content
    store.take(job("j-2"))
    capsysbinary.readouterr()
    assert cli.run(["document", "hello", "--db", store.db]) == 1
    out, err = capsysbinary.readouterr()
    assert out == b""
    assert b"j-2" in err
    bad = ["document", "j-2", "--output", str(tmp_path), "--db", store.db]
    assert cli.run(bad) == 2


def on_a_terminal(program: Path, *arguments: str, **environment: str) -> str:
    """What a terminal is sent, by the program and Python both."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm", "COLUMNS": "80", **environment})
        os.execv(program, [program, *arguments])
    sent = b""
    try:
        while more := os.read(terminal, 65536):
            sent += more
    except OSError:
        pass
    os.close(terminal)
    os.waitpid(pid, 0)
    return sent.decode().replace("\r\n", "\n")


def test_a_terminal_gets_nothing_raw(store, job, forked_program: Path) -> None:
    evil = "\x1b[2J\x9b\u202e\x07" + "x" * 300
    store.take(job(meta={evil: evil}, Name=evil, Labels={evil: evil}), uri=f"{evil}.json")
    store.take(f"{{{evil}".encode(), uri=evil)
    db = ["--db", store.db]
    for command in (
        ["trace", "5e85f246"],
        ["trace", "5e85f246", "--format", "json"],
        ["find"],
        ["find", "--format", "csv"],
        ["document", "5e85f246"],
        ["rejections", "list"],
        ["rejections", "show", "1"],
    ):
        sent = on_a_terminal(forked_program, *command, *db, NO_COLOR="1")
        assert "\\x1b" in sent or "\\u001b" in sent, command
        assert is_safe(sent.replace("\n", "")), command
        if command[0] == "trace" and len(command) == 2:
            assert all(len(line) <= 80 for line in sent.splitlines() if "Job " not in line)
            assert "--format json has all" in sent
    assert "\x1b[1mWho\x1b[0m" in on_a_terminal(forked_program, "trace", "5e85f246", *db)


def test_rejections_list_and_show(store, job, run: Run) -> None:
    broken = b'{"ID": "\x1b[2J", \xff'
    store.take(broken, b"{}", job(), uri="=evil.json")
    status, text, _ = run("rejections", "list")
    assert status == 0
    lines = text.splitlines()
    assert lines[0] == "0  text.encoding  =evil.json, document 1, line 1, import 1"
    assert lines[2] == "1  not_a_job  =evil.json, document 2, line 2, import 1"
    assert lines[1::2] == [
        "    byte 15 (0xff) is not valid UTF-8: invalid start byte",
        "    an empty mapping",
    ]
    document = json.loads(run("rejections", "list", "--format", "json")[1])
    assert document["format"] == "meta-audit/rejections/1"
    assert document["total"] == 2
    lines = run("rejections", "list", "--format", "ndjson")[1].splitlines()
    assert list(map(json.loads, lines)) == document["rejections"]
    read = list(
        csv.DictReader(io.StringIO(run("rejections", "list", "--format", "csv")[1], newline=""))
    )
    assert read[0]["source"] == "'=evil.json"
    assert (read[0]["document"], read[0]["line"], read[0]["resolved_by"]) == ("1", "1", "")
    assert run("rejections", "list", "--limit", "1")[2] == "1 of 2: see --limit.\n"
    assert "No rejections" in run("rejections", "list", "--reason", "too_deep")[2]
    status, text, _ = run("rejections", "show", "0")
    assert "text.encoding: " in text
    assert "\\x1b[2J" in text
    detail: dict[str, Any] = json.loads(run("rejections", "show", "0", "--format", "json")[1])
    assert base64.b64decode(detail["content"]) == broken
    assert detail["rejection"] == document["rejections"][0]


def test_raw_bytes_of_a_rejection(store, capsysbinary) -> None:
    store.take(b"\xff\x00broken")
    assert cli.run(["rejections", "show", "0", "--raw", "--db", store.db]) == 0
    assert capsysbinary.readouterr().out == b"\xff\x00broken"


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_page_shows_the_newest_state_of_an_execution(
    store, job, run: Run, newest_first: bool
) -> None:
    shown = [
        {"ID": "e-1", "NodeID": "n-2", "ComputeState": {"StateType": state}, "ModifyTime": time}
        for state, time in (("New", 1_700_000_000 * 10**9), ("Completed", 1_700_003_600 * 10**9))
    ]
    for execution in shown[::-1] if newest_first else shown:
        store.take({"Job": job(), "Executions": {"Items": [execution]}})
    assert "n-2  Completed, 2023-11-14 23:13:20Z, e-1" in run("trace", "5e85f246")[1]
