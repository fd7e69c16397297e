"""Ask a lake, or a store beside it, what takes long, and look single jobs up.

    python -m bench.lake LAKE --engine duckdb
    python -m bench.lake LAKE --engine trace --jobs 20
    python -m bench.lake LAKE --engine spark --jars JAR,JAR    # by a Python that has pyspark
    python -m bench.lake STORE --engine store

Each question gives its rows to nobody: they are counted. Seconds are those of the clock, and of the
processor of all threads (of Spark: of its Java process).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from bench.generate import Generator

_PAIRS: Final = """
    v_meta {0} ON {0}.job_key = j.job_key AND {0}.version_no = j.version_no
        AND {0}.task_no = 0 AND {0}.key = '{1}'"""
QUESTIONS: Final = {
    "Meta of all jobs pivoted by three keys": """
        SELECT count(*), count(project), count(env), count(team) FROM (
            SELECT m.job_key, max(CASE WHEN m.key = 'project' THEN m.value END) AS project,
                max(CASE WHEN m.key = 'env' THEN m.value END) AS env,
                max(CASE WHEN m.key = 'team' THEN m.value END) AS team
            FROM v_meta m WHERE m.task_no = 0 AND m.key IN ('project', 'env', 'team')
            GROUP BY m.job_key) p""",
    "one key by team by month": f"""
        SELECT t.value, {{month}} AS m, e.value, count(*)
        FROM v_jobs j JOIN {_PAIRS.format("t", "team")} JOIN {_PAIRS.format("e", "env")}
        GROUP BY t.value, {{month}}, e.value""",
    "clients without proof": """
        SELECT client, count(*) FROM v_jobs WHERE client IS NOT NULL
        GROUP BY client HAVING max(CASE WHEN client_trust = 'proven' THEN 1 ELSE 0 END) = 0""",
}
_MONTH: Final = {
    "duckdb": "strftime(j.created_at, '%Y-%m')",
    "spark": "date_format(j.created_at, 'yyyy-MM')",
    "sqlite": "substr(j.created_at, 1, 7)",
    "postgresql": "to_char(j.created_at, 'YYYY-MM')",
}
_MEMORY: Final = "3GB"
Ask = Callable[[str], int]
Clock = Callable[[], float]


def ask(engine: str, query: Ask, clock: Clock) -> None:
    """Ask the questions, and print what each took."""
    for what, sql in QUESTIONS.items():
        began, before = time.perf_counter(), clock()
        rows = query(sql.format(month=_MONTH[engine]))
        took, used = time.perf_counter() - began, clock() - before
        print(f"{engine}: {what}: {rows:,} rows, {took:.1f} s, processor {used:.1f} s", flush=True)


def duckdb(lake: str) -> None:
    """Ask DuckDB."""
    import duckdb as engine

    from meta_audit.lake.catalog import Lake

    opened = Lake(lake, None, make=False)
    connection = engine.connect(config={"memory_limit": _MEMORY, "threads": os.cpu_count()})
    for name in ("v_jobs", "v_meta"):
        files = [task.file.file_path for task in opened.table(name).scan().plan_files()]
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({files})")
    ask("duckdb", lambda sql: len(connection.execute(sql).fetchall()), time.process_time)


def spark(lake: str, jars: str) -> None:
    """Ask Spark, in one process."""
    from pyspark.sql import SparkSession

    catalog = "spark.sql.catalog.lake"
    settings = {
        "spark.jars": jars,
        "spark.driver.memory": "4g",
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "8",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "jdbc",
        f"{catalog}.uri": f"jdbc:sqlite:{Path(lake).resolve()}/catalog.db",
        f"{catalog}.warehouse": f"file://{Path(lake).resolve()}",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    session.sql("USE lake.meta_audit")
    java = session.sparkContext._gateway.proc.pid

    def clock() -> float:
        with open(f"/proc/{java}/stat") as file:
            user, system = file.read().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    ask("spark", lambda sql: len(session.sql(sql).collect()), clock)
    session.stop()


def store(location: str) -> None:
    """Ask the store itself; the processor of a server is not counted."""
    from contextlib import closing

    from meta_audit.store.opening import open_to_read

    with closing(open_to_read(location)) as opened, opened.engine.connect() as connection:

        def query(sql: str) -> int:
            return len(connection.exec_driver_sql(sql).fetchall())

        ask(opened.engine.dialect.name, query, time.process_time)


def ids(count: int, jobs: int) -> Iterator[str]:
    """Yield the IDs of some generated jobs, spread evenly over all."""
    generator = Generator(1)
    for number in range(0, jobs, max(1, jobs // count)):
        (document,) = generator.documents(number, 1)
        yield document.split('"', 4)[3]


def trace(lake: str, count: int, jobs: int) -> None:
    """Run the command that finds one job, for some jobs: start to exit."""
    took, used = [], []
    for job_id in ids(count, jobs):
        began, before = time.perf_counter(), os.times()
        command = [sys.executable, "-m", "meta_audit", "lake", "trace", lake, job_id]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        took.append(time.perf_counter() - began)
        used.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
    for what, some in (("seconds", took), ("processor", used)):
        median, most = statistics.median(some), max(some)
        print(f"trace of {len(some)}: {what} {median:.2f} (median), {most:.2f} (most)")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.lake", description=__doc__)
    parser.add_argument("place", help="the lake, or the store")
    parser.add_argument("--engine", choices=("duckdb", "spark", "store", "trace"), required=True)
    parser.add_argument("--jars", default="", help="of Iceberg and of the catalog's database")
    parser.add_argument("--jobs", type=int, default=20, help="jobs to trace")
    parser.add_argument("--of", type=int, default=10_000_000, help="generated jobs in the lake")
    chosen = parser.parse_args(arguments)
    run: dict[str, Callable[[], Any]] = {
        "duckdb": lambda: duckdb(chosen.place),
        "spark": lambda: spark(chosen.place, chosen.jars),
        "store": lambda: store(chosen.place),
        "trace": lambda: trace(chosen.place, chosen.jobs, chosen.of),
    }
    run[chosen.engine]()


if __name__ == "__main__":
    main()
