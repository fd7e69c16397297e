"""The page of questions: every command on both engines, and the query beside it.

tests/docs/test_pages.py compares the queries' results, tests/store/test_plans.py holds their plans.
"""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from meta_audit import cli
from meta_audit.store.opening import open_to_read
from tests.docs.questions import Question, read_questions
from tests.docs.shell import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTIONS: Final = read_questions()
NOTHING: Final = {22, 35, 36}
"""Questions whose answer for `examples/` is empty."""
ACTIVITY_TOO: Final = {7}
"""Queries that also list jobs of which only executions were seen."""
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
