"""Long rounds: syncs that are killed, files that somebody changed, and files that are damaged.

    python -m tests.lake.faults --kills 200 --mutations 500 --harms 200

Prints what was lost, doubled or not named; exit code 1 if anything was.
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
from contextlib import closing, redirect_stderr, redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

from meta_audit import cli
from meta_audit.cli import Exit
from meta_audit.lake.tables import TABLES, UNSIGNED
from tests.conftest import ROOT
from tests.faults.documents import write_folder
from tests.lake import lakes


def kill(db: Path, folder: Path, kills: int, chance: random.Random) -> list[str]:
    """Kill syncs at random times, until each of so many was; then compare with a whole one."""
    lake, killed = folder / "killed", 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "meta_audit", "lake", "sync", str(lake), "--db", str(db)]
    while killed < kills:
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            time.sleep(chance.uniform(0.7, 2.5))
            process.kill()
            _, err = process.communicate()
        if process.returncode == 0:
            killed += 1  # it was done: begin another lake
            lake = folder / f"killed-{killed}"
            command[-3] = str(lake)
        elif process.returncode > 0:
            return [err.decode()]
        killed += 1
    lakes.sync(db, lake)
    lakes.sync(db, folder / "whole", step=10_000)
    found, wanted = lakes.all_rows(lake), lakes.all_rows(folder / "whole")
    return [name for name in wanted if found[name] != wanted[name]]


def mutate(lake: Path, mutations: int, chance: random.Random) -> list[str]:
    """Change files, one after the other, and return the changes that were not named."""
    missed = []
    for file in chance.choices(lakes.data_files(lake), k=mutations):
        with lakes.mutated(file, chance) as what:
            damages = lakes.verify(lake).damages
            if not any(file.name in one.file or not one.file for one in damages):
                missed.append(what)
    return missed


def harm(db: Path, lake: Path, harms: int, chance: random.Random) -> list[str]:
    """Damage files, one after the other, and return what was not said, or not understood."""
    with closing(sqlite3.connect(db)) as connection:
        jobs = [job for (job,) in connection.execute("SELECT DISTINCT job_id FROM v_jobs")]
    signed = sorted(set(TABLES) - set(UNSIGNED))
    bad = []
    for _ in range(harms):
        file = chance.choice(lakes.files_of_iceberg(lake, chance.choice(signed)))
        kind = chance.choice(lakes.HARMS)
        with lakes.harmed(file, kind, chance):
            traced = _exit_code("trace", str(lake), chance.choice(jobs))
            verified = _exit_code("verify", str(lake))
        if kind == "bit":  # it may be one that nobody reads
            is_said = Exit.INTERNAL not in (traced, verified)
        else:
            is_said = traced in (Exit.DONE, Exit.STORE) and verified == Exit.STORE
        if not is_said:
            bad.append(f"{file.name} {kind}: trace {traced}, verify {verified}")
    return bad


def _exit_code(*command: str) -> int:
    with redirect_stdout(TextIOWrapper(BytesIO())), redirect_stderr(StringIO()):
        return cli.run(["-q", "lake", *command])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--mutations", type=int, default=500)
    parser.add_argument("--harms", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write_folder(folder / "documents", 400, given.seed)
        cli.run(["-q", "ingest", str(source), "--db", str(folder / "audit.db")])
        lakes.sync(folder / "audit.db", folder / "mutated", step=250)
        bad = mutate(folder / "mutated", given.mutations, chance)
        print(f"{given.mutations} mutations, {len(bad)} not named", *bad, sep="\n")
        silent = harm(folder / "audit.db", folder / "mutated", given.harms, chance)
        print(f"{given.harms} damaged files, {len(silent)} not said", *silent, sep="\n")
        wrong = kill(folder / "audit.db", folder, given.kills, chance)
        print(f"{given.kills} kills, {len(wrong)} tables that differ", *wrong, sep="\n")
    return int(bool(bad or silent or wrong))


if __name__ == "__main__":
    sys.exit(main())
