"""Kills importers and restarts their server at random moments; then checks what is there.

    python -m tests.postgres.faults --kills 200 --restarts 50 --terminations 100

Each trial fills stores from one folder, in small transactions:

- kills: SIGKILL to the importer, which is started again until it comes to its end;
- restarts: `pg_ctl -m immediate`, as if the machine had failed, while the importer runs on;
- terminations: `pg_terminate_backend` of all its connections, while it runs on.

The ledger must at every moment be the beginning of the undisturbed one, no shorter than what
was acknowledged, and every row what the kept bytes say; in the end the store must equal an
undisturbed one, and the importer that ran on must have ended with the same exit code; one
that gave up (exit code 4) is run again, and counted.
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

from meta_audit.errors import StoreError
from meta_audit.store.opening import open_to_read
from tests.engines import Server
from tests.faults import export
from tests.faults.documents import write_folder
from tests.faults.kill import BLOCK_BYTES, CHUNK_DOCUMENTS, ROOT, entries_after

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
        module = ("tests.faults.small_chunks", str(CHUNK_DOCUMENTS), str(BLOCK_BYTES))
        command = (sys.executable, "-m", *module, "ingest", str(folder), "--db", url)
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in `end`
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=self._said, text=True
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
        self._status, said = importer.end()
        self._working = time.monotonic() - began - self._starting
        self._leaves, faults = self._look()
        self._content = self._export()
        if faults or not self._leaves or self._status not in (0, 1, 3):
            raise AssertionError(f"the undisturbed import failed: {said} {faults[:5]}")
        self.report = Report()

    @property
    def _url(self) -> str:
        return self._server.url(self._name)

    def kills(self, number: int) -> Report:
        """Kill the importer so many times."""
        self.report = report = Report()
        while report.disturbances < number:
            self._renew()
            count = 0
            while True:
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
                count = self._check(count, importer)
                if status != -9:
                    break
                report.disturbances += 1
                report.midway += 0 < count < len(self._leaves)
            self._complete(status, said)
        return report

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
            count = 0
            while report.disturbances < number:
                if not importer.wait(self._chance.uniform(0, self._working / 4)):
                    break
                disturb()
                report.disturbances += 1
                count = self._check(count, importer)
                report.midway += 0 < count < len(self._leaves)
            status, said = importer.end()
            count = self._check(count, importer)
            if status == 4:  # the server was away for too long: clear, and nothing is lost
                report.again += 1
                importer = Importer(self._folder, self._url)
                status, said = importer.end()
                self._check(count, importer)
            self._complete(status, said)
        return report

    def _renew(self) -> None:
        self._server.drop(self._name)
        self._name = self._server.create()

    def _look(self) -> tuple[list[bytes], list[str]]:
        try:
            store = open_to_read(self._url)
        except StoreError as error:
            return [], [] if NOT_YET in str(error) else [str(error)]
        try:
            with store.engine.connect() as connection:
                connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ")
                return export.leaves(connection), export.faults(connection)
        finally:
            store.close()

    def _export(self) -> bytes:
        store = open_to_read(self._url)
        with store.engine.connect() as connection:
            exported = export.export(connection)
        store.close()
        return exported

    def _check(self, before: int, importer: Importer) -> int:
        promised = max(before, self._lengths[importer.acknowledged])
        leaves, faults = self._look()
        if leaves != self._leaves[: len(leaves)]:
            self._note("the ledger is not the beginning of the undisturbed one")
        if faults:
            self._note(f"{len(faults)} faults: {faults[:3]}")
        if len(leaves) < promised:
            self._note(f"{len(leaves)} entries, {promised} were acknowledged")
        return len(leaves)

    def _complete(self, status: int, said: str) -> None:
        self.report.stores += 1
        if status not in (0, self._status) or self._export() != self._content:
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
