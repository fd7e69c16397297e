"""On PostgreSQL, the work of `verify` grows with the store, and not with its square."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from meta_audit import cli
from meta_audit.schema.current_jobs import current_jobs
from meta_audit.schema.tables import DATA_TABLES
from meta_audit.verify.checks import indexes
from meta_audit.verify.checks.indexes import ByIndex, check_by_lookups, postgresql_indexes
from meta_audit.verify.outcome import Damages
from tests.engines import Server
from tests.store.test_plans import JOB, JOBS
from tests.store_factory import administrator

MOST: Final = 10 * JOBS
"""Rows that a plan may look at in vain; a loop within a loop looks at `JOBS` times `JOBS`."""


@pytest.fixture(scope="module")
def one(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Connect to a store with many jobs of one namespace, each of another requester."""
    file = tmp_path_factory.mktemp("jobs") / "jobs.ndjson"
    file.write_text("".join(JOB.format(n) for n in range(JOBS)))
    db = postgres.url(postgres.create_store())
    assert cli.run(["ingest", str(file), "--db", db, "--quiet", "--jobs", "0"]) == 0
    with administrator(db) as connected:
        yield connected


def in_vain(one: Any, sql: str) -> int:
    """Return how many rows a statement looks at and puts aside."""
    return _removed(one.run(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")[0][0][0]["Plan"])


def _removed(node: dict[str, Any]) -> int:
    here = sum(count for name, count in node.items() if name.startswith("Rows Removed by"))
    return int(here * node["Actual Loops"]) + sum(map(_removed, node.get("Plans", ())))


@pytest.mark.parametrize("is_analyzed", [False, True])
def test_rows_of_jobs_are_computed_in_one_pass(one: Any, is_analyzed: bool) -> None:
    if is_analyzed:
        one.run("ANALYZE")
    sql = current_jobs(f"BETWEEN 0 AND {JOBS}")
    assert len(one.run(sql)) == JOBS
    assert in_vain(one, sql) < MOST


@pytest.mark.parametrize("way", [(False, False), (True, False)])
def test_each_row_is_looked_up_alone(one: Any, way: tuple[bool, bool], monkeypatch: Any) -> None:
    monkeypatch.setattr(indexes, "_WAYS", (way,))
    one.run("ANALYZE")
    looked_at: dict[str, int] = {}

    def query(sql: str, *parameters: Any) -> list[Any]:
        if sql.startswith("SELECT o.k"):
            looked_at[f"{index.name}: {sql}"] = in_vain(one, sql)
        found: list[Any] = one.run(sql, *parameters)
        return found

    checked = 0
    for index in postgresql_indexes(one.run, frozenset(DATA_TABLES)):
        with one.transaction():
            checked += not check_by_lookups(ByIndex(query), index, 1, Damages())
    assert checked > 25
    assert {sql: rows for sql, rows in looked_at.items() if rows > MOST} == {}
