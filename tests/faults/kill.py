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

A run that comes to its end exits with 1 if it brought something new to look at (a rejection, a
source that is cut off), and with 0 if all of that was in the store before it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from meta_audit import cli
from meta_audit.errors import StoreError
from meta_audit.ingest.build import sha256_of
from meta_audit.model import Document
from meta_audit.sources import Source, find
from meta_audit.store.opening import open_to_read
from tests.faults import export
from tests.faults.documents import write_folder
from tests.faults.program import KILLED, Program, ProgramRun

AGAIN: Final = 0.3
"""Share of an undisturbed run that it takes to pass over what is in the store already."""
PATIENCE: Final = 1.5
"""By how much later the next kill may come after one that left the store as it was."""
CHUNK_DOCUMENTS: Final = 60
BLOCK_BYTES: Final = 16_384
BEFORE_READY: Final = 0.1
"""Share of the kills that come while the program starts."""
_NEWS: Final = """
    SELECT (SELECT count(*) FROM rejections)
        + (SELECT count(*) FROM source_results WHERE status IN ('truncated', 'partial'))"""


@dataclass(slots=True)
class StoreState:
    """State of a store after a kill."""

    leaves: list[bytes] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    news: int = 0
    """Rejections, and sources that are cut off: what there is to look at."""


@dataclass(slots=True)
class Report:
    """Results of the kills."""

    kills: int = 0
    rounds: int = 0
    lost: int = 0
    half_written: int = 0
    unequal: int = 0
    wrong_codes: int = 0
    partial: int = 0
    """Kills that left a part of the documents."""
    details: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether nothing went wrong."""
        return not (self.lost or self.half_written or self.unequal or self.wrong_codes)

    def __str__(self) -> str:
        equal = "store equal" if not self.unequal else f"{self.unequal} stores not equal"
        return (
            f"{self.kills} kills, {self.lost} lost, {self.half_written} half-written, {equal}, "
            f"{self.wrong_codes} wrong exit codes "
            f"({self.rounds} stores completed, {self.partial} kills in the middle of the documents)"
        )


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
        seen = state(connection)
        checked = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        if checked != ["ok"]:
            seen.faults += [f"integrity_check: {line}" for line in checked]
    store.close()
    return seen


def state(connection: sa.Connection) -> StoreState:
    """Describe a store that is open."""
    return StoreState(
        export.leaves(connection),
        export.faults(connection),
        connection.exec_driver_sql(_NEWS).scalar_one(),
    )


def exit_code(before: StoreState, after: StoreState) -> cli.Exit:
    """Return the exit code of an import that came to its end, by what it found and left."""
    return cli.Exit.ATTENTION if after.news > before.news else cli.Exit.DONE


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
        self._program = Program(work, CHUNK_DOCUMENTS, BLOCK_BYTES)
        self._leaves, self._content, self._seconds = self._undisturbed()
        self.entries = len(self._leaves)
        self._lengths = entries_after(self._folder)

    def _undisturbed(self) -> tuple[list[bytes], bytes, float]:
        db = self._work / "undisturbed.db"
        ran = self._program.run("ingest", self._folder, "--db", db, "--jobs", "0")
        seen = look(db)
        if seen.faults or not seen.leaves or ran.status != exit_code(StoreState(), seen):
            raise SystemExit(f"the undisturbed store is faulty: {ran.err} {seen.faults[:5]}")
        return seen.leaves, content(db), ran.seconds

    def run(self, kills: int) -> Report:
        """Kill so many times; the store of the last kill is completed as well."""
        with self._program:
            while self.report.kills < kills:
                self._round(kills)
        return self.report

    def _round(self, kills: int) -> None:
        for path in self._work.glob("killed.db*"):
            path.unlink()
        before, patience = StoreState(), 1.0
        while True:
            entries = len(before.leaves)
            last = self.report.kills >= kills or entries == self.entries
            ran = self._run(None if last else patience, entries)
            seen = look(self._db)
            self._check(ran, seen, before)
            patience = 1.0 if len(seen.leaves) > entries else patience * PATIENCE
            before = seen
            if ran.status != KILLED:
                break
            self.report.kills += 1
            self.report.partial += 0 < len(seen.leaves) < self.entries
        self.report.rounds += 1
        if content(self._db) != self._content:
            self.report.unequal += 1
            self._note(f"the completed store differs, exit code {ran.status}: {ran.err[-300:]}")

    def _run(self, patience: float | None, entries: int) -> ProgramRun:
        """Run ingest, alone or with a helper; kill it at any moment of its start or of its work."""
        jobs = self._chance.choice(["0", "1"])
        arguments = ("ingest", self._folder, "--db", self._db, "--jobs", jobs)
        if patience is None:
            return self._program.run(*arguments)
        if self._chance.random() < BEFORE_READY:
            moment = self._chance.uniform(0, self._program.starting)
            return self._program.start_and_kill(*arguments, kill_after=moment)
        left = min(1 - entries / self.entries + AGAIN * bool(entries), 1)
        moment = self._chance.uniform(0, left * patience * self._seconds)
        return self._program.run(*arguments, kill_after=moment)

    def _check(self, ran: ProgramRun, seen: StoreState, before: StoreState) -> None:
        count = len(seen.leaves)
        if seen.leaves != self._leaves[:count]:
            self.report.half_written += 1
            self._note("the ledger is not the beginning of the undisturbed one")
        if seen.faults:
            self.report.half_written += 1
            self._note(f"{len(seen.faults)} faults: {seen.faults[:3]}")
        promised = max(len(before.leaves), self._lengths[ran.acknowledged])
        if count < promised:
            self.report.lost += promised - count
            self._note(f"{count} entries, {promised} were acknowledged")
        if ran.status not in (KILLED, exit_code(before, seen)):
            self.report.wrong_codes += 1
            self._note(f"exit code {ran.status}, with {seen.news - before.news} to look at")

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
