"""Kills importers and restarts their server at random moments; then checks what is there.

    python -m tests.postgres.faults --kills 200 --restarts 50 --terminations 100

Each trial fills stores from one folder, in small transactions:

- kills: SIGKILL to the importer, which is started again until it comes to its end;
- restarts: `pg_ctl -m immediate`, as if the machine had failed, while the importer runs on;
- terminations: `pg_terminate_backend` of all its connections, while it runs on.

The ledger must at every moment be the beginning of the undisturbed one, no shorter than what
was acknowledged, and every row what the kept bytes say; in the end the store must equal an
undisturbed one. The importer that came to its end must have ended with exit code 1 if it brought
something new to look at, else with 0; one that gave up (exit code 4) is run again, and counted.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from meta_audit import cli
from meta_audit.errors import StoreError
from meta_audit.store.opening import open_to_read
from tests.engines import Server
from tests.faults import export
from tests.faults.documents import write_folder
from tests.faults.kill import (
    BLOCK_BYTES,
    CHUNK_DOCUMENTS,
    StoreState,
    entries_after,
    exit_code,
    state,
)
from tests.faults.program import KILLED, ROOT, command

NOT_YET: Final = "is not a meta-audit store"


@dataclass
class Report:
    """What came of the disturbances."""

    disturbances: int = 0
    stores: int = 0
    midway: int = 0
    """Disturbances that came between the first entry and the last."""
    again: int = 0
    """Importers that gave up with exit code 4 and were run again."""
    details: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.disturbances} disturbances, {self.midway} of them midway; {self.stores} stores"
            f" completed, {self.again} importers run again;"
            f" {len(self.details)} lost, half-written or unequal"
        )


class Importer:
    """An ingest in small transactions, in a process of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        started = (*command(CHUNK_DOCUMENTS, BLOCK_BYTES), "ingest", str(folder), "--db", url)
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in `end`
        self.process = subprocess.Popen(
            started, cwd=ROOT, stdout=subprocess.PIPE, stderr=self._said, text=True
        )
        self.ready = threading.Event()
        self.acknowledged = 0
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.acknowledged = int(line) if line.strip().isdecimal() else self.acknowledged
            self.ready.set()
        self.ready.set()

    @property
    def runs(self) -> bool:
        """Whether it is still at work."""
        return self.process.poll() is None

    def wait(self, seconds: float) -> bool:
        """Wait so long. Whether it still runs then."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def end(self) -> tuple[int, str]:
        """Wait for its end; exit code and what it said on stderr."""
        status = self.process.wait(300)
        self._reader.join()
        if self.process.stdout:
            self.process.stdout.close()
        self._said.seek(0)
        said = self._said.read()
        self._said.close()
        return status, said


class Trial:
    """Disturbances of imports of one folder into one server."""

    def __init__(self, server: Server, folder: Path, seed: int) -> None:
        self._server = server
        self._folder = folder
        self._chance = random.Random(seed)
        self._lengths = entries_after(folder)
        self._name = server.create()
        began = time.monotonic()
        importer = Importer(folder, self._url)
        importer.ready.wait()
        self._starting = time.monotonic() - began
        status, said = importer.end()
        self._working = time.monotonic() - began - self._starting
        seen = self._look()
        self._leaves, self._content = seen.leaves, self._export()
        if seen.faults or not seen.leaves or status != exit_code(StoreState(), seen):
            raise AssertionError(f"the undisturbed import failed: {said} {seen.faults[:5]}")
        self.report = Report()

    @property
    def _url(self) -> str:
        return self._server.url(self._name)

    def kills(self, number: int) -> Report:
        """Kill the importer so many times."""
        self.report = report = Report()
        while report.disturbances < number:
            self._renew()
            seen = StoreState()
            while True:
                before, count = seen, len(seen.leaves)
                importer = Importer(self._folder, self._url)
                if report.disturbances < number and count < len(self._leaves):
                    if self._chance.random() < 0.1:
                        importer.wait(self._chance.uniform(0, self._starting))
                    else:
                        importer.ready.wait()
                        left = max(1 - count / len(self._leaves), 0.1)
                        importer.wait(self._chance.uniform(0, left * self._working))
                    importer.process.kill()
                status, said = importer.end()
                self._wait_for_backends()
                seen = self._check(before, importer)
                if status != KILLED:
                    break
                report.disturbances += 1
                report.midway += 0 < len(seen.leaves) < len(self._leaves)
            self._complete(status, said, before, seen)
        return report

    def _wait_for_backends(self) -> None:
        """Wait until the server has seen that the importer is gone: it may still commit."""
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        with self._server.connect() as connection:
            while connection.execute(others, (self._name,)).fetchall() != [(0,)]:
                time.sleep(0.01)

    def restarts(self, number: int) -> Report:
        """Restart the server at once so many times, while an importer runs on."""
        return self._disturb(
            number, lambda: self._server.restart("immediate", self._chance.choice((0.0, 0.0, 0.6)))
        )

    def terminations(self, number: int) -> Report:
        """Terminate the importer's connections so many times."""
        return self._disturb(number, self._terminate)

    def _terminate(self) -> None:
        with self._server.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (self._name,),
            )

    def _disturb(self, number: int, disturb: Callable[[], None]) -> Report:
        self.report = report = Report()
        while report.disturbances < number:
            self._renew()
            importer = Importer(self._folder, self._url)
            importer.ready.wait()
            before = seen = StoreState()
            while report.disturbances < number:
                if not importer.wait(self._chance.uniform(0, self._working / 4)):
                    break
                disturb()
                report.disturbances += 1
                seen = self._check(seen, importer)
                report.midway += 0 < len(seen.leaves) < len(self._leaves)
            status, said = importer.end()
            seen = self._check(seen, importer)
            if status == cli.Exit.STORE:  # the server was away for too long; nothing is lost
                report.again += 1
                before = seen
                importer = Importer(self._folder, self._url)
                status, said = importer.end()
                seen = self._check(before, importer)
            self._complete(status, said, before, seen)
        return report

    def _renew(self) -> None:
        self._server.drop(self._name)
        self._name = self._server.create()

    def _look(self) -> StoreState:
        try:
            store = open_to_read(self._url)
        except StoreError as error:
            return StoreState(faults=[] if NOT_YET in str(error) else [str(error)])
        try:
            with store.engine.connect() as connection:
                connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ")
                return state(connection)
        finally:
            store.close()

    def _export(self) -> bytes:
        store = open_to_read(self._url)
        with store.engine.connect() as connection:
            exported = export.export(connection)
        store.close()
        return exported

    def _check(self, before: StoreState, importer: Importer) -> StoreState:
        promised = max(len(before.leaves), self._lengths[importer.acknowledged])
        seen = self._look()
        count = len(seen.leaves)
        if seen.leaves != self._leaves[:count]:
            self._note("the ledger is not the beginning of the undisturbed one")
        if seen.faults:
            self._note(f"{len(seen.faults)} faults: {seen.faults[:3]}")
        if count < promised:
            self._note(f"{count} entries, {promised} were acknowledged")
        return seen

    def _complete(self, status: int, said: str, before: StoreState, seen: StoreState) -> None:
        self.report.stores += 1
        if status != exit_code(before, seen) or self._export() != self._content:
            self._note(f"the completed store differs, exit code {status}: {said[-500:]}")

    def _note(self, what: str) -> None:
        self.report.details.append(f"disturbance {self.report.disturbances}: {what}")
        print(self.report.details[-1], file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.postgres.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=50)
    parser.add_argument("--terminations", type=int, default=100)
    parser.add_argument("--documents", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    work = Path(tempfile.mkdtemp(prefix="meta-audit-pg-faults-"))
    server = Server()
    failed = 0
    try:
        folder = write_folder(work / "documents", chosen.documents, chosen.seed)
        trial = Trial(server, folder, chosen.seed)
        for kind in ("kills", "restarts", "terminations"):
            report = getattr(trial, kind)(getattr(chosen, kind))
            print(f"{kind}: {report}", flush=True)
            failed += len(report.details)
    finally:
        server.stop()
        shutil.rmtree(work)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
