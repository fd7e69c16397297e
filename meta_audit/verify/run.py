"""One verification, from the first check to the report."""

from __future__ import annotations

import time
from contextlib import ExitStack
from secrets import randbits
from typing import TYPE_CHECKING, Final, Protocol

from meta_audit.errors import NotFoundError
from meta_audit.ledger.merkle import Tree
from meta_audit.ledger.step import Step
from meta_audit.verify.checks.checkpoints import Checkpoints, check_numbers
from meta_audit.verify.checks.derived import check_index
from meta_audit.verify.checks.leaves import Heads, Start
from meta_audit.verify.checks.lookups import check_unused
from meta_audit.verify.checks.outside import check_outside, read_outside
from meta_audit.verify.report import FORMAT, TITLES, Check, Damages, Options, Report
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
PAIRS_PER_PART: Final = 10_000
SMALL: Final = 5_000
"""Below so many entries other processes cost more than they save."""
END: Final = 2**63 - 1
SECRET_BITS: Final = 60


class VerifyProgress(Protocol):
    """Is told how the verification goes on."""

    def __call__(self, done: int, total: int, /) -> None:
        """So many parts are done."""


class Verification:
    """One verification of one store."""

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
        self._entry = 0
        """The first entry that is looked at."""

    def run(self) -> Report:
        """Check everything. Raises `StoreError`, `NotFoundError`, `UsageError`."""
        began = time.monotonic()
        with ExitStack() as stack:
            session = self._store.session()
            stack.callback(session.close)
            session.begin_snapshot()
            entries = session.value("SELECT count(*) FROM ledger_entries")
            processes = None
            if self._jobs > 1 and entries >= SMALL:
                processes = Processes(self._store, self._jobs)
                stack.callback(processes.close)
                processes.agree(session)
            return self._check(session, processes, began)

    def _check(self, session: Session, processes: Processes | None, began: float) -> Report:
        damages = self._damages
        entries = session.value("SELECT count(*) FROM ledger_entries")
        checkpoints = Checkpoints(session, damages)
        start = self._start(checkpoints)
        keys = checkpoints.check_signatures(self._pins)
        outside, torn = read_outside(self._against, checkpoints.notes, damages)
        options = Options(start.size, self._deep, randbits(SECRET_BITS))
        counts = {
            table: session.value(f"SELECT count(*) FROM {table}")  # noqa: S608 - own names
            for table in COUNTS
        }
        plan = Plan(options, entries, counts)
        crew: Crew
        if processes:
            processes.plan(plan)
            crew = processes
        else:
            crew = Alone(session, plan)
        sizes = tuple(one.checkpoint.size for one in outside)
        marks = checkpoints.sizes[self._since :]
        heads = self._do(crew, [Part("leaves", (start, sizes, marks)), *self._parts(session)])
        checkpoints.check_roots(heads, start.size)
        checkpoints.check_custody(heads, self._since)
        unsigned = checkpoints.check_unsigned()
        if not self._since:
            self._check_whole(session)
        check_outside(outside, checkpoints, keys, heads=heads, since=start.size, damages=damages)
        last = checkpoints.kept[-1].checkpoint.size if checkpoints.kept else 0
        return Report(
            FORMAT,
            self._store.name,
            "damaged" if damages.counts else "intact",
            entries,
            min(last, entries),
            session.value("SELECT count(*) FROM jobs"),
            len(checkpoints.kept),
            tuple(map(str, checkpoints.signers)),
            self._steps(unsigned, torn),
            tuple(damages.first()),
            sum(damages.counts.values()),
            round(time.monotonic() - began, 3),
        )

    def _start(self, checkpoints: Checkpoints) -> Start:
        if not self._since:
            return Start()
        for kept in checkpoints.kept:
            if kept.number == self._since:
                tree = Tree(kept.checkpoint.size, kept.frontier)
                if tree.root() != kept.checkpoint.root:
                    detail = f"checkpoint {kept.number}: its frontier is not that of its root"
                    self._damages.add(Check.ROOTS, "edited", detail)
                self._entry = kept.checkpoint.size
                return Start(kept.checkpoint.size, kept.frontier)
        raise NotFoundError(
            f"there is no checkpoint {self._since}",
            advice="`meta-audit checkpoint list` lists them.",
        )

    def _parts(self, session: Session) -> Iterator[Part]:
        if self._since:
            yield from self._new_parts(session)
            return
        yield Part("dictionaries")
        yield Part("unique")
        yield Part("resolutions")
        yield Part("readings")
        # Counted, not the greatest: that could have been made anything.
        last_job = session.value("SELECT count(*) FROM jobs")
        last_pair = session.value("SELECT count(*) FROM meta_pairs")
        entries = session.value("SELECT count(*) FROM ledger_entries")
        # The first pairs may be in every job: these parts are the longest, and come first.
        for low, high in _ranges(last_pair, PAIRS_PER_PART):
            yield Part("index", (low, high))
        for low, high in _ranges(last_job, JOBS_PER_PART):
            yield Part("jobs", (low, high))
        for low, high in _ranges(entries, ENTRIES_PER_PART):
            yield Part("documents", (low, high))

    def _new_parts(self, session: Session) -> Iterator[Part]:
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
        entries = session.value("SELECT count(*) FROM ledger_entries")
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
        tallies.searchable.add(other.searchable)
        tallies.indexed.add(other.indexed)

    def _twice(self, index: int) -> None:
        self._damages.add(Check.ROWS, "added", "it is observed twice", entry=index)

    def _check_whole(self, session: Session) -> None:
        """What only the whole store can show."""
        tallies, damages = self._tallies, self._damages
        missing = int.from_bytes(tallies.accepted) & ~int.from_bytes(tallies.seen)
        for index in _set_bytes(missing, len(tallies.accepted)):
            damages.add(Check.ROWS, "missing", "its observation is not there", entry=index)
        check_numbers(session, damages)
        check_unused(tallies, damages)
        for (number,) in session.query("SELECT dictionary_id FROM compression_dictionaries"):
            if number not in tallies.compression:
                detail = f"compression_dictionaries {number} is used by no document"
                damages.add(Check.DICTIONARIES, "added", detail)
        check_index(tallies, session, damages)

    def _steps(self, unsigned: dict[str, int], torn: list[str]) -> tuple[Step, ...]:
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
            elif self._since and check in (Check.DICTIONARIES, Check.DERIVED):
                status, detail = "skipped", "only of the whole store, without --since"
            elif check is Check.CUSTODY and unsigned:
                status = "warning"
                newer = ", ".join(f"{count:,} {name}" for name, count in unsigned.items())
                detail = (
                    f"not signed yet: {newer}, of an import that runs or was killed; the end of"
                    " the next one signs them"
                )
            elif check is Check.SIGNATURES and not self._pins:
                detail = "under the keys that the store itself names (--key takes yours)"
            steps.append(Step(int(check), title, source, status, detail))
        return tuple(steps)


def _ranges(last: int, step: int) -> Iterator[tuple[int, int]]:
    """Cut all numbers into ranges: none is left out, however far from the others."""
    low = -END - 1
    for high in range(step, last + 1, step):
        yield low, high
        low = high
    yield low, END


def _either(ours: bytes, theirs: bytes, both: Callable[[int], None] | None = None) -> bytes:
    """Marks that either has; `both` is told those that both have."""
    if not ours:
        return theirs
    a, b = int.from_bytes(ours), int.from_bytes(theirs)
    if both and a & b:
        for index in _set_bytes(a & b, len(ours)):
            both(index)
    return (a | b).to_bytes(len(ours))


def _set_bytes(number: int, length: int) -> Iterator[int]:
    """Places of the bytes that are 1."""
    marks = number.to_bytes(length)
    at = marks.find(1)
    while at >= 0:
        yield at
        at = marks.find(1, at + 1)
