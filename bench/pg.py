"""Ingest into PostgreSQL, side by side with the bare limit and with jsonb.

    python -m bench.pg --count 100000 --rounds 3

Each round runs every contender once, each into a database of its own: first a file into the
empty store, then a second file of as many other jobs into the store that holds the first one
(the figures of "existing store"). The server is that of the tests (tests.engines), on a disk and
with PostgreSQL's own settings. Prints rates by wall time, ratios within each round, and what the
second file cost in processor time: on a busy machine that is the steadier figure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from bench.generate import Generator, write
from bench.measure import ROOT
from tests.engines import Server

DEFAULTS = {"shared_buffers": "128MB", "max_wal_size": "1GB"}
"""PostgreSQL's own; the tests' servers have less."""
DATA = ROOT / "bench" / "data"
Contender = Callable[[list[Path], str], list[list[str]]]
"""From the halves of a file and a URL: commands that run at once."""


def ours(jobs: int, processes: int = 1) -> Contender:
    """The product, with so many parsing processes each."""

    def commands(halves: list[Path], url: str) -> list[list[str]]:
        files = [[half] for half in halves] if processes == 2 else [halves]
        return [
            [
                *(sys.executable, "-m", "meta_audit", "ingest", *map(str, some)),
                *("--db", url, "--jobs", str(jobs), "--format", "json"),
            ]
            for some in files
        ]

    return commands


def peer(module: str) -> Contender:
    """A peer; libpq knows no driver in a URL."""

    def commands(halves: list[Path], url: str) -> list[list[str]]:
        plain = url.replace("postgresql+psycopg", "postgresql")
        whole = halves[0].with_name(halves[0].name.replace("-a.", "."))
        return [[sys.executable, "-m", module, str(whole), plain]]

    return commands


CONTENDERS: dict[str, Contender] = {
    "ingest": ours(1),
    "ingest --jobs 0": ours(0),
    "ingest --jobs 2": ours(2),
    "two ingests at once": ours(1, processes=2),
    "two ingests at once, --jobs 0": ours(0, processes=2),
    "orjson, COPY, live indexes": peer("bench.peer_pg_copy"),
    "COPY jsonb, GIN": peer("bench.peer_pg_jsonb"),
}
LIMIT = "orjson, COPY, live indexes"


def seconds(commands: list[list[str]]) -> float:
    """Wall seconds until all of them have ended."""
    began = time.perf_counter()
    running = [
        subprocess.Popen(c, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for c in commands
    ]
    for process in running:
        _, said = process.communicate()
        if process.returncode:
            raise SystemExit(f"{process.args}: {said[-2000:]}")
    return time.perf_counter() - began


def cpu(server: Server) -> tuple[float, float]:
    """Processor seconds so far: of what this program started and waited for, of the server."""
    mine = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for pid in (server.pid, *children):
        with suppress(FileNotFoundError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            # utime, stime; of the server also those of children that ended: proc(5).
            ticks += sum(map(int, fields[11 : 15 if pid == server.pid else 13]))
    return mine.ru_utime + mine.ru_stime, ticks / os.sysconf("SC_CLK_TCK")


def files(count: int) -> Iterator[list[Path]]:
    """Two files of different jobs, each whole and in halves; yields the halves."""
    DATA.mkdir(parents=True, exist_ok=True)
    for start in (0, count):
        whole = DATA / f"pg-{start}-{count}.ndjson"
        halves = [whole.with_name(f"pg-{start}-{count}-{half}.ndjson") for half in "ab"]
        if not halves[1].exists():
            with whole.open("wb") as out:
                write(Generator(1).documents(start, count), out)
            lines = whole.read_bytes().splitlines(keepends=True)
            for half, some in zip(halves, (lines[: count // 2], lines[count // 2 :]), strict=True):
                half.write_bytes(b"".join(some))
        yield halves


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.pg", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=list(CONTENDERS))
    chosen = parser.parse_args(arguments)
    server = Server(DEFAULTS, where=tempfile.gettempdir())
    rates: dict[str, list[tuple[float, float]]] = {}
    costs: dict[str, list[tuple[float, float]]] = {}
    sizes: dict[str, int] = {}
    try:
        first, second = files(chosen.count)
        names = chosen.only or list(CONTENDERS)
        for number in range(chosen.rounds):
            # In another order each round, so that nobody always comes after the same one.
            for name in [*names[number % len(names) :], *names[: number % len(names)]]:
                database = server.create_store()
                url, contender = server.url(database), CONTENDERS[name]
                both, used = [], []
                for some in (first, second):
                    before = cpu(server)
                    both.append(chosen.count / seconds(contender(some, url)))
                    used = [b - a for a, b in zip(before, cpu(server), strict=True)]
                rates.setdefault(name, []).append((both[0], both[1]))
                costs.setdefault(name, []).append((used[0], used[1]))
                with server.connect(database) as connection:
                    row = connection.execute("SELECT pg_database_size(current_database())")
                    sizes[name] = row.fetchone()[0] // (2 * chosen.count)
                server.drop(database)
                print(f"{name}: {both[0]:,.0f}, then {both[1]:,.0f}", file=sys.stderr, flush=True)
    finally:
        server.stop()
    print(f"{platform.platform()}, {os.cpu_count()} processors, SQLAlchemy {sa.__version__}")
    print(
        "| documents/s, median | empty store | existing store | of the limit"
        " | CPU µs per document: client | server | bytes per job |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in names:
        empty, existing = (median(r[n] for r in rates[name]) for n in (0, 1))
        of_limit = "–"
        if LIMIT in rates:
            pairs = zip(rates[name], rates[LIMIT], strict=True)
            of_limit = f"{median(a[1] / b[1] for a, b in pairs):.2f}"
        client, its_server = (
            median(c[n] for c in costs[name]) / chosen.count * 1e6 for n in (0, 1)
        )
        print(
            f"| {name} | {empty:,.0f} | {existing:,.0f} | {of_limit}"
            f" | {client:.0f} | {its_server:.0f} | {sizes[name]:,} |"
        )
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
