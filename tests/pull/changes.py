"""Change the jobs of an orchestrator at random, as clients and nodes do; and pull meanwhile.

    python -m tests.pull.changes --changes 10000 --kills 100 --seed 1

Jobs are submitted, updated, run again, stopped and ended; many changes have the very same time.
They come between two pulls and between two answers of one pull. After each pull every job that
was not changed meanwhile must be in the store as the server shows it; at the end every version,
execution and history entry, too. With `--kills`, pulls run in processes that are killed.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any, Final

from meta_audit.cli.progress import ImportReporter
from meta_audit.ingest.options import Options
from meta_audit.ingest.pulling import Puller
from meta_audit.sources.orchestrator import Address, Credentials, HttpLimits, Pull, Transport
from meta_audit.store.opening import open_to_read, open_to_write
from tests.pull.orchestrator import Held, Orchestrator, serving

ROOT: Final = Path(__file__).resolve().parents[2]
SMALL_PAGES: Final = HttpLimits(first_page=4, largest_page=12)
STEP_NS: Final = 5 * 10**9
"""Time between two changes: an incremental pull reads but a part of the list."""


_VANISHED = """
    SELECT j.job_id FROM findings f JOIN jobs j ON j.job_key = f.job_key
    WHERE f.code = 'job.vanished'"""


@dataclass
class Numbers:
    """Results of a run."""

    changes: int = 0
    pulls: int = 0
    kills: int = 0
    missed: int = 0
    vanished: int = 0
    """Jobs that are rightly said to have vanished."""
    wrong: int = 0
    """Jobs that have vanished and are not said to, or the other way round."""
    unequal: int = 0

    def __str__(self) -> str:
        return (
            f"{self.changes} changes, {self.pulls} pulls, {self.kills} kills,"
            f" {self.missed} missed, {self.vanished} vanished, {self.wrong} of that wrong,"
            f" {self.unequal} ledgers shorter than before"
        )


class Changes:
    """Random changes of one orchestrator's jobs."""

    def __init__(self, served: Orchestrator, seed: int) -> None:
        self.served = served
        self.random = random.Random(seed)
        self.number = 0
        self.changed: set[str] = set()
        """Jobs changed since somebody cleared it."""
        self._now = time.time_ns() - 10**14
        self.deleted: set[str] = set()
        self._specs: dict[str, dict[str, Any]] = {}

    def change(self) -> None:
        """Make one change."""
        self.number += 1
        if self.random.random() < 0.7:  # the others have the time of the one before
            self._now += self.random.randint(1, STEP_NS)
        kinds = (self._submit, self._update, self._run, self._end, self._delete)
        kind = self.random.choices(kinds, (8, 4, 6, 6, 1))[0]
        known = list(self._specs)
        job_id = self.random.choice(known[-30:]) if known else ""
        with self.served.lock:
            self.changed.add(kind(job_id) if known else self._submit(""))

    def between_answers(self, chance: float) -> None:
        """Change something now and then, while somebody reads."""
        while self.random.random() < chance:
            self.change()

    def _submit(self, _: str) -> str:
        job_id = f"j-{self.number:08}"
        spec = {
            "ID": job_id,
            "Name": f"job {self.number % 7}",
            "Namespace": self.random.choice(("default", "team")),
            "Type": "batch",
            "Count": 1,
            "Meta": {"run": str(self.number), "bacalhau.org/requester.id": "node-0"},
            "Labels": {"env": self.random.choice(("prod", "test"))},
            "Tasks": [{"Name": "main", "Engine": {"Type": "docker", "Params": {"Image": "a"}}}],
            "State": {"StateType": "Pending", "Message": ""},
            "Version": 1,
            "Revision": 1,
            "CreateTime": self._now,
            "ModifyTime": self._now,
        }
        held = Held(
            job_id,
            b"",
            self._now,
            self._now,
            spec["Namespace"],
            spec["Labels"],
            {"executions": [], "history": [], "versions": []},
        )
        self.served.jobs[job_id] = held
        self._specs[job_id] = spec
        self._write(job_id, "Pending", is_new_version=True)
        return job_id

    def _delete(self, job_id: str) -> str:
        del self._specs[job_id], self.served.jobs[job_id]
        self.deleted.add(job_id)
        return job_id

    def _update(self, job_id: str) -> str:
        spec = self._specs[job_id]
        spec["Meta"] = spec["Meta"] | {"run": str(self.number)}
        spec["Version"] += 1
        self._write(job_id, "Pending", is_new_version=True)
        return job_id

    def _run(self, job_id: str) -> str:
        parts = self.served.jobs[job_id].parts
        execution = {
            "ID": f"e-{self.number:08}",
            "JobID": job_id,
            "Namespace": self._specs[job_id]["Namespace"],
            "NodeID": self.random.choice(("node-1", "node-2")),
            "ComputeState": {"StateType": "Running", "Message": ""},
            "DesiredState": {"StateType": "Running", "Message": ""},
            "CreateTime": self._now,
            "ModifyTime": self._now,
        }
        parts["executions"].append(json.dumps(execution).encode())
        self._write(job_id, "Running")
        return job_id

    def _end(self, job_id: str) -> str:
        self._write(job_id, self.random.choice(("Completed", "Failed", "Stopped")))
        return job_id

    def _write(self, job_id: str, state: str, *, is_new_version: bool = False) -> None:
        """Write the job anew, and a line of its history."""
        spec, held = self._specs[job_id], self.served.jobs[job_id]
        spec["State"] = {"StateType": state, "Message": ""}
        spec["Revision"] += 1
        spec["ModifyTime"] = held.modified = self._now
        held.body = json.dumps(spec).encode()
        entry = {
            "Type": "JobLevel",
            "JobID": job_id,
            "SeqNum": len(held.parts["history"]) + 1,
            "Time": f"2026-01-01T00:00:00.{self.number % 10**9:09}Z",
            "Event": {"Message": state, "Topic": "State"},
        }
        held.parts["history"].append(json.dumps(entry).encode())
        if is_new_version:
            held.parts["versions"].append(held.body)
        else:
            held.parts["versions"][-1] = held.body

    def shown(self, *, with_parts: bool) -> dict[str, list[bytes]]:
        """Return what the server shows of each job, as hashes."""
        names = ("executions", "history", "versions")[: 3 if self.served.layout == "v1.9" else 2]
        found = {}
        with self.served.lock:
            for held in self.served.jobs.values():
                parts = [held.parts[name] for name in names] if with_parts else []
                bodies = [held.body, *chain.from_iterable(parts)]
                found[held.job_id] = [sha256(body).digest() for body in bodies]
        return found


def pull_once(db: Path | str, url: str, *, is_full: bool = False) -> None:
    """Pull in this process, with small pages."""
    address = Address.parse(url)
    with (
        closing(Transport(address, Credentials(), limits=SMALL_PAGES)) as transport,
        closing(open_to_write(str(db))) as store,
    ):
        pull = Pull(address, transport)
        pull.open()
        result = Puller(store, address, transport, Options()).pull(
            pull, ImportReporter(), is_full=is_full
        )
        assert not result.counts.refused
        assert not result.counts.rejected


def held_in(db: Path | str) -> set[bytes]:
    """Return the hashes of all documents of a store."""
    with closing(open_to_read(str(db))) as store:
        rows = store.read(lambda session: session.query("SELECT sha256 FROM documents"))
    return {bytes(row[0]) for row in rows}


def missed(shown: dict[str, list[bytes]], db: Path | str, changed: set[str]) -> list[str]:
    """Name the jobs that the store does not have as they are shown, but for changed ones."""
    held = held_in(db)
    return [
        job_id
        for job_id, digests in shown.items()
        if job_id not in changed and not held.issuperset(digests)
    ]


def follow(db: Path | str, url: str, changes: Changes, total: int, numbers: Numbers) -> None:
    """Pull again and again, until so many changes were made; then once more in silence."""
    while changes.number < total:
        for _ in range(changes.random.randint(1, 40)):
            changes.change()
        before = changes.shown(with_parts=False)
        changes.changed.clear()
        changes.served.before = lambda: changes.between_answers(0.1)
        pull_once(db, url, is_full=changes.random.random() < 0.3)
        changes.served.before = lambda: None
        numbers.pulls += 1
        numbers.missed += len(missed(before, db, changes.changed))
    pull_once(db, url, is_full=True)
    numbers.pulls += 1
    numbers.changes = changes.number
    said, known = named_vanished(db)
    numbers.vanished = len(said & changes.deleted)
    numbers.wrong = len(said ^ (known & changes.deleted))
    numbers.missed += len(missed(changes.shown(with_parts=True), db, set()))


def named_vanished(db: Path | str) -> tuple[set[str], set[str]]:
    """Return the jobs that are said to have vanished, and those that were ever seen."""
    with closing(open_to_read(str(db))) as store:
        said = store.read(lambda session: session.query(_VANISHED))
        seen = store.read(lambda session: session.query("SELECT job_id FROM jobs"))
    return {row[0] for row in said}, {row[0] for row in seen}


def kill_pulls(db: Path, url: str, changes: Changes, kills: int, numbers: Numbers) -> None:
    """Pull in processes that are killed at any moment; then complete it."""
    leaves = len(held_in(db))
    for _ in range(kills):
        for _ in range(changes.random.randint(1, 40)):
            changes.change()
        command = (sys.executable, "-m", "tests.pull.changes", "--pull", url, str(db))
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it is ready
            time.sleep(changes.random.uniform(0.0, 0.5))
            process.kill()
        numbers.kills += 1
        now = len(held_in(db))
        numbers.unequal += now < leaves
        leaves = now
    pull_once(db, url)
    numbers.changes = changes.number
    numbers.missed += len(missed(changes.shown(with_parts=True), db, set()))


def main() -> Iterator[str]:
    """Read the arguments and run; yield what there is to say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pull", nargs=2, metavar=("URL", "DB"))
    given = parser.parse_args()
    if given.pull:
        print("ready", flush=True)
        pull_once(given.pull[1], given.pull[0])
        return
    for layout in ("v1.1", "v1.9"):
        numbers = Numbers()
        served = Orchestrator(layout, seed=given.seed)
        changes = Changes(served, given.seed)
        with tempfile.TemporaryDirectory() as folder, serving(served) as url:
            db = Path(folder) / "audit.db"
            follow(db, url, changes, given.changes // 2, numbers)
            if given.kills:
                kill_pulls(db, url, changes, given.kills // 2, numbers)
        yield f"{layout}: {numbers}"
        if numbers.missed or numbers.unequal:
            sys.exit(1)


if __name__ == "__main__":
    for line in main():
        print(line, flush=True)
