"""What a person writes in SQL can read, and nothing else, on each engine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import psycopg
import pytest

import meta_audit
from meta_audit.errors import StoreError, UsageError
from tests.conftest import ROOT, Audit

HOSTILE: Final = (
    "DELETE FROM jobs",
    "UPDATE jobs SET job_id = 'x'",
    "INSERT INTO jobs SELECT * FROM jobs",
    "WITH gone AS (DELETE FROM jobs RETURNING 1) SELECT * FROM gone",
    "CREATE TABLE mine (x integer)",
    "CREATE TEMPORARY TABLE mine (x integer)",
    "DROP TABLE jobs",
    "SELECT 1; DELETE FROM jobs",
    "SELECT 1; COMMIT; DELETE FROM jobs",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "VACUUM",
    "ANALYZE",
    "",
    "-- nothing",
    # SQLite
    "ATTACH 'mine.db' AS mine",
    "VACUUM INTO 'mine.db'",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "PRAGMA locking_mode = EXCLUSIVE",
    "SELECT load_extension('mine.so')",
    "DETACH main",
    # PostgreSQL
    "COPY jobs TO PROGRAM 'touch mine'",
    "COPY (SELECT 1) TO 'mine'",
    "SET ROLE pg_write_all_data",
    "SET TRANSACTION READ WRITE",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE",
    "SELECT lock_id FROM writer_lock FOR UPDATE",
    "SELECT * INTO mine FROM jobs",
    "DO $$ BEGIN DELETE FROM jobs; END $$",
    "CALL mine()",
    "PREPARE mine AS SELECT 1",
    "LISTEN mine",
    "EXPLAIN ANALYZE DELETE FROM jobs",
    "EXPLAIN SELECT 1; DELETE FROM jobs",
)
SLOW: Final = """
    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT {} FROM n"""


def test_only_reading_is_possible(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    audit.ingest(ROOT / "examples/v1.1-job.json")
    before = audit.raw()
    with meta_audit.open(str(audit.db)) as store, store.snapshot() as now:
        for statement in HOSTILE:
            for asked in (now, store):
                with pytest.raises(UsageError):
                    asked.sql(statement)
            assert now.sql("SELECT count(*) FROM jobs").rows == ((1,),), statement
    assert audit.raw() == before
    assert not list(tmp_path.glob("mine*"))


def test_time_is_limited(audit: Audit) -> None:
    audit.ingest(ROOT / "examples/v1.1-job.json")
    began = time.monotonic()
    with meta_audit.open(str(audit.db)) as store, store.snapshot() as now:
        for query in (SLOW.format("count(*)"), SLOW.format("x")):
            with pytest.raises(UsageError, match=r"longer than 0\.2 s"):
                now.sql(query, seconds=0.2)
        if not isinstance(audit.db, Path):
            for query in (
                "SELECT pg_sleep(20)",
                "SELECT set_config('statement_timeout', '0', false), pg_sleep(0.001)"
                " FROM generate_series(1, 100000)",
            ):
                with pytest.raises(UsageError, match="longer than"):
                    now.sql(query, seconds=0.2)
        with now.select("SELECT 1", seconds=0.3) as found:
            time.sleep(0.4)  # a slow reader is no slow query
            assert list(found.rows) == [(1,)]
    assert time.monotonic() - began < 10


def test_a_reader_blocks_no_import(audit: Audit) -> None:
    """Not even one who takes the lock of an upgrade, or changes into another role."""
    audit.ingest(ROOT / "examples/v1.1-job.json")
    queries = ["SELECT job_id FROM jobs"]
    if not isinstance(audit.db, Path):
        locks = "pg_advisory_lock(1296393313, hashtext(current_schema())), pg_advisory_lock(1)"
        queries += [
            f"SELECT {locks}",
            "SELECT set_config('role', 'pg_monitor', false)",
            "SELECT set_config('search_path', 'pg_catalog', false)",
        ]
    with meta_audit.open(str(audit.db)) as store:
        for query in queries:
            with store.select(query) as found:
                rows = list(found.rows)
                assert len(rows) == 1
                assert audit.ingest(ROOT / "examples/v1.6-jobs.ndjson").status in (0, 1)
        assert store.sql("SELECT count(*) FROM jobs").rows[0][0] > 1
        if not isinstance(audit.db, Path):
            with psycopg.connect(audit.db.replace("+psycopg", "")) as other:
                held = other.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")
                assert held.fetchall() == []
            assert store.sql("SHOW search_path").rows != (("pg_catalog",),)


def test_values_are_the_same_on_each_engine(audit: Audit) -> None:
    audit.ingest(ROOT / "examples")
    with meta_audit.open(str(audit.db)) as store:
        query = """
            SELECT count(*) AS n, sum(size) AS n, 1.5 AS half, NULL AS missing, 'it''s ?;%' AS text
            FROM documents WHERE size > ?"""
        assert store.sql("SELECT '100%' AS a, '?' AS b").rows == (("100%", "?"),)
        found = store.sql(query.replace(" ?;", ""), 0)
        assert found.columns == ("n", "n_2", "half", "missing", "text")
        ((number, total, *rest),) = found.rows
        assert (type(number), type(total)) == (int, int)
        assert rest == [1.5, None, "it's%"]
        ((digest,),) = store.sql("SELECT sha256 FROM documents LIMIT 1").rows
        assert (type(digest), len(digest)) == (bytes, 32)
        shown = store.sql("SELECT sha256 AS s FROM documents LIMIT 1").to_dict()
        assert len(shown["rows"][0]["s"]) == 64
        assert store.sql("EXPLAIN SELECT 1").rows
        if not isinstance(audit.db, Path):
            assert store.sql(
                "SELECT 1 = 1, TIMESTAMPTZ '2024-01-02 03:04:05.678+01', 'infinity'::timestamptz,"
                " ARRAY[1, 2], '{\"a\": 1}'::jsonb, 'jobs'::regclass, DATE '2024-01-02',"
                " INTERVAL '1 year', 12345678901234567890.5::numeric"
            ).rows[0] == (
                *(True, "2024-01-02T02:04:05.678Z", "infinity", "{1,2}", '{"a": 1}', "jobs"),
                *("2024-01-02", "1 year", 12345678901234567890.5),
            )


def test_many_rows_are_streamed(audit: Audit) -> None:
    audit.ingest(ROOT / "examples/v1.1-job.json")
    numbers = SLOW.format("x") + " LIMIT 3000"
    with meta_audit.open(str(audit.db)) as store:
        with store.select(numbers) as found:
            first = next(found.rows)
            assert store.sql("SELECT 1 AS other").rows == ((1,),)
            assert [first[0], *(row[0] for row in found.rows)] == list(range(1, 3001))
        with pytest.raises(UsageError, match="no_table"):
            store.sql("SELECT x FROM no_table")
        with pytest.raises((UsageError, StoreError)):
            store.sql("SELECT x FROM jobs WHERE job_id = ?", "a", "b")
