"""Questions to stores of the same documents on both engines, side by side.

    python -m bench.reads SQLITE_FILE POSTGRESQL_URL

Both stores must come from the same ingest (`meta-audit db copy` makes one of the other). Each
question is asked of both in turn, with subjects drawn from all over the store; printed are
milliseconds at the median and at the 99th percentile, and what one round trip to the server
costs (`SELECT 1`).
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median, quantiles
from typing import Any

from meta_audit.query.statements import rows
from sqlalchemy import Connection, text

from meta_audit.query.find import find
from meta_audit.query.matching import Search
from meta_audit.query.trace import trace
from meta_audit.search.expression import EVERYTHING, All, Equals, Is
from meta_audit.store.opening import open_to_read

TIMES = 300
LIMIT = 20
Question = Callable[[Connection, Any], Any]

JOBS = "SELECT job_id FROM jobs WHERE job_key = ?"
PAIRS = """
    SELECT k.key, p.value FROM meta_entries r JOIN meta_pairs p ON p.pair_id = r.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id WHERE r.job_key = ? ORDER BY r.pair_id"""
CLIENTS = "SELECT client FROM v_jobs WHERE job_key = ?"
VIEWS = {
    "v_jobs by ID": "SELECT * FROM v_jobs WHERE job_id = :job",
    "v_meta by ID": "SELECT * FROM v_meta WHERE job_id = :job",
    "v_observations by ID": "SELECT * FROM v_observations WHERE job_id = :job",
    "v_attributions by ID": "SELECT * FROM v_attributions WHERE job_id = :job",
}
BY_CLIENT = "SELECT job_id FROM v_attributions WHERE role = 'client' AND value = :client"
COUNT = "SELECT count(*) FROM v_jobs"
BY_KEY = "SELECT key, count(*) FROM v_meta GROUP BY key"


def _pair(key: str, value: str) -> Equals:
    return Equals(key, (value,))


def subjects(connection: Connection) -> dict[str, list[Any]]:
    """IDs, pairs and clients of jobs drawn from all over the store."""
    last = rows(connection, "SELECT max(job_key) FROM jobs")[0][0]
    keys = random.Random(1).choices(range(1, last + 1), k=TIMES)
    pairs = [rows(connection, PAIRS, key) for key in keys]
    common = [_pair(*found[0]) for found in pairs if found]
    rare = [_pair(*found[-1]) for found in pairs if found]
    clients = [rows(connection, CLIENTS, key)[0][0] for key in keys]
    named = [client for client in clients if client]
    return {
        "job": [rows(connection, JOBS, key)[0][0] for key in keys],
        "common": common,
        "rare": rare,
        "both": list(zip(common, rare, strict=True)),
        "client": named,
    }


def questions() -> list[tuple[str, str, Question, int]]:
    """Each question: its name, what it is asked of, how, how often."""
    asked: list[tuple[str, str, Question, int]] = [
        ("a round trip", "job", lambda c, _: rows(c, "SELECT 1"), TIMES),
        ("trace", "job", trace, TIMES),
        ("find, common pair", "common", lambda c, p: find(c, Search(p), LIMIT), TIMES),
        ("find, rare pair", "rare", lambda c, p: find(c, Search(p), LIMIT), TIMES),
        ("find, both", "both", lambda c, p: find(c, Search(All(p)), LIMIT), TIMES),
        ("find, client", "client", lambda c, v: find(c, Search(Is("client", v)), LIMIT), TIMES),
        ("find, newest of all", "job", lambda c, _: find(c, Search(EVERYTHING), LIMIT), 5),
    ]
    for name, sql in VIEWS.items():
        asked.append((name, "job", _view(sql, "job"), TIMES))
    asked.append(("v_attributions by client", "client", _view(BY_CLIENT, "client"), TIMES // 10))
    asked.append(("v_jobs counted", "job", _view(COUNT, ""), 1))
    asked.append(("v_meta by key", "job", _view(BY_KEY, ""), 1))
    return asked


def _view(sql: str, name: str) -> Question:
    statement = text(sql)
    return lambda c, value: c.execute(statement, {name: value} if name else {}).fetchall()


def milliseconds(connection: Connection, question: Question, some: Sequence[Any]) -> list[float]:
    """Of each subject."""
    took = []
    for subject in some:
        began = time.perf_counter()
        question(connection, subject)
        took.append((time.perf_counter() - began) * 1e3)
        connection.rollback()
    return took


def main() -> None:
    """Run the command line."""
    names = ("SQLite", "PostgreSQL")
    stores = [open_to_read(url) for url in sys.argv[1:3]]
    with stores[0].engine.connect() as one, stores[1].engine.connect() as other:
        drawn = subjects(one)
        print("| ms | " + " | ".join(f"{name} p50 | p99" for name in names) + " |")
        print("|---|---|---|---|---|")
        for name, kind, question, times in questions():
            cells = []
            for connection in (one, other):
                milliseconds(connection, question, drawn[kind][: min(times, 6)])
                took = milliseconds(connection, question, drawn[kind][:times])
                worst = quantiles(took, n=100)[98] if len(took) >= 100 else max(took)
                cells += [f"{median(took):.2f}", f"{worst:.2f}"]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
