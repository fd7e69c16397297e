"""Measures this project's ingest and its peers in one go, on the same file, on this machine.

    python -m bench.run --count 100000 --rounds 3
    python -m bench.run --count 1000000 --rounds 3 --only ours,plain,again,add,trace

Rounds are interleaved (each contender once per round, the order turning), because speeds drift
on shared machines: the ratios are taken within a round, and their median is printed.
bench/README.md says what each number means. The results also go to a JSON file.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench import figures, measure
from bench.measure import FailedError, Result, python

DATA = Path(__file__).with_name("data")
ADDED = 100_000
"""Jobs of the second import of `add`."""


class Contender(NamedTuple):
    """One way to load a file into a store."""

    title: str
    command: Callable[[Path, Path], list[str]]
    """File and store: the command."""
    prepare: Callable[[Path], list[str]] | None = None
    """Store: a command to run first, off the clock."""


def _peer(module: str, *options: str) -> Callable[[Path, Path], list[str]]:
    return lambda file, store: python("-m", module, str(file), str(store), *options)


def _ours(*options: str) -> Callable[[Path, Path], list[str]]:
    return lambda file, store: python(
        *("-m", "meta_audit", "ingest", str(file), "--db", str(store), "--format", "json"), *options
    )


CONTENDERS = {
    "ours": Contender("meta-audit ingest", _ours()),
    "ours-0": Contender("meta-audit ingest --jobs 0", _ours("--jobs", "0")),
    "ours-2": Contender("meta-audit ingest --jobs 2", _ours("--jobs", "2")),
    "plain": Contender(
        "plain loop, no evidence",
        _peer("bench.plain_loop"),
        lambda store: python("-m", "bench.tables", str(store)),
    ),
    "sqlite-utils": Contender("sqlite-utils + SQL", _peer("bench.peer_sqlite_utils")),
    "duckdb": Contender("DuckDB, no indexes", _peer("bench.peer_duckdb")),
    "duckdb-indexes": Contender("DuckDB, indexed", _peer("bench.peer_duckdb", "--indexes")),
}
TABLES = ("load", "again", "add")
"""Parts of the report that are tables."""
PARTS = ("again", "add", "trace")
"""What else is measured, on the stores of the last round."""


def documents(start: int, count: int, seed: int) -> Path:
    """Return the file of these jobs, made if need be."""
    file = DATA / f"jobs-{seed}-{start}-{count}.ndjson"
    if not file.exists():
        options = ["--start", str(start), "--count", str(count), "--seed", str(seed)]
        command = python("-m", "bench.generate", *options, "--out", str(file))
        subprocess.run(command, check=True, cwd=measure.ROOT)
    return file


def load(name: str, file: Path, store: Path, *, fresh: bool = True) -> Result | None:
    """Load the file; say what it took. A contender that fails is reported and left out."""
    contender = CONTENDERS[name]
    if fresh:
        measure.remove(store)
        if contender.prepare:
            subprocess.run(contender.prepare(store), check=True, cwd=measure.ROOT)
    try:
        result = measure.run(contender.command(file, store), store)
    except FailedError as error:
        print(f"{name} FAILED: {error}", file=sys.stderr)
        measure.remove(store)
        return None
    print(
        f"  {name:<15}{result.rate:>9.0f} documents/s{result.cpu:>8.2f} s of CPU", file=sys.stderr
    )
    return result


def rounds(
    names: list[str], file: Path, work: Path, count: int, keep: set[str]
) -> dict[str, list[Result | None]]:
    """Load the file with every contender, `count` times; keep the last stores of `keep`."""
    results: dict[str, list[Result | None]] = defaultdict(list)
    for number in range(count):
        print(f"round {number + 1} of {count}", file=sys.stderr)
        turn = number % len(names) if names else 0
        for name in names[turn:] + names[:turn]:
            store = work / f"{name}.db"
            results[name].append(load(name, file, store))
            if name not in keep or number + 1 < count:
                measure.remove(store)
    return results


def again(file: Path, work: Path, count: int) -> dict[str, list[Result | None]]:
    """Offer known bytes again to a copy of our store: the same file, and its lines in another.

    The other file has the second half first, so that no hash of a whole file can help. A run
    that does not find every document unchanged has failed.
    """
    other = work / "other.ndjson"
    with file.open("rb") as lines, other.open("wb") as out:
        lines.seek(file.stat().st_size // 2)
        first = len(lines.readline()) + file.stat().st_size // 2
        shutil.copyfileobj(lines, out, 1 << 20)
        lines.seek(0)
        for start in range(0, first, 1 << 20):
            out.write(lines.read(min(1 << 20, first - start)))
    results: dict[str, list[Result | None]] = defaultdict(list)
    store = work / "again.db"
    for _ in range(count):
        for name, offered in (("same file", file), ("other file", other)):
            _copy(work / "ours.db", store)
            result = load("ours", offered, store, fresh=False)
            if result and result.said["unchanged"] != result.documents:
                print(f"{name} FAILED: not all unchanged: {result.said}", file=sys.stderr)
                result = None
            results[name].append(result)
    measure.remove(store)
    other.unlink()
    return results


def add(
    names: list[str], following: Path, work: Path, count: int
) -> dict[str, list[Result | None]]:
    """Load the following jobs into a copy of the full store, and into an empty one."""
    results: dict[str, list[Result | None]] = defaultdict(list)
    store = work / "add.db"
    for _ in range(count):
        for name in names:
            _copy(work / f"{name}.db", store)
            results[f"{name}, full"].append(load(name, following, store, fresh=False))
            results[f"{name}, empty"].append(load(name, following, store))
    measure.remove(store)
    return results


def _copy(store: Path, target: Path) -> None:
    measure.remove(target)
    for file in store.parent.glob(f"{store.name}*"):
        shutil.copyfile(file, target.with_name(file.name.replace(store.name, target.name, 1)))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="jobs in the file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", default=",".join((*CONTENDERS, *PARTS)), help="some of: %(default)s"
    )
    parser.add_argument("--json", type=Path, help="file for the results [in bench/data]")
    chosen = parser.parse_args()
    only = chosen.only.split(",")
    if unknown := set(only) - {*CONTENDERS, *PARTS}:
        parser.error(
            f"--only: {', '.join(sorted(unknown))}: not one of {parser.get_default('only')}"
        )
    parts = [part for part in PARTS if part in only]
    names = [name for name in CONTENDERS if name in only or (name == "ours" and parts)]

    work = DATA / "run"
    work.mkdir(parents=True, exist_ok=True)
    file = documents(0, chosen.count, chosen.seed)
    report: dict[str, Any] = {
        "machine": measure.machine(),
        "count": chosen.count,
        "seed": chosen.seed,
        "file_bytes": file.stat().st_size,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    keep = ({"ours"} if parts else set()) | ({"plain"} if "add" in parts else set())
    loaded = rounds(names, file, work, chosen.rounds, keep)
    ours = loaded.get("ours", [])
    print(json.dumps(report["machine"]))
    report["load"] = lines = [
        figures.line(CONTENDERS[name].title, found, chosen.count, ours)
        for name, found in loaded.items()
    ]
    figures.show(f"Load of {chosen.count} documents into an empty store", lines, "ours : it")

    if parts and not (work / "ours.db").exists():
        print("\nmeta-audit ingest made no store: the other parts are left out")
        parts = []
    if "again" in parts:
        report["again"] = lines = [
            figures.line(f"known again, {name}", found, chosen.count)
            for name, found in again(file, work, chosen.rounds).items()
        ]
        figures.show("Known bytes again", lines)
    if "add" in parts:
        following = documents(chosen.count, ADDED, chosen.seed)
        those = [name for name in ("ours", "plain") if (work / f"{name}.db").exists()]
        added = add(those, following, work, chosen.rounds)
        report["add"] = lines = []
        for name in those:
            full, empty = added[f"{name}, full"], added[f"{name}, empty"]
            jobs = chosen.count + ADDED
            lines.append(figures.line(f"{name}, into full", full, jobs))
            lines.append(figures.line(f"{name}, into empty", empty, ADDED, full))
        title = f"The {ADDED} jobs that follow, into the store of {chosen.count}"
        figures.show(title, lines, "full : empty")
    if "trace" in parts:
        from bench import trace

        report["trace"] = traced = trace.measure_all(work / "ours.db")
        trace.show(traced)
    for name in keep:
        measure.remove(work / f"{name}.db")

    target = chosen.json or DATA / f"results-{chosen.count}-{time.strftime('%Y%m%dT%H%M%S')}.json"
    target.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nResults: {target}")
    if any(line["failed"] for part in TABLES for line in report.get(part, ())):
        sys.exit(1)


if __name__ == "__main__":
    main()
