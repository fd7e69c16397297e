"""The views keep their promises: names, types, meanings, and what an index answers."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

import pytest
import sqlalchemy as sa

from meta_audit.schema.contract import CONTRACT, VERSION
from meta_audit.store.location import locate

DECLARED: Final = {1: "d1f66966b3ee5c39", 2: "4a25b625c072d1fa", 3: "f21bdc695bffc0e5"}
"""Digests of the contract's versions. A change needs a new version, a migration that writes its
rows, and a line in CHANGELOG.md."""
GROWS: Final = {
    "current_jobs",
    "jobs",
    "job_versions",
    "meta_entries",
    "meta_pairs",
    "label_entries",
    "terms",
    "identities",
    "tasks",
    "documents",
    "executions",
    "job_events",
    "findings",
    "uses",
    "use_members",
}
"""Tables that grow with jobs. PostgreSQL plans to hash `observations`, in case there are readings,
and does not do it."""
SMALL: Final = {"readings", "q", "r", "k", "m", "s", "w", "attribution_rules", "CONSTANT"}
"""Names in the plans of SQLite of tables that are small, or are asked only whether they are empty:
readings, rules, keys, imports, sources, aliases."""
OF_POSTGRESQL: Final = {
    "text": {"text"},
    "integer": {"integer", "bigint"},
    "time": {"timestamp with time zone"},
    "json": {"jsonb"},
}


@pytest.fixture
def connection(db_url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(locate(db_url))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_a_change_is_declared() -> None:
    assert sha256(repr(CONTRACT).encode()).hexdigest()[:16] == DECLARED[VERSION]


def test_the_store_has_the_contract(connection: sa.Connection) -> None:
    found = connection.exec_driver_sql(
        'SELECT relation, "column", type, unit, meaning, example, fast_by, since, deprecated,'
        " contract FROM v_contract"
    )
    expected: set[tuple[Any, ...]] = set()
    for view, (meaning, promises) in CONTRACT.items():
        since = promises[0].since
        expected.add((view, "", "view", "", meaning, "", "", since, "", VERSION))
        expected |= {(view, *promise, VERSION) for promise in promises}
    assert {tuple(row) for row in found} == expected


def test_views_have_these_columns(connection: sa.Connection) -> None:
    inspector = sa.inspect(connection)
    assert set(inspector.get_view_names()) == set(CONTRACT)
    for view, (_, promises) in CONTRACT.items():
        found = connection.exec_driver_sql(f"SELECT * FROM {view} LIMIT 0").keys()
        assert list(found) == [promise.column for promise in promises], view
    if connection.dialect.name == "postgresql":
        types = connection.exec_driver_sql(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name LIKE 'v\\_%%'"
        )
        promised = {(v, p.column): p.type for v, (_, some) in CONTRACT.items() for p in some}
        for view, column, type_ in types:
            assert type_ in OF_POSTGRESQL[promised[view, column]], (view, column)


def scans(connection: sa.Connection, sql: str) -> set[str]:
    """Tables that the plan reads from end to end, but for small ones."""
    if connection.dialect.name == "sqlite":
        steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
        found = {step.split()[1] for step in steps if step.startswith("SCAN ")}
        return {name for name in found - SMALL if name[0] != "("}
    connection.exec_driver_sql("SET enable_seqscan = off")
    lines = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}")]
    return {line.split(" on ")[1].split()[0] for line in lines if "Seq Scan on" in line} & GROWS


def test_an_index_answers_what_is_said_to_be_fast(connection: sa.Connection) -> None:
    asked = 0
    for view, (_, promises) in CONTRACT.items():
        for promise in promises:
            column, fast = promise.column, promise.fast_by
            value = "7" if promise.type == "integer" else "'2024-03-01'"
            beside = " AND key = 'k'" if "beside key" in fast else ""
            sql = f"SELECT * FROM {view} WHERE {column}"
            questions = [f"{sql} = {value}{beside}"] if fast.startswith("=") else []
            if "range" in fast:
                questions += [f"{sql} >= {value} AND {column} < {value}"]
            if "order" in fast:
                questions += [f"SELECT * FROM {view} ORDER BY {column} DESC LIMIT 9"]
            for question in questions:
                found = scans(connection, question) - ({"c"} if "ORDER" in question else set())
                assert not found, (question, found)
                asked += 1
    assert asked > 40
