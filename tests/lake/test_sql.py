"""A lake answers in SQL what its store answers, and lets a query do nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyiceberg", reason="needs the extra `lake`")
pytest.importorskip("duckdb", reason="needs the extra `lake`")

from meta_audit import cli
from meta_audit.lake.tables import TABLES
from tests.conftest import ROOT, Audit, Result
from tests.docs.questions import Question, read_questions
from tests.lake import lakes

Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store of the examples, and the lake of it."""
    folder = tmp_path_factory.mktemp("sql")
    db = str(folder / "audit.db")
    assert cli.run(["-q", "ingest", str(ROOT / "examples"), "--db", db]) == 1
    lakes.sync(db, folder / "lake")
    return folder


@pytest.fixture
def ask(made: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Return a function that runs `lake sql`."""

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        status = cli.run(["lake", "sql", str(made / "lake"), *arguments])
        return Result(status, *capsys.readouterr())

    return run


def rows(found: Result) -> list[list[Any]]:
    assert found.status == 0, found.err
    return [list(row.values()) for row in json.loads(found.out)["rows"]]


def same(value: Any) -> Any:
    """Write a time to the microsecond, as a lake has it."""
    is_time = isinstance(value, str) and len(value) in (27, 30) and value[10::19] in ("T", "TZ")
    return f"{value[:26].rstrip('0')}Z" if is_time and value.endswith("Z") else value


@pytest.mark.parametrize("question", read_questions(), ids=lambda question: question.number)
def test_the_questions_are_answered_alike(
    made: Path, ask: Ask, question: Question, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = question.sql.removeprefix("-- all jobs\n")
    store = Audit(made / "audit.db", capsys)
    wanted = [[same(value) for value in row] for row in store.rows(sql)]
    found = [[same(value) for value in row] for row in rows(ask(sql, "--format", "json"))]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FROM read_text('/etc/passwd')", "cannot access file"),
        ("SELECT * FROM glob('/*')", "cannot access file"),
        ("SELECT * FROM read_parquet('https://example.org/a.parquet')", "cannot access file"),
        ("SELECT * FROM question", "question does not exist"),
        ("COPY v_jobs TO 'jobs.csv'", "can only be read"),
        ("SET threads = 1", "can only be read"),
        ("CREATE TABLE a AS FROM v_jobs", "can only be read"),
        ("ATTACH 'a.db'", "can only be read"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("  -- nothing", "there is no query"),
        ("SELECT * FROM v_job", 'did you mean "v_jobs"?'),
        ("SELECT nme FROM v_jobs", "nme"),
        ("SELEC 1", "syntax error"),
        ("SELECT '\udcff'", "not unicode"),
        ("SELECT 1/(a - a)::INT FROM (SELECT 'x' AS a)", "the query fails"),
    ],
)
def test_a_query_can_only_read_the_lake(ask: Ask, query: str, said: str) -> None:
    found = ask(query)
    assert (found.status, found.out) == (2, "")
    assert said in found.err.lower()
    assert len(found.err.splitlines()) == 2


def test_values_are_as_in_other_stores(ask: Ask) -> None:
    query = """SELECT sum(entry_index) AS total, 1.50::DECIMAL(9, 2) AS part, 12::DECIMAL AS whole,
        TIMESTAMPTZ '2024-01-02 03:04:05+00' AS at, TIMESTAMP '2024-01-02 03:04:05' AS local,
        DATE '2024-01-02' AS day, [1, 2] AS list, {'a': DATE '2024-01-02'} AS struct,
        MAP {1: 'x'} AS map, INTERVAL 1 DAY AS span, '\\x00'::BLOB AS bytes, NULL AS none,
        true AS yes, 'a' AS n, 'b' AS n FROM entries WHERE entry_index < 3"""
    assert rows(ask(query, "--format", "json")) == [
        [
            *(3, 1.5, 12, "2024-01-02T03:04:05Z", "2024-01-02 03:04:05", "2024-01-02"),
            *("[1,2]", '{"a":"2024-01-02"}', '{"1":"x"}', "1 day, 0:00:00", "00", None),
            *(True, "a", "b"),
        ]
    ]
    assert ask(query, "--format", "csv").out.startswith("total,part,whole,at,")
    assert ask(query).out.split("\n")[0].split()[-2:] == ["n", "n_2"]


def test_tables_are_listed(ask: Ask, made: Path, tmp_path: Path) -> None:
    assert {row[0] for row in rows(ask("SHOW TABLES", "--format", "json"))} == set(TABLES)
    contract = json.loads(ask("--format", "json").out)
    assert {view["name"] for view in contract["views"]} == set(TABLES)
    text = ask().out
    assert "job_numbers" in text
    assert ask("--format", "csv").status == 2
    query = tmp_path / "query.sql"
    query.write_text("SELECT count(*) FROM v_jobs")
    assert rows(ask(str(query), "--format", "json")) == [[6]]
    assert ask(f"{query}.sql").status == 2
    assert cli.run(["lake", "sql", str(tmp_path / "none"), "SELECT 1"]) == 1


def test_time_is_limited(ask: Ask) -> None:
    began = time.monotonic()
    slow = "SELECT count(*) FROM range(100000) a, range(100000) b, range(100) c WHERE a = b + c"
    found = ask(f"{slow} -- v_jobs", "--timeout", "0.3")
    assert (found.status, "took longer than 0.3 s" in found.err) == (2, True)
    assert time.monotonic() - began < 20


def test_memory_is_limited(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meta_audit.lake.duck.MEMORY", "20MB")
    query = "SELECT a, list(b) FROM range(999999) t(a), range(9) u(b) GROUP BY a"
    found = ask(query)
    assert (found.status, "of memory" in found.err) == (2, True), found.err


def test_a_damaged_file_is_named(made: Path, ask: Ask) -> None:
    (file,) = (one for one in lakes.data_files(made / "lake") if "v_labels" in str(one))
    whole = file.read_bytes()
    try:
        for content in (b"", whole[:-100], whole[: len(whole) // 2]):
            file.write_bytes(content)
            found = ask("SELECT * FROM v_labels")
            assert (found.status, str(file) in found.err) == (4, True), found.err
    finally:
        file.write_bytes(whole)
