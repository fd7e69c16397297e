"""Kill an ingest at random moments and check the store; then complete it, and compare.

    python -m tests.faults.kill --kills 200 --documents 3000 --seed 1

A round is one store: ingest is started and killed with SIGKILL again and again, until all
documents are in or a run comes to its end before its kill; then it is completed, and the store
must equal one that nothing disturbed. After each kill:

1. `PRAGMA integrity_check` is ok;
2. the ledger is the beginning of the undisturbed one: leaf by leaf, so nothing is left out,
   nothing stands twice, and every leaf covers the rows of its document;
3. it is no shorter than before, nor than what the killed process had acknowledged;
4. every row is what the kept bytes say, and nothing else is there (`export.faults`).
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from meta_audit.errors import StoreError
from meta_audit.ingest.build import sha256_of
from meta_audit.model import Document
from meta_audit.sources import Source, find
from meta_audit.store.opening import open_to_read
from tests.faults import export
from tests.faults.documents import write_folder

AGAIN: Final = 0.3
"""Share of an undisturbed run that it takes to pass over what is in the store already."""
PATIENCE: Final = 1.5
"""By how much later the next kill may come after one that left the store as it was."""
ROOT: Final = Path(__file__).resolve().parents[2]
CHUNK_DOCUMENTS: Final = 60
BLOCK_BYTES: Final = 16_384
BEFORE_READY: Final = 0.1
"""Share of the kills that come while the program starts."""


@dataclass(slots=True)
class IngestRun:
    """One run of ingest."""

    acknowledged: int = 0
    """Documents that it said it had dealt with."""
    killed: bool = False
    starting: float = 0.0
    working: float = 0.0
    status: int = 0
    said: str = ""


@dataclass(slots=True)
class StoreState:
    """State of a store after a kill."""

    leaves: list[bytes] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """Results of the kills."""

    kills: int = 0
    rounds: int = 0
    lost: int = 0
    half_written: int = 0
    unequal: int = 0
    partial: int = 0
    """Kills that left a part of the documents."""
    details: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether nothing went wrong."""
        return not (self.lost or self.half_written or self.unequal)

    def __str__(self) -> str:
        equal = "store equal" if not self.unequal else f"{self.unequal} stores not equal"
        return (
            f"{self.kills} kills, {self.lost} lost, {self.half_written} half-written, {equal} "
            f"({self.rounds} stores completed, {self.partial} kills in the middle of the documents)"
        )


def ingest(folder: Path, db: Path, kill: tuple[str, float] | None = None) -> IngestRun:
    """Run ingest; `kill` it so many seconds after its `start` or its `ready`."""
    module = ("tests.faults.small_chunks", str(CHUNK_DOCUMENTS), str(BLOCK_BYTES))
    command = (sys.executable, "-m", *module, "ingest", str(folder), "--db", str(db))
    ran = IngestRun()
    began = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=said, text=True
        ) as process,
    ):
        if process.stdout is None:
            raise AssertionError
        if kill and kill[0] == "start":
            _kill_after(process, kill[1])
        ready = process.stdout.readline()
        ran.starting = time.monotonic() - began
        if ready and kill and kill[0] == "ready":
            _kill_after(process, kill[1])
        lines = process.stdout.read().splitlines()
        ran.status = process.wait()
        ran.working = time.monotonic() - began - ran.starting
        said.seek(0)
        ran.said = said.read()
    ran.killed = ran.status == -9
    ran.acknowledged = max([int(line) for line in lines if line.isdecimal()], default=0)
    return ran


def _kill_after(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()


def look(db: Path) -> StoreState:
    """Check a store as an auditor would: read only."""
    seen = StoreState()
    if not db.exists():
        return seen
    try:
        store = open_to_read(str(db))
    except StoreError as error:
        # Killed before the tables were there: no store yet, and nothing else either.
        if not ("is not a meta-audit store" in str(error) or "was cut off" in error.advice):
            seen.faults.append(str(error))
        return seen
    with store.engine.connect() as connection:
        checked = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        if checked != ["ok"]:
            seen.faults += [f"integrity_check: {line}" for line in checked]
        seen.leaves = export.leaves(connection)
        seen.faults += export.faults(connection)
    store.close()
    return seen


def content(db: Path) -> bytes:
    """Return the canonical export of a store."""
    store = open_to_read(str(db))
    with store.engine.connect() as connection:
        exported = export.export(connection)
    store.close()
    return exported


def entries_after(folder: Path) -> list[int]:
    """Return the length of the ledger after the first 0, 1, 2 … documents."""
    lengths = [0]
    known: set[tuple[bytes, str]] = set()
    for source in find([str(folder)]):
        if isinstance(source, Source):
            for item in source.documents():
                known.add((sha256_of(item), "" if isinstance(item, Document) else item.reason))
                lengths.append(len(known))
    return lengths


class Trial:
    """Kills and rounds over one folder."""

    def __init__(self, work: Path, documents: int, seed: int) -> None:
        self._work = work
        self._chance = random.Random(seed)
        self._folder = write_folder(work / "documents", documents, seed)
        self._db = work / "killed.db"
        self.report = Report()
        self._leaves, self._content, self._ran = self._undisturbed()
        self.entries = len(self._leaves)
        self._lengths = entries_after(self._folder)

    def _undisturbed(self) -> tuple[list[bytes], bytes, IngestRun]:
        db = self._work / "undisturbed.db"
        ran = ingest(self._folder, db)
        seen = look(db)
        if seen.faults or not seen.leaves:
            raise SystemExit(f"the undisturbed store is faulty: {ran.said} {seen.faults[:5]}")
        return seen.leaves, content(db), ran

    def run(self, kills: int) -> Report:
        """Kill so many times; the store of the last kill is completed as well."""
        while self.report.kills < kills:
            self._round(kills)
        return self.report

    def _round(self, kills: int) -> None:
        for path in self._work.glob("killed.db*"):
            path.unlink()
        entries, patience = 0, 1.0
        while True:
            last = self.report.kills >= kills or entries == self.entries
            ran = ingest(self._folder, self._db, None if last else self._moment(entries, patience))
            seen = look(self._db)
            self._check(ran, seen, entries)
            patience = 1.0 if len(seen.leaves) > entries else patience * PATIENCE
            entries = len(seen.leaves)
            if not ran.killed:
                break
            self.report.kills += 1
            self.report.partial += 0 < entries < self.entries
        self.report.rounds += 1
        if ran.status not in (0, self._ran.status) or content(self._db) != self._content:
            self.report.unequal += 1
            self._note(f"the completed store differs, exit code {ran.status}: {ran.said[-300:]}")

    def _moment(self, entries: int, patience: float) -> tuple[str, float]:
        """Choose when to kill: any moment of the work that is left."""
        if self._chance.random() < BEFORE_READY:
            return "start", self._chance.uniform(0, self._ran.starting)
        left = min(1 - entries / self.entries + AGAIN * bool(entries), 1)
        return "ready", self._chance.uniform(0, left * patience * self._ran.working)

    def _check(self, ran: IngestRun, seen: StoreState, before: int) -> None:
        count = len(seen.leaves)
        if seen.leaves != self._leaves[:count]:
            self.report.half_written += 1
            self._note("the ledger is not the beginning of the undisturbed one")
        if seen.faults:
            self.report.half_written += 1
            self._note(f"{len(seen.faults)} faults: {seen.faults[:3]}")
        promised = max(before, self._lengths[ran.acknowledged])
        if count < promised:
            self.report.lost += promised - count
            self._note(f"{count} entries, {promised} were acknowledged")

    def _note(self, what: str) -> None:
        self.report.details.append(f"kill {self.report.kills + 1}: {what}")
        print(self.report.details[-1], file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--documents", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    work = Path(tempfile.mkdtemp(prefix="meta-audit-kill-"))
    trial = Trial(work, chosen.documents, chosen.seed)
    report = trial.run(chosen.kills)
    print(f"{trial.entries} ledger entries; {report}")
    if report.ok:
        shutil.rmtree(work)
    else:
        print(f"kept for a look: {work}", file=sys.stderr)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
