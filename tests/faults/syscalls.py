"""Make every system call of an SQLite import fail once, and check the store.

    python -m tests.faults.syscalls --documents 50
    python -m tests.faults.syscalls --scene new --every 10 --errors EIO,ENOSPC+

An import is run under strace, its system calls are counted, and their order is checked: nothing
is reported, and no checkpoint goes out, before it is durable. Then it is run again for each of
them, and this one fails: with an error (`EIO`, `ENOSPC`; with a `+` behind it all that follow of
the same name fail too), or the process is killed as it enters it (`KILL`). After each:

1. the exit code and the message are those of the documentation, no traceback; an import that is
   complete exits with 1 if it brought something to look at that was not there before, else with 0;
2. a reader opens the store, or there is none yet; `PRAGMA integrity_check` is ok; every row is
   what the kept bytes say; the ledger is the beginning of the undisturbed one, and holds what was
   there before and what was acknowledged;
3. `meta-audit verify` passes, against the file of checkpoints beside the store as well, and a
   checkpoint that was printed is in the store;
4. the same command again completes: its exit code is 1 if the rejections are news still, else 0;
   the canonical export and the root of the ledger are those of the undisturbed one, and the file of
   checkpoints is that of the store.
"""

from __future__ import annotations

import argparse
import mmap
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from bench.generate import Generator
from meta_audit import cli
from meta_audit.cli.progress import ImportReporter
from meta_audit.ingest.options import Limits
from meta_audit.store.sqlite import backend as sqlite
from tests.faults import recovery
from tests.faults.kill import StoreState, entries_after, look
from tests.faults.program import KILLED
from tests.faults.strace import HUNG, SystemCall, TraceResult, cannot_trace, trace

SYSCALLS: Final = (
    "write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,fallocate,unlink,unlinkat,"
    "rename,renameat,renameat2,link,linkat,mkdir,mkdirat,fchmod,fchown,openat"
)
"""Of openat only the calls that may create a file count."""
ERRORS: Final = "EIO,ENOSPC,KILL"
SCENES: Final = ("new", "existing", "small")
"""A store that is made by the import; one that has half of the documents; and a new one again,
written in many small transactions, with a cache that spills and WAL checkpoints in between."""
SMALL_CHUNK: Final = 10
SMALL_CACHE_KIB: Final = 64
SMALL_AUTOCHECKPOINT: Final = 40
SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Point:
    """One system call of one scene, and how it fails."""

    scene: str
    call: SystemCall
    error: str

    def __str__(self) -> str:
        return f"{self.scene}: {self.call.name} {self.call.number} ({self.call.where}) {self.error}"

    @property
    def injection(self) -> str:
        """Return the option for strace."""
        number = f"when={self.call.number}"
        if self.error == "KILL":
            return f"{self.call.name}:signal=KILL:{number}"
        more = "+" if self.error.endswith("+") else ""
        return f"{self.call.name}:error={self.error.rstrip('+')}:{number}{more}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result for one point."""

    point: Point
    hit: bool
    status: int
    said: str
    problems: tuple[str, ...]


class Workspace:
    """Folder of one process, which tries one point after the other."""

    def __init__(self, work: Path, documents: int) -> None:
        self._work = work
        self._home = work / "home"
        self._db = work / "store" / "audit.db"
        self._folder = _write_documents(work.parent / "documents", documents)
        self._half = work / "half"
        work.mkdir()
        self._prepare("new")
        recovery.ingest(self._folder / "a.ndjson", self._db)
        self._seen_half = look(self._db)
        self._half.mkdir()
        for path in self._work.glob("store/*"):
            shutil.copy(path, self._half)
        shutil.copytree(self._home, self._work / "home-of-half")
        self._prepare("new")
        ran = recovery.ingest(self._folder, self._db)
        self._reference = recovery.reference(ran, self._db)
        self._lengths = entries_after(self._folder)

    def calls(self, scene: str, names: Sequence[str]) -> list[SystemCall]:
        """List the system calls of an undisturbed import."""
        self._prepare(scene)
        before = look(self._db)
        traced, _ = self._traced(scene, names)
        ran = _ran(traced)
        found = [*too_early(traced.calls, self._db)]
        found += recovery.problems(
            ran, self._db, self._reference, 0, before=before, seen=look(self._db)
        )
        if not ran.is_complete or found:
            raise RuntimeError(f"undisturbed, yet faulty: {traced.status} {traced.err} {found}")
        return traced.calls

    def try_(self, point: Point, names: Sequence[str]) -> Outcome:
        """Let one system call fail."""
        self._prepare(point.scene)
        before = self._seen_half if point.scene == "existing" else StoreState()
        traced, acknowledged = self._traced(point.scene, names, point.injection)
        last = [c for c in traced.calls if c.name == point.call.name][-1:]
        hit = any(c.injected for c in traced.calls) or (
            traced.status == KILLED and last[0].number == point.call.number
        )
        least = max(len(before.leaves), self._lengths[acknowledged])
        found: list[str] = []
        if traced.status == HUNG:
            found.append("it hangs")
        try:
            seen = look(self._db)
            found += recovery.problems(
                _ran(traced),
                self._db,
                self._reference,
                least,
                before=before,
                seen=seen,
                is_killed=point.error == "KILL",
            )
            found += recovery.problems_again(self._folder, self._db, self._reference, seen)
        except Exception as error:  # noqa: BLE001 - a point whose check fails is one that failed
            found.append(f"check: {type(error).__name__}: {error}")
        return Outcome(point, hit, traced.status, traced.err, tuple(found))

    def _prepare(self, scene: str) -> None:
        os.environ["XDG_CONFIG_HOME"] = str(self._home)
        for folder in (self._home, self._db.parent):
            shutil.rmtree(folder, ignore_errors=True)
        if scene == "existing":
            shutil.copytree(self._half, self._db.parent)
            shutil.copytree(self._work / "home-of-half", self._home)

    def _traced(
        self, scene: str, names: Sequence[str], *injections: str
    ) -> tuple[TraceResult, int]:
        """Trace an import; return also how many documents it acknowledged."""
        with mmap.mmap(-1, 8) as shared:
            work = self._import(scene, shared)
            traced = trace(work, self._work, names, injections)
            return traced, int.from_bytes(shared[:], "little")

    def _import(self, scene: str, shared: mmap.mmap) -> Callable[[], int]:
        def wrote(_: ImportReporter, summary: Any) -> None:
            shared[:] = summary.documents.to_bytes(8, "little")

        def work() -> int:
            if scene == "small":
                sqlite.CACHE_KIB = SMALL_CACHE_KIB  # type: ignore[misc]
                sqlite.AUTOCHECKPOINT_PAGES = SMALL_AUTOCHECKPOINT  # type: ignore[misc]
            ImportReporter.wrote = wrote  # type: ignore[method-assign]
            limits = Limits(chunk_documents=SMALL_CHUNK) if scene == "small" else None
            arguments = ["ingest", str(self._folder), "--db", str(self._db), "--jobs", "0"]
            return cli.run(arguments, limits)

        return work


def too_early(calls: Sequence[SystemCall], db: Path) -> Iterator[str]:
    """Yield checkpoints sent and logs removed before the data below them was durable."""
    log, outside = f"{db}-wal", f"{db}.checkpoints"
    unsynced: set[str] = set()
    for call in calls:
        name, where = call.name, call.where
        if name in ("fsync", "fdatasync"):
            unsynced.discard(where)
        elif name == "unlink":
            if where == log and str(db) in unsynced:
                yield f"{name} {call.number}: the log is removed before the store is durable"
        elif where == outside and unsynced & {str(db), log}:
            yield f"{name} {call.number}: a checkpoint goes out before the store is durable"
        elif where.endswith("traced.out") and unsynced & {str(db), log, outside}:
            yield f"{name} {call.number}: an import is reported before it is durable"
        if "write" in name or name == "ftruncate":
            unsynced.add(where)


def _ran(traced: TraceResult) -> recovery.CommandResult:
    mute = any(c.injected and c.where.endswith("traced.err") for c in traced.calls)
    return recovery.CommandResult(traced.status, traced.out, traced.err, can_speak=not mute)


def _write_documents(folder: Path, count: int) -> Path:
    """Write two files, each with half of the documents and one that is rejected."""
    documents = [d.encode() for d in Generator(SEED).documents(0, count)]
    folder.mkdir(exist_ok=True)
    half = count // 2
    for name, some in (("a", documents[:half]), ("b", documents[half:])):
        path = folder / f"{name}.ndjson"
        if not path.exists():
            draft = folder / f"{name}.{os.getpid()}"
            draft.write_bytes(b"\n".join([*some, b'{"nothing": "%s"}' % name.encode()]) + b"\n")
            draft.rename(path)
    return folder


@cache
def _workspace(work: str, documents: int) -> Workspace:
    return Workspace(Path(work) / str(os.getpid()), documents)


def _calls(work: str, documents: int, scene: str, names: Sequence[str]) -> list[SystemCall]:
    return _workspace(work, documents).calls(scene, names)


def _try(work: str, documents: int, point: Point, names: Sequence[str]) -> Outcome:
    return _workspace(work, documents).try_(point, names)


@dataclass(slots=True)
class Report:
    """Results for all points."""

    counted: dict[str, Counter[str]]
    outcomes: list[Outcome]
    seconds: float = 0.0

    @property
    def faulty(self) -> list[Outcome]:
        """Return the points after which something was wrong."""
        return [o for o in self.outcomes if o.problems]

    @property
    def missed(self) -> list[Outcome]:
        """Return the points at which nothing failed."""
        return [o for o in self.outcomes if not o.hit]

    def messages(self, work: str) -> Counter[tuple[int, str]]:
        """Count the messages with their exit codes, without those about a new store."""
        usual = re.compile(r"New |Verifier key|Give it to|$")
        folder = re.compile(re.escape(work) + r"/\d+")
        return Counter(
            (o.status, folder.sub("…", "".join(f"  {x}\n" for x in lines)))
            for o in self.outcomes
            if (lines := [x for x in o.said.splitlines() if not usual.match(x)])
        )

    def lines(self) -> Iterator[str]:
        """Format the report."""
        for scene, counts in self.counted.items():
            said = ", ".join(f"{number} {name}" for name, number in counts.most_common())
            yield f"{scene}: {counts.total()} system calls: {said}"
        kinds = Counter((o.point.error, o.status) for o in self.outcomes)
        for (error, status), number in sorted(kinds.items()):
            yield f"{error}: exit code {status}: {number}"
        hit = len(self.outcomes) - len(self.missed)
        yield (
            f"{len(self.outcomes)} points, {hit} injections hit, {len(self.faulty)} faulty,"
            f" {self.seconds:.0f} s"
        )


def points(
    scene: str, calls: Sequence[SystemCall], errors: Sequence[str], every: int
) -> Iterator[Point]:
    """Yield every n-th call with each error."""
    of_interest = [c for c in calls if c.name != "openat" or c.creates]
    for error in errors:
        for call in of_interest[::every]:
            yield Point(scene, call, error)


def run(
    work: Path,
    *,
    documents: int = 50,
    scenes: Sequence[str] = SCENES,
    names: Sequence[str] = tuple(SYSCALLS.split(",")),
    errors: Sequence[str] = tuple(ERRORS.split(",")),
    every: int = 1,
    sample: int = 0,
    seed: int = SEED,
    processes: int = 2,
) -> Report:
    """Count the system calls, then let them fail one after the other."""
    began = time.monotonic()
    report = Report({}, [])
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        every_point: list[Point] = []
        for scene in scenes:
            calls = pool.submit(_calls, str(work), documents, scene, names).result()
            found = list(points(scene, calls, errors, every))
            report.counted[scene] = Counter(p.call.name for p in found if p.error == errors[0])
            every_point += found
        if sample and sample < len(every_point):
            every_point = random.Random(seed).sample(every_point, sample)
        futures = [pool.submit(_try, str(work), documents, p, names) for p in every_point]
        for future in futures:
            outcome = future.result()
            report.outcomes.append(outcome)
            for problem in outcome.problems:
                print(f"{outcome.point}, exit code {outcome.status}: {problem}", file=sys.stderr)
            if not outcome.hit:
                print(f"{outcome.point}: nothing failed", file=sys.stderr)
    report.seconds = time.monotonic() - began
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when every injection hit and nothing was wrong after any."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.syscalls", description=__doc__)
    parser.add_argument("--documents", type=int, default=50)
    parser.add_argument("--scene", action="append", choices=SCENES)
    parser.add_argument("--only-syscalls", default=SYSCALLS)
    parser.add_argument("--errors", default=ERRORS, help="EIO, ENOSPC, …, each with or without +")
    parser.add_argument("--every", type=int, default=1, help="only every n-th system call")
    parser.add_argument("--sample", type=int, default=0, help="so many points, taken at random")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--messages", action="store_true", help="show what was said, and how often")
    chosen = parser.parse_args(arguments)
    if why := cannot_trace():
        raise SystemExit(why)
    with tempfile.TemporaryDirectory(prefix="meta-audit-syscalls-") as work:
        report = run(
            Path(work),
            documents=chosen.documents,
            scenes=chosen.scene or SCENES,
            names=chosen.only_syscalls.split(","),
            errors=chosen.errors.split(","),
            every=chosen.every,
            sample=chosen.sample,
            seed=chosen.seed,
            processes=chosen.processes,
        )
        if chosen.messages:
            for (status, text), number in report.messages(work).most_common():
                print(f"{number} times, exit code {status}:\n{text}")
    print("\n".join(report.lines()))
    return 1 if report.faulty or report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
