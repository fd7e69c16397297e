"""The page of questions: every command, every query and every plan, on both engines."""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from meta_audit import cli
from meta_audit.schema.tables import DATA_TABLES
from meta_audit.store.opening import open_to_read
from tests.docs.questions import Question, read_questions
from tests.docs.shell import ROOT
from tests.store_factory import administrator

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTIONS: Final = read_questions()
NOTHING: Final = {22, 35, 36}
"""Questions whose answer for `examples/` is empty."""
ACTIVITY_TOO: Final = {7}
"""Queries that also list jobs of which only executions were seen."""
SMALL: Final = frozenset(
    ("attribution_rules", "imports", "meta_keys", "readings", "rejections", "sources", "terms")
    + ("rejection_dismissals", "rejection_resolutions", "checkpoints", "custody_events")
)
"""Tables that do not grow with the number of jobs, or hold what is rare."""
ONE_VERSION, SOME_MISSING = 4, 38


def named(question: Question) -> str:
    return str(question.number)


@pytest.fixture(scope="module")
def db(factory: Any) -> Iterator[str]:
    """A store of each engine with `examples/` in it."""
    name = factory.new()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert cli.run(["ingest", "examples", "--db", name, "--quiet"]) == 1
    yield name
    factory.drop(name)


def rows(db: str, sql: str) -> list[tuple[Any, ...]]:
    with closing(open_to_read(db)) as store:
        found: list[Any] = store.read(lambda session: session.query(sql))
    return [tuple(row) for row in found]


def read_by_sqlite(one: Any, sql: str) -> set[str]:
    """Return the tables and indexes that a query reads from end to end."""
    pages = dict(one.run("SELECT rootpage, name FROM sqlite_master WHERE rootpage > 0"))
    program = one.run(f"EXPLAIN {sql}")
    opened = {step[2]: pages.get(step[3], "") for step in program if step[1] == "OpenRead"}
    whole = {step[2] for step in program if step[1] in ("Rewind", "Last")}
    indexes = dict(one.run("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index'"))
    read = {opened[cursor] for cursor in whole & opened.keys()}
    if "LIMIT" in sql:  # in the order of an index, and no further
        read -= indexes.keys()
    return {indexes.get(name, name) for name in read}


def read_by_postgresql(one: Any, sql: str) -> set[str]:
    """Return the tables that a query would read from end to end if they were large."""
    one.run("BEGIN")
    one.run("SET LOCAL enable_seqscan = off")
    large = ", ".join(f"'{table}'" for table in DATA_TABLES if table not in SMALL)
    one.run(f"UPDATE pg_class SET reltuples = 1e6, relpages = 1 WHERE relname IN ({large})")
    plan = "\n".join(row[0] for row in one.run(f"EXPLAIN {sql}"))
    one.run("ROLLBACK")
    return set(re.findall(r"Seq Scan on (\w+)", plan))


def test_every_question_has_a_command_and_a_query() -> None:
    assert [q.number for q in QUESTIONS] == list(range(1, 41))


@pytest.mark.parametrize("question", QUESTIONS, ids=named)
def test_commands(
    question: Question, db: str, tmp_path: Any, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs.txt").write_text("j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e\nj-gone\n")
    status = cli.run([*question.command, "--db", db])
    said = capsys.readouterr()
    nothing = question.number in NOTHING and question.command[0] == "find"
    expected = {ONE_VERSION: 1, SOME_MISSING: 1}.get(question.number, int(nothing))
    assert status == expected, said.err
    assert "Error" not in said.err or question.number == ONE_VERSION
    if question.command[0] != "find" or "--count" in question.command:
        return
    found = [*question.command, "--format", "ndjson", "--all", "--db", db]
    if "--limit" in found:
        return
    cli.run(found)
    listed = {json.loads(line)["job_id"] for line in capsys.readouterr().out.splitlines()}
    of_query = re.search(r"SELECT (?:DISTINCT )?(?:\w\.)?job_id", question.sql)
    assert of_query
    answered = {row[0] for row in rows(db, question.sql)}
    assert listed <= answered if question.number in ACTIVITY_TOO else listed == answered


@pytest.mark.parametrize("question", QUESTIONS, ids=named)
def test_queries_find_something(question: Question, db: str) -> None:
    found = rows(db, question.sql)
    assert bool(found) is (question.number not in NOTHING)
    assert len({len(row) for row in found}) <= 1


@pytest.mark.parametrize("question", QUESTIONS, ids=named)
def test_plans(question: Question, db: str) -> None:
    """No query reads a table that grows with jobs from end to end, unless it says so."""
    if question.is_about_all_jobs:
        return
    with administrator(db) as one:
        read_by = read_by_sqlite if one.is_sqlite else read_by_postgresql
        assert read_by(one, question.sql) <= SMALL
