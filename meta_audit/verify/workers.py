"""Do parts of the work in processes that read the same state of the store."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections import deque
from contextlib import closing, suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

from meta_audit.collector import without_collector
from meta_audit.errors import DamagedStoreError, MetaAuditError, ProcessError, StoreError
from meta_audit.store.opening import open_to_verify
from meta_audit.verify.checks.current_jobs import check_current
from meta_audit.verify.checks.derived import check_readings, check_resolutions
from meta_audit.verify.checks.evidence import check_documents
from meta_audit.verify.checks.jobs import JobRange
from meta_audit.verify.checks.leaves import Heads, read_leaves
from meta_audit.verify.checks.lookups import check_lookup_tables, check_unique
from meta_audit.verify.guard import UNREADABLE, guarded, said
from meta_audit.verify.outcome import Check
from meta_audit.verify.structure import LOOKUPS, check_index_lookups, check_table
from meta_audit.verify.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection as Pipe

    from meta_audit.store.opening import Store
    from meta_audit.store.session import Session
    from meta_audit.verify.work import Plan

TRIALS = 100


_STAMP: Final = """
    SELECT (SELECT count(*) FROM checkpoints), (SELECT max(import_id) FROM imports),
        (SELECT max(entry_index) FROM ledger_entries), (SELECT max(source_id) FROM sources),
        (SELECT max(result_no) FROM source_results)"""


def see_newest(session: Session) -> tuple[Any, ...]:
    """See the newest state from here on; return a stamp that tells it from every other."""
    session.begin_snapshot()
    try:
        return session.query(_STAMP)[0]
    except DamagedStoreError:
        session.begin_snapshot()
        return ()


class Part(NamedTuple):
    """Name a part of the work, with its arguments."""

    name: str
    arguments: tuple[Any, ...] = ()


def _jobs(work: Work, low: int, high: int) -> None:
    JobRange.between(work, low, high).check()
    with guarded(work.session, work.damages, Check.DERIVED, "current_jobs"):
        check_current(work, low, high)


PARTS: dict[str, Callable[..., Any]] = {
    "leaves": read_leaves,
    "documents": check_documents,
    "jobs": _jobs,
    "lookup tables": check_lookup_tables,
    "unique": check_unique,
    "resolutions": check_resolutions,
    "readings": check_readings,
    "table": check_table,
    LOOKUPS: check_index_lookups,
    "tallies": Work.tallies,
}
CHECKS: Final = {
    "leaves": Check.NUMBERS,
    "documents": Check.BYTES,
    "lookup tables": Check.LOOKUPS,
    "unique": Check.LOOKUPS,
    "resolutions": Check.DERIVED,
    "readings": Check.DERIVED,
    "table": Check.INDEXES,
    LOOKUPS: Check.INDEXES,
}
"""The check of which an undone part is a damage; else `ROWS`."""
HALVED: Final = ("jobs", "documents")
"""Parts that are done again in halves, down to the one row that cannot be read."""


def _do(work: Work, part: Part) -> Any:
    """Do a part; what cannot be read is a damage too."""
    try:
        if part.name != LOOKUPS:
            work.by_index.end()
        return PARTS[part.name](work, *part.arguments)
    except UNREADABLE as error:
        work.session.begin_snapshot()  # on PostgreSQL the transaction is over
        work.by_index.forget()
        if part.name in HALVED and work.halvings and _may_be_halved(work, part):
            work.halvings -= 1
            low, high = part.arguments
            middle = _between(low, high)
            _do(work, Part(part.name, (low, middle)))
            _do(work, Part(part.name, (middle, high)))
            return None
        check = CHECKS.get(part.name, Check.ROWS)
        where = _shown(*part.arguments) if part.name in HALVED else str(*part.arguments[:1])
        detail = f"{part.name} {where}".strip() + f" cannot be read: {said(error)}"
        work.damages.add(check, "bytes", detail)
        return Heads({}, []) if part.name == "leaves" else None


def _shown(low: int, high: int) -> str:
    return f"{low}" if high - low == 1 else f"{low} to {high - 1}"


def _may_be_halved(work: Work, part: Part) -> bool:
    """Return whether an empty range of it can be read: then single rows are at fault."""
    low, high = part.arguments
    if high - low <= 1:
        return False
    try:
        PARTS[part.name](work, 0, 0)
    except UNREADABLE:
        work.session.begin_snapshot()
        return False
    return True


def _between(low: int, high: int) -> int:
    """Halve a range; of one without an end, rather the exponents: rows are near the other end."""
    if low < 0 < high:
        return 0
    if high <= 0:
        return -_between(-high, -low)
    first, last = low.bit_length(), high.bit_length()
    return 1 << ((first + last) // 2) if last - first > 4 else (low + high) // 2


class Crew(Protocol):
    """Do parts of the work."""

    def run(self, parts: Iterable[Part]) -> Iterator[tuple[Part, Any]]:
        """Do parts in any order; yield the result of each."""

    def finish(self) -> Iterator[Any]:
        """Yield the tallies of every worker."""


class Alone:
    """Do all parts in this process."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self._work = Work(session, plan)

    def run(self, parts: Iterable[Part]) -> Iterator[tuple[Part, Any]]:
        """Do parts one after the other."""
        with without_collector():
            for part in parts:
                yield part, _do(self._work, part)

    def finish(self) -> Iterator[Any]:
        """Yield the tallies."""
        yield _do(self._work, Part("tallies"))


class Processes:
    """Run some processes, each with a connection of its own to the same state of the store."""

    def __init__(self, store: Store, count: int) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["__main__", __name__])  # once for all processes
        self._pipes: list[Pipe] = []
        self._processes = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, store.location), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def agree(self, session: Session) -> None:
        """Let this process and all others see the same state, while others write to it."""
        for _ in range(TRIALS):
            for pipe in self._pipes:
                pipe.send(None)
            stamps = {see_newest(session), *map(self._receive, self._pipes)}
            if len(stamps) == 1:
                return
        raise StoreError(
            "the store changes faster than it can be read", advice="Try again with --jobs 1."
        )

    def plan(self, plan: Plan) -> None:
        """Send the plan to all processes."""
        for pipe in self._pipes:
            pipe.send(plan)

    def run(self, parts: Iterable[Part]) -> Iterator[tuple[Part, Any]]:
        """Do parts, each in the process that is free."""
        rest = deque(parts)
        busy: dict[Pipe, Part] = {}
        for pipe in self._pipes:
            self._give(pipe, rest, busy)
        while busy:
            for ready in wait(list(busy)):
                pipe = cast("Pipe", ready)
                part = busy.pop(pipe)
                result = self._receive(pipe)
                self._give(pipe, rest, busy)
                yield part, result

    def finish(self) -> Iterator[Any]:
        """Yield the tallies of every process."""
        for pipe in self._pipes:
            pipe.send(Part("tallies"))
            yield self._receive(pipe)

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(1)
            if process.is_alive():
                process.terminate()
                process.join()

    @staticmethod
    def _give(pipe: Pipe, rest: deque[Part], busy: dict[Pipe, Part]) -> None:
        if rest:
            busy[pipe] = part = rest.popleft()
            pipe.send(part)

    @staticmethod
    def _receive(pipe: Pipe) -> Any:
        try:
            failed, result = pipe.recv()
        except (EOFError, OSError) as error:
            raise ProcessError("a verifying process died") from error
        if failed:
            raise result
        return result


def _serve(pipe: Pipe, location: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    with suppress(EOFError, BrokenPipeError):
        try:
            with closing(open_to_verify(location)) as store:
                session = store.session()
                session.accept_bad_text()
                _answer(pipe, session)
        except MetaAuditError as error:
            pipe.send((True, error))


def _answer(pipe: Pipe, session: Session) -> None:
    work = None
    while True:
        asked = pipe.recv()
        if asked is None:
            pipe.send((False, see_newest(session)))
        elif isinstance(asked, Part) and work is not None:
            pipe.send((False, _do(work, asked)))
        else:
            work = Work(session, asked)
