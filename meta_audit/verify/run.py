"""Run one verification, from the first check to the report."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from secrets import randbits
from typing import TYPE_CHECKING, Final, Protocol

from meta_audit.errors import DamagedStoreError, LedgerError, NotFoundError
from meta_audit.ledger.merkle import Tree
from meta_audit.ledger.step import Step
from meta_audit.verify.checks.checkpoints import Checkpoints, check_numbers
from meta_audit.verify.checks.leaves import Heads, Start
from meta_audit.verify.checks.lookups import check_unused
from meta_audit.verify.checks.outside import check_outside, read_outside
from meta_audit.verify.guard import guarded
from meta_audit.verify.outcome import (
    FORMAT,
    SHOWN,
    TITLES,
    Check,
    Damages,
    OtherReading,
    Report,
    VerifyOptions,
)
from meta_audit.verify.structure import (
    TABLES,
    Expected,
    check_schema,
    check_values,
    expected,
    table_parts,
)
from meta_audit.verify.values import COUNTS
from meta_audit.verify.work import Plan, Tallies
from meta_audit.verify.workers import Alone, Part, Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meta_audit.ledger.note import VerifierKey
    from meta_audit.ledger.step import Status
    from meta_audit.store.opening import Store
    from meta_audit.store.session import Session
    from meta_audit.verify.workers import Crew

JOBS_PER_PART: Final = 4_000
ENTRIES_PER_PART: Final = 20_000
SMALL: Final = 5_000
"""Below so many entries other processes cost more than they save."""
END: Final = 2**63 - 1
PARTIAL: Final = (Check.LOOKUPS, Check.DERIVED, Check.INDEXES)
"""Checks of the whole store alone."""
SECRET_BITS: Final = 60


class VerifyProgress(Protocol):
    """Show how far the verification is."""

    def __call__(self, done: int, total: int, /) -> None:
        """Take the number of finished parts."""


def verify(
    store: Store,
    *,
    against: Sequence[str] | None = None,
    since: int = 0,
    pins: Sequence[VerifierKey] = (),
    jobs: int | None = None,
    deep: bool = False,
    progress: VerifyProgress = lambda _done, _total: None,
) -> Report:
    """Check a store, from the beginning again where that is cut short.

    `against` are files of checkpoints held outside, by default the one beside the store;
    `since` a checkpoint up to which all was checked before; `pins` the keys that are trusted;
    `jobs` the number of processes, by default one per processor. Raises `StoreError`,
    `NotFoundError`, `UsageError`.
    """
    files = _beside(store) if against is None else against

    def once() -> Report:
        return Verification(
            store,
            against=files,
            since=since,
            pins=pins,
            jobs=jobs or os.cpu_count() or 1,
            deep=deep,
            progress=progress,
        ).run()

    return store.retry.call(once, seconds=store.retry.read_seconds)


def _beside(store: Store) -> tuple[str, ...]:
    """Return the file of checkpoints beside an SQLite store, if there is one."""
    if store.file is None:
        return ()
    path = Path(f"{store.file}.checkpoints")
    return (str(path),) if path.is_file() and path.stat().st_size else ()


class Verification:
    """Verify one store."""

    def __init__(
        self,
        store: Store,
        *,
        against: Sequence[str] = (),
        since: int = 0,
        pins: Sequence[VerifierKey] = (),
        jobs: int = 1,
        deep: bool = False,
        progress: VerifyProgress = lambda _done, _total: None,
    ) -> None:
        self._store = store
        self._against = against
        self._since = since
        """The checkpoint, by number, up to which all was verified before; 0 for none."""
        self._pins = pins
        self._jobs = jobs
        self._deep = deep
        self._progress = progress
        self._damages = Damages()
        self._tallies = Tallies()
        self._not_checked: list[str] = []
        if since:
            what = "what checkpoint {} covers, lookups, derived tables, indexes (--since)"
            self._not_checked.append(what.format(since))
        self._entry = 0
        """The first entry that is looked at."""

    def run(self) -> Report:
        """Check everything. Raises `StoreError`, `NotFoundError`, `UsageError`."""
        began = time.monotonic()
        made = expected(self._store)
        try:
            with ExitStack() as stack:
                session = self._store.session()
                stack.callback(session.close)
                session.accept_bad_text()
                session.begin_snapshot()
                entries = self._count(session, "ledger_entries")
                processes = None
                if self._jobs > 1 and entries >= SMALL:
                    processes = Processes(self._store, self._jobs)
                    stack.callback(processes.close)
                    processes.agree(session)
                return self._check(session, processes, made, began)
        except DamagedStoreError as error:  # nothing of it can be read
            self._damages.add(Check.SCHEMA, "bytes", str(error))
            self._not_checked.append("anything else: the store cannot be read")
            return self._report(began, (), {})

    def _count(self, session: Session, table: str) -> int:
        """Count the rows of a table, 0 where it cannot be read."""
        with guarded(session, self._damages, Check.NUMBERS, table):
            return int(session.value(f"SELECT count(*) FROM {table}"))  # noqa: S608 - own names
        return 0

    def _check(
        self, session: Session, processes: Processes | None, made: Expected, began: float
    ) -> Report:
        damages = self._damages
        self._not_checked += check_schema(self._store, session, made, damages)
        counts = {table: self._count(session, table) for table in TABLES}
        entries = counts["ledger_entries"]
        checkpoints = Checkpoints(session, damages)
        start = self._start(checkpoints)
        keys = checkpoints.check_signatures(self._pins)
        outside, torn = read_outside(self._against, checkpoints.notes, damages)
        options = VerifyOptions(start.size, self._deep, randbits(SECRET_BITS))
        plan = Plan(options, entries, {table: counts[table] for table in COUNTS})
        crew: Crew
        if processes:
            processes.plan(plan)
            crew = processes
        else:
            crew = Alone(session, plan)
        sizes = (start.size, *(one.checkpoint.size for one in outside))
        marks = checkpoints.sizes[self._since :]
        parts = [Part("leaves", (start, sizes, marks))]
        with guarded(session, damages, Check.ROWS, "the store"):
            parts += self._parts(session, counts)
        heads = self._do(crew, parts)
        checkpoints.check_roots(heads, start.size)
        checkpoints.check_custody(heads, self._since)
        unsigned: dict[str, int] = {}
        with guarded(session, damages, Check.CUSTODY, "what is not signed yet"):
            unsigned = checkpoints.check_unsigned()
        if not self._since:
            self._check_whole(session)
        has_bad_text = self._tallies.has_bad_text or session.has_bad_text
        check_values(session, damages, has_bad_text=has_bad_text)
        check_outside(outside, checkpoints, keys, heads=heads, since=start.size, damages=damages)
        return self._report(began, self._steps(made, unsigned, torn), counts, checkpoints)

    def _report(
        self,
        began: float,
        steps: tuple[Step, ...],
        counts: dict[str, int],
        checkpoints: Checkpoints | None = None,
    ) -> Report:
        damages = self._damages
        kept = checkpoints.kept if checkpoints else []
        entries = counts.get("ledger_entries", 0)
        return Report(
            FORMAT,
            self._store.name,
            "damaged" if damages.counts else "intact",
            entries,
            min(kept[-1].checkpoint.size, entries) if kept else 0,
            counts.get("current_jobs", 0),
            len(kept),
            tuple(map(str, checkpoints.signers)) if checkpoints else (),
            steps,
            tuple(damages.first()),
            sum(damages.counts.values()),
            self._readings(),
            self._tallies.reading_count,
            (*self._not_checked, *self._not_asked_for()),
            round(time.monotonic() - began, 3),
            tuple(self._against),
        )

    def _not_asked_for(self) -> Iterator[str]:
        if not self._against:
            yield "checkpoints held outside the store (--against)"

    def _readings(self) -> tuple[OtherReading, ...]:
        return tuple(sorted(self._tallies.readings, key=lambda reading: reading.entry)[:SHOWN])

    def _start(self, checkpoints: Checkpoints) -> Start:
        if not self._since:
            return Start()
        for kept in checkpoints.kept:
            if kept.number == self._since:
                try:
                    same = Tree(kept.checkpoint.size, kept.frontier).root() == kept.checkpoint.root
                except LedgerError:
                    same = False
                if not same:
                    detail = f"checkpoint {kept.number}: its frontier is not that of its root"
                    self._damages.add(Check.ROOTS, "edited", detail)
                self._entry = kept.checkpoint.size
                return Start(kept.checkpoint.size, kept.frontier)
        raise NotFoundError(
            f"there is no checkpoint {self._since}",
            advice="`meta-audit checkpoint list` lists them.",
        )

    def _parts(self, session: Session, counts: dict[str, int]) -> Iterator[Part]:
        if self._since:
            yield from self._new_parts(session, counts["ledger_entries"])
            return
        for name, arguments in table_parts(session):
            yield Part(name, arguments)
        yield Part("lookup tables")
        yield Part("unique")
        yield Part("resolutions")
        yield Part("readings")
        # Counted, not the greatest: that could have been made anything.
        last_job, entries = counts["jobs"], counts["ledger_entries"]
        for low, high in _ranges(last_job, JOBS_PER_PART):
            yield Part("jobs", (low, high))
        for low, high in _ranges(entries, ENTRIES_PER_PART):
            yield Part("documents", (low, high))

    def _new_parts(self, session: Session, entries: int) -> Iterator[Part]:
        """Of the jobs only those that entries since then concern."""
        sql = "SELECT DISTINCT job_key FROM observations WHERE document_id >= ? ORDER BY job_key"
        keys = [key for (key,) in session.query(sql, self._entry)]
        low = high = -1
        for key in keys:
            if high >= 0 and (key > high + 1 or key - low >= JOBS_PER_PART):
                yield Part("jobs", (low, high + 1))
                low = -1
            low, high = (key if low < 0 else low), key
        if low >= 0:
            yield Part("jobs", (low, high + 1))
        for begin in range(self._entry, entries, ENTRIES_PER_PART):
            yield Part("documents", (begin, min(begin + ENTRIES_PER_PART, entries)))

    def _do(self, crew: Crew, parts: list[Part]) -> Heads:
        heads = Heads({}, [])
        for done, (part, result) in enumerate(crew.run(parts), 1):
            if part.name == "leaves":
                heads = result
            self._progress(done, len(parts))
        for tallies in crew.finish():
            self._damages.merge(tallies.damages, tallies.counts)
            self._merge(tallies)
        return heads

    def _merge(self, other: Tallies) -> None:
        tallies = self._tallies
        tallies.seen = _either(tallies.seen, other.seen, self._twice)
        tallies.accepted = _either(tallies.accepted, other.accepted)
        for table, marks in other.used.items():
            tallies.used[table] = _either(tallies.used.get(table, b""), marks)
        tallies.compression |= other.compression
        tallies.has_bad_text |= other.has_bad_text
        tallies.readings += other.readings
        tallies.reading_count += other.reading_count
        self._not_checked += other.not_checked

    def _twice(self, index: int) -> None:
        self._damages.add(Check.ROWS, "added", "it is observed twice", entry=index)

    def _check_whole(self, session: Session) -> None:
        """Check what only the whole store can show."""
        tallies, damages = self._tallies, self._damages
        missing = int.from_bytes(tallies.accepted) & ~int.from_bytes(tallies.seen)
        for index in _set_bytes(missing, len(tallies.accepted)):
            damages.add(Check.ROWS, "missing", "its observation is not there", entry=index)
        with guarded(session, damages, Check.NUMBERS, "numbers of rows"):
            check_numbers(session, damages)
        check_unused(tallies, damages)
        with guarded(session, damages, Check.LOOKUPS, "compression_dictionaries"):
            for (number,) in session.query("SELECT dictionary_id FROM compression_dictionaries"):
                if number not in tallies.compression:
                    detail = f"compression_dictionaries {number} is used by no document"
                    damages.add(Check.LOOKUPS, "added", detail)

    def _steps(self, made: Expected, unsigned: dict[str, int], torn: list[str]) -> tuple[Step, ...]:
        steps = []
        for check in Check:
            title, source = TITLES[check]
            status: Status = "ok"
            detail = ""
            if count := self._damages.counts.get(check):
                status, detail = "failed", f"{count:,} found"
            elif check is Check.OUTSIDE and not self._against:
                status, detail = "skipped", "none was given: a rollback would not show"
            elif check is Check.OUTSIDE and torn:
                status = "warning"
                detail = (
                    f"{', '.join(torn)}: the last one was cut off while it was written; the next"
                    " import writes the rest"
                )
            elif check is Check.DEEP and not self._deep:
                status, detail = "skipped", "not asked for (--deep)"
            elif check is Check.DEEP and self._tallies.reading_count:
                count = self._tallies.reading_count
                status, detail = "warning", f"this version reads {count:,} of them otherwise"
            elif check is Check.SCHEMA and made.objects is None:
                status, detail = "warning", f"only names: {made.reason}"
            elif self._since and check in PARTIAL:
                status, detail = "skipped", "only of the whole store, without --since"
            elif check is Check.CUSTODY and unsigned:
                status = "warning"
                newer = ", ".join(f"{count:,} {name}" for name, count in unsigned.items())
                only_asked = unsigned.keys() == {"questions"}
                runs = "" if only_asked else ", of an import that runs or was killed"
                detail = f"not signed yet: {newer}{runs}; the end of the next import signs them"
            elif check is Check.SIGNATURES and not self._pins:
                detail = "under the keys that the store itself names (--key takes yours)"
            steps.append(Step(int(check), title, source, status, detail))
        return tuple(steps)


def _ranges(last: int, step: int) -> Iterator[tuple[int, int]]:
    """Cut all integers into ranges, so that no row is left out, whatever its number."""
    low = -END - 1
    for high in range(step, last + 1, step):
        yield low, high
        low = high
    yield low, END


def _either(ours: bytes, theirs: bytes, both: Callable[[int], None] | None = None) -> bytes:
    """Return marks that either has; call `both` for those that both have."""
    if not ours:
        return theirs
    a, b = int.from_bytes(ours), int.from_bytes(theirs)
    if both and a & b:
        for index in _set_bytes(a & b, len(ours)):
            both(index)
    return (a | b).to_bytes(len(ours))


def _set_bytes(number: int, length: int) -> Iterator[int]:
    """Yield the places of the bytes that are 1."""
    marks = number.to_bytes(length)
    at = marks.find(1)
    while at >= 0:
        yield at
        at = marks.find(1, at + 1)
