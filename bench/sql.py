"""Times of every query of docs/questions.md, on both engines and beside DuckDB and jsonb.

    python -m bench.sql --count 100000
    python -m bench.sql --sqlite STORE --postgresql URL          # stores that are there

Without stores it generates the documents, ingests them into SQLite and copies that store to a
PostgreSQL server of its own with that server's default settings. `--ndjson FILE` adds DuckDB over
the same documents (NDJSON and Parquet), and `--jsonb URL` an empty database for PostgreSQL jsonb
with a GIN index. Each query is asked up to `--times` times, with values of jobs drawn from the
whole store, in one process with one connection; printed are milliseconds at the median and at the
99th percentile (with fewer than 100 times, the greatest). One that takes over a second is asked
three times; one that takes over `--limit` seconds is stopped.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psycopg

from bench import sql_peers
from bench.generate import Generator, write
from bench.measure import ROOT
from bench.pg import DEFAULTS
from meta_audit.store.postgresql.select import PLAN_JOINS_OF_VIEWS
from tests.docs.questions import Question, read_questions
from tests.engines import Server

DATA = ROOT / "bench" / "data"
Ask = Callable[[str], object]
Subject = dict[str, str]

EXAMPLES = {
    "'j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e'": "{job}",
    "'j-4cd1566f-84cb-4830-a96b-1349f5b54b1b'": "{job}",
    "'61e542a7-bea1-4382-b3c9-40050d143ad6'": "{job}",
    "'07bde6e8241b19d58c1c5ff3e8ec17e1e80ac6424cd029bd1317a60f1705b583'": "{client}",
    "'bae9c3b2adfa04cc647a2457e8c0c605cef8ed93bdea5ac5f19f94219f722dfe'": "{client}",
    "'QmYgxZiySj3MRkwLSL4X2MF5F9f2PMhAE3LV49XkfNL1o3'": "{requester}",
    "'node-0'": "{requester}",
    "'finance'": "{project}",
    "'%finance%'": "'%' || {project} || '%'",
    "'extract'": "{stage}",
    "'nightly-report'": "{name}",
    "'team'": "'cost-centre'",
    "'data'": "{label}",
    "'default'": "{namespace}",
    "'7d3f0b52-19f2-4a05-a2a1-8d1f6f0f6f3b'": "{installation}",
    "1682899200000000000": "{from_ns}",
    "1685577600000000000": "{until_ns}",
    "1727740800000000000": "{from_ns}",
    "1735689600000000000": "{until_ns}",
    "1730419200000000000": "{from_ns}",
    "1733011200000000000": "{until_ns}",
}
"""Values of `examples/` in the queries, and what stands for them in a store of generated jobs."""
_MONTH_NS = 30 * 86_400_000_000_000

_DRAW = """
SELECT j.job_id, j.namespace, j.name, j.client, j.requester, j.created_ns,
  (SELECT value FROM v_meta WHERE job_key = j.job_key AND key = 'project'),
  (SELECT min(value) FROM v_meta WHERE job_key = j.job_key AND key = 'stage'),
  (SELECT value FROM v_labels WHERE job_key = j.job_key AND key = 'cost-centre'),
  (SELECT max(value) FROM v_attributions
   WHERE job_key = j.job_key AND role = 'client_installation')
FROM v_jobs j WHERE j.job_key = {key}"""
_NAMES = [
    "job",
    "namespace",
    "name",
    "client",
    "requester",
    "from_ns",
    "project",
    "stage",
    "label",
    "installation",
]


def subjects(connection: sqlite3.Connection, times: int) -> list[Subject]:
    """Values of jobs from all over the store, quoted; a job without client lends another's."""
    (last,) = connection.execute("SELECT max(job_key) FROM v_jobs").fetchone()
    drawn: list[Subject] = []
    lent: Subject = {}
    for key in random.Random(1).choices(range(1, last + 1), k=times * 2):
        row = connection.execute(_DRAW.format(key=key)).fetchone()
        found = dict(zip(_NAMES, row, strict=True))
        until = {"until_ns": str(found["from_ns"] + _MONTH_NS)}
        quoted = {name: _quoted(value) for name, value in found.items() if value is not None}
        lent |= quoted
        drawn.append({**lent, **quoted, **until})
    return drawn[times:]


def _quoted(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def template(question: Question) -> str:
    """The query with names in the place of the examples' values."""
    sql = question.sql.removeprefix("-- all jobs\n")
    for example, name in EXAMPLES.items():
        sql = sql.replace(example, name)
    return sql


def milliseconds(ask: Ask, sql: str, drawn: Sequence[Subject]) -> list[float] | None:
    """Of each subject; None if the query was stopped."""
    took: list[float] = []
    for subject in drawn:
        began = time.perf_counter()
        try:
            ask(sql.format(**subject))
        except (sqlite3.OperationalError, psycopg.errors.QueryCanceled) as error:
            if "interrupted" in str(error) or "timeout" in str(error):
                return None
            raise
        took.append((time.perf_counter() - began) * 1e3)
        if len(took) == 3 and median(took) > 1000:
            break
    return took


def cell(took: list[float] | None, limit: float) -> str:
    """Median and 99th percentile."""
    if took is None:
        return f"> {limit:,.0f} s"
    worst = quantiles(took, n=100)[98] if len(took) >= 100 else max(took)
    return " / ".join(f"{one:,.0f}" if one >= 10 else f"{one:.1f}" for one in (median(took), worst))


def of_sqlite(store: str, limit: float) -> tuple[Ask, sqlite3.Connection]:
    """Ask an SQLite store."""
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    until = [0.0]
    connection.set_progress_handler(lambda: time.perf_counter() > until[0], 100_000)

    def ask(sql: str) -> object:
        until[0] = time.perf_counter() + limit
        return connection.execute(sql).fetchall()

    until[0] = float("inf")
    return ask, connection


def of_postgresql(url: str, limit: float) -> Ask:
    """Ask a PostgreSQL database."""
    connection = psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True)
    connection.execute(f"SET statement_timeout = {int(limit * 1000)}")
    for setting in PLAN_JOINS_OF_VIEWS.split(";"):  # as docs/postgresql.md advises
        connection.execute(setting.replace("LOCAL ", "").encode())
    return lambda sql: connection.execute(sql).fetchall()  # type: ignore[arg-type]


def of_duckdb(view: str) -> Ask:
    """Ask DuckDB about a file."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(view)
    return lambda sql: connection.execute(sql).fetchall()


def peers(ndjson: Path | None, jsonb: str | None, limit: float) -> Iterator[tuple[Any, ...]]:
    """Each peer: its title, how to ask it, its queries."""
    if ndjson:
        import duckdb

        parquet = ndjson.with_suffix(".parquet")
        if not parquet.exists():
            connection = duckdb.connect()
            connection.execute(sql_peers.NDJSON.replace("{file}", str(ndjson)))
            connection.execute(sql_peers.TO_PARQUET.format(file=parquet))
        view = sql_peers.NDJSON.replace("{file}", str(ndjson))
        yield "DuckDB, NDJSON", of_duckdb(view), sql_peers.DUCKDB
        view = sql_peers.PARQUET.format(file=parquet)
        yield "DuckDB, Parquet", of_duckdb(view), sql_peers.DUCKDB
        if jsonb:
            plain = jsonb.replace("postgresql+psycopg", "postgresql")
            _run("bench.peer_pg_jsonb", str(ndjson), plain)
            ask = of_postgresql(jsonb, limit)
            with psycopg.connect(plain, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE raw")
            yield "jsonb + GIN", ask, sql_peers.JSONB


def _run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, check=True)


@contextmanager
def made(count: int) -> Iterator[tuple[str, str, Path, str]]:
    """Make the documents, both stores and an empty database."""
    DATA.mkdir(parents=True, exist_ok=True)
    ndjson, store = DATA / f"sql-{count}.ndjson", DATA / f"sql-{count}.db"
    if not ndjson.exists():
        with ndjson.open("wb") as out:
            write(Generator(1).documents(0, count), out)
    if not store.exists():
        _run("meta_audit", "ingest", str(ndjson), "--db", str(store), "--quiet")
    server = Server(DEFAULTS, where=tempfile.gettempdir())
    try:
        url = server.url(server.create_store())
        _run("meta_audit", "db", "copy", str(store), url, "--quiet")
        yield str(store), url, ndjson, server.url(server.create())
    finally:
        server.stop()


def measure(
    store: str, url: str, ndjson: Path | None, jsonb: str | None, *, times: int, limit: float
) -> None:
    """Print a row for each question as it is answered."""
    ask, connection = of_sqlite(store, limit)
    drawn = subjects(connection, times)
    asked = [("SQLite", ask, None), ("PostgreSQL", of_postgresql(url, limit), None)]
    asked += peers(ndjson, jsonb, limit)
    print(f"{os.cpu_count()} processors, SQLite {sqlite3.sqlite_version}; ms, p50 / p99")
    print("| question | " + " | ".join(title for title, _, _ in asked) + " |")
    print("|---|" + "---:|" * len(asked), flush=True)
    for question in read_questions():
        cells = []
        for _, one, queries in asked:
            sql = template(question) if queries is None else queries.get(question.number)
            took = milliseconds(one, sql, drawn) if sql else None
            cells.append(cell(took, limit) if sql else "")
        mark = " (all jobs)" if question.is_about_all_jobs else ""
        print(f"| {question.number}{mark} | {' | '.join(cells)} |", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.sql", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--sqlite")
    parser.add_argument("--postgresql")
    parser.add_argument("--ndjson", type=Path)
    parser.add_argument("--jsonb")
    given = parser.parse_args(arguments)
    if given.sqlite and given.postgresql:
        stores = (given.sqlite, given.postgresql, given.ndjson, given.jsonb)
        measure(*stores, times=given.times, limit=given.limit)
        return
    with made(given.count) as stores:
        measure(*stores, times=given.times, limit=given.limit)


if __name__ == "__main__":
    main()
