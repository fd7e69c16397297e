"""An index finds the rows of joins of views in any order, and of docs/questions.md."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any, Final

import pytest

from meta_audit import cli
from meta_audit.store.postgresql.select import PLAN_JOINS_OF_VIEWS
from tests.docs.questions import Question, read_questions
from tests.docs.shell import ROOT
from tests.store_factory import administrator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS: Final = 1_500
PAIR: Final = "{0}.key = 'run' AND {0}.value = 'r-7'"
OWNER: Final = "{0}.key = 'owner' AND {0}.value = 'o-7'"
CONDITIONS: Final[dict[tuple[str, ...], str]] = {
    ("v_meta a", "v_meta b"): f"{PAIR.format('a')} AND {OWNER.format('b')}",
    ("v_jobs a", "v_meta b"): PAIR.format("b"),
    ("v_jobs a", "v_labels b"): "b.key = 'team' AND b.value = 't-7'",
    ("v_labels a", "v_meta b"): f"a.key = 'team' AND a.value = 't-7' AND {OWNER.format('b')}",
    ("v_jobs a", "v_meta b", "v_labels c"): f"{PAIR.format('b')} AND c.key = 'team'",
    ("v_jobs a", "v_meta b", "v_meta c"): f"{PAIR.format('b')} AND {OWNER.format('c')}",
    ("v_jobs a", "v_attributions b"): "a.job_id = 'j-7'",
    ("v_meta a", "v_attributions b"): PAIR.format("a"),
    ("v_meta a", "v_executions b"): PAIR.format("a"),
    ("v_meta a", "v_observations b"): PAIR.format("a"),
}
"""What is joined on `job_key`, and what is asked: each matches one job."""
JOB: Final = (
    '{{"ID":"j-{0}","Name":"n-{0}","Namespace":"default","Type":"batch","Count":1,'
    '"Meta":{{"run":"r-{0}","owner":"o-{0}","bacalhau.org/requester.id":"node-{0}"}},'
    '"Labels":{{"team":"t-{0}"}},"Tasks":[{{"Name":"main","Engine":{{"Type":"docker"}}}}],'
    '"State":{{"StateType":"Completed"}},"Version":1,"Revision":2,'
    '"CreateTime":17000000000000{0:05},"ModifyTime":17000000000000{0:05}}}\n'
)
SMALL: Final = frozenset(("attribution_rules", "imports", "meta_keys", "readings", "sources"))
"""Tables that do not grow with jobs."""
OF_IMPORTS: Final = frozenset(("import_results", "rejections"))
"""Tables that questions about imports may read."""
MOST_ROWS: Final = 200
"""Rows that PostgreSQL may read of any table: a small one from end to end, of a large one few."""


@pytest.fixture(scope="module")
def one(factory: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Connect to a store of each engine with many jobs in it."""
    file: Path = tmp_path_factory.mktemp("jobs") / "jobs.ndjson"
    file.write_text("".join(JOB.format(n) for n in range(JOBS)))
    db = factory.new()
    assert cli.run(["ingest", str(file), "--db", db, "--quiet", "--jobs", "0"]) == 0
    assert cli.run(["ingest", str(ROOT / "examples"), "--db", db, "--quiet"]) == 1
    with administrator(db) as connected:
        yield connected
    factory.drop(db)


def joins() -> list[str]:
    """Return every question, with its views in every order."""
    found = []
    for views, condition in CONDITIONS.items():
        for order in permutations(views):
            names = [view.split()[1] for view in order]
            on = [f" JOIN {v} ON {v[-1]}.job_key = {names[0]}.job_key" for v in order[1:]]
            found.append(f"SELECT a.job_id FROM {order[0]}{''.join(on)} WHERE {condition}")
    return found


def read_whole(one: Any, sql: str) -> set[str]:
    """Return the tables of which a query reads most rows.

    On SQLite a query with LIMIT may follow an index that has its order: it stops early.
    """
    if one.is_sqlite:
        names = "SELECT rootpage, tbl_name, type FROM sqlite_master WHERE rootpage > 0"
        pages = {page: (table, kind) for page, table, kind in one.run(names)}
        program = one.run(f"EXPLAIN {sql}")
        opened = {step[2]: pages.get(step[3]) for step in program if step[1] == "OpenRead"}
        whole = {step[2] for step in program if step[1] in ("Rewind", "Last")}
        found = [of for cursor in whole if (of := opened.get(cursor))]
        return {table for table, kind in found if kind == "table" or "LIMIT" not in sql}
    one.run("BEGIN")
    for setting in PLAN_JOINS_OF_VIEWS.split(";"):
        one.run(setting)
    plan = one.run(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")[0][0]
    one.run("ROLLBACK")
    return set(_greedy(plan[0]["Plan"]))


def _greedy(node: dict[str, Any]) -> Iterator[str]:
    rows = node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0)
    if "Relation Name" in node and rows > MOST_ROWS:
        yield node["Relation Name"]
    for below in node.get("Plans", ()):
        yield from _greedy(below)


@pytest.mark.parametrize("is_analyzed", [False, True])
def test_joins_in_any_order(one: Any, is_analyzed: bool) -> None:
    if is_analyzed:
        one.run("ANALYZE")
    found = {sql: read_whole(one, sql) - SMALL for sql in joins()}
    assert len(found) == 28
    assert not {sql: tables for sql, tables in found.items() if tables}
    asked = [sql for sql in found if "v_executions" not in sql]
    assert all(one.run(sql)[0][0] == "j-7" for sql in asked)


@pytest.mark.parametrize(
    "question",
    [question for question in read_questions() if not question.is_about_all_jobs],
    ids=lambda question: str(question.number),
)
def test_questions(one: Any, question: Question) -> None:
    """Only a question that says so reads a table that grows with jobs from end to end."""
    one.run("ANALYZE")
    assert read_whole(one, question.sql) <= SMALL | OF_IMPORTS


@pytest.mark.parametrize("view", ["v_jobs", "v_meta", "v_observations", "v_attributions"])
def test_reading_everything_is_noticed(one: Any, view: str) -> None:
    assert read_whole(one, f"SELECT job_id FROM {view}") - SMALL
