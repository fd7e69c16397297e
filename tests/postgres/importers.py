"""Several importers at once, half of what they bring is the same: the union, exactly.

python -m tests.postgres.importers --importers 8 --documents 10000
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.generate import Generator
from meta_audit.store.opening import open_to_read
from tests.engines import Server
from tests.faults import export
from tests.faults.program import ROOT


def write_files(folder: Path, importers: int, documents: int, seed: int) -> list[Path]:
    """A file per importer: one half of each is the same, in another order."""
    chance = random.Random(seed)
    generator, half = Generator(seed), documents // 2
    shared = [d.encode() for d in generator.documents(0, half)]
    files = []
    for number in range(importers):
        own = generator.documents(half * (number + 1), half)
        lines = [*shared, *(d.encode() for d in own)]
        chance.shuffle(lines)
        files.append(folder / f"{number}.ndjson")
        files[-1].write_bytes(b"\n".join(lines) + b"\n")
    return files


def import_at_once(files: Sequence[Path], db: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Run an ingest of each file; their summaries, and what went wrong."""
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.faults.small_chunks", "500", "65536"),
                *("ingest", str(file), "--db", db, "--jobs", "0", "--format", "json"),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for file in files
    ]
    summaries, wrong = [], []
    for process in running:
        out, said = process.communicate(timeout=1800)
        found = [line for line in out.splitlines() if line.startswith("{")]
        if process.returncode or not found:
            wrong.append(f"exit code {process.returncode}: {said[-500:]}")
        elif "lock" in said or "Error" in said:
            wrong.append(said)
        summaries += map(json.loads, found)
    return summaries, wrong


def check(files: Sequence[Path], db: str, summaries: Sequence[dict[str, Any]]) -> list[str]:
    """What is not as it should be."""
    union = {
        sha256(line).digest() for file in files for line in file.read_bytes().splitlines() if line
    }
    store = open_to_read(db)
    with store.engine.connect() as connection:
        wrong = export.faults(connection)
        kept = [bytes(d) for (d,) in connection.exec_driver_sql("SELECT sha256 FROM documents")]
        if sorted(kept) != sorted(union):
            wrong.append(f"{len(kept)} documents, {len(set(kept) & union)} of {len(union)}")
        jobs = connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar()
        if jobs != len(union):
            wrong.append(f"{jobs} jobs, not {len(union)}")
        ended = connection.exec_driver_sql(
            "SELECT count(*) FROM v_imports WHERE status = 'complete'"
        ).scalar()
        if ended != len(files):
            wrong.append(f"{ended} imports complete, not {len(files)}")
    store.close()
    if sum(summary["new"] for summary in summaries) != len(union):
        wrong.append(f"counted as new: {[summary['new'] for summary in summaries]}")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when the union is exact on both engines."""
    parser = argparse.ArgumentParser(prog="python -m tests.postgres.importers", description=__doc__)
    parser.add_argument("--importers", type=int, default=8)
    parser.add_argument("--documents", type=int, default=10_000)
    chosen = parser.parse_args(arguments)
    server, failed = Server(), 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = write_files(Path(folder), chosen.importers, chosen.documents, 1)
            for db in (f"{folder}/audit.db", server.url(server.create())):
                summaries, wrong = import_at_once(files, db)
                wrong += check(files, db, summaries)
                print(f"{db.partition(':')[0]}: {wrong or 'the exact union'}")
                failed += len(wrong)
    finally:
        server.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
