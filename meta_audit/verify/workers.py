"""Processes that each read the same state of the store and do parts of the work."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections import deque
from contextlib import closing, suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

from meta_audit.errors import DamagedStoreError, MetaAuditError, ProcessError, StoreError
from meta_audit.store.opening import open_to_read
from meta_audit.verify.checks.derived import check_readings, check_resolutions, sum_indexed
from meta_audit.verify.checks.evidence import check_documents
from meta_audit.verify.checks.jobs import JobRange
from meta_audit.verify.checks.leaves import Heads, read_leaves
from meta_audit.verify.checks.lookups import check_dictionaries, check_unique
from meta_audit.verify.report import Check
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
    return session.query(_STAMP)[0]


class Part(NamedTuple):
    """A part of the work: its name, and what it is given."""

    name: str
    arguments: tuple[Any, ...] = ()


def _jobs(work: Work, low: int, high: int) -> None:
    JobRange(work, low, high).check()


PARTS: dict[str, Callable[..., Any]] = {
    "leaves": read_leaves,
    "documents": check_documents,
    "jobs": _jobs,
    "index": sum_indexed,
    "dictionaries": check_dictionaries,
    "unique": check_unique,
    "resolutions": check_resolutions,
    "readings": check_readings,
    "tallies": Work.tallies,
}


def _do(work: Work, part: Part) -> Any:
    """Do a part; what cannot be read is a damage too."""
    try:
        return PARTS[part.name](work, *part.arguments)
    except DamagedStoreError as error:
        detail = f"{part.name} {part.arguments[:2]}: {error}"
        work.damages.add(Check.ROWS, "bytes", detail)
        with suppress(DamagedStoreError):
            work.session.begin_snapshot()  # on PostgreSQL the transaction is over
        return Heads({}, []) if part.name == "leaves" else None


class Crew(Protocol):
    """Does parts."""

    def run(self, parts: Iterable[Part]) -> Iterator[tuple[Part, Any]]:
        """Do parts, in any order; what each gave."""

    def finish(self) -> Iterator[Any]:
        """The tallies of every worker."""


class Alone:
    """This process does it all."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self._work = Work(session, plan)

    def run(self, parts: Iterable[Part]) -> Iterator[tuple[Part, Any]]:
        """Do parts one after the other."""
        gc.disable()
        try:
            for part in parts:
                yield part, _do(self._work, part)
        finally:
            gc.enable()

    def finish(self) -> Iterator[Any]:
        """The tallies."""
        yield self._work.tallies()


class Processes:
    """Some processes, each with a connection of its own to the same state of the store."""

    def __init__(self, store: Store, count: int) -> None:
        context = multiprocessing.get_context("forkserver")
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
        """Tell all what they need to know."""
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
        """The tallies of every process."""
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
            with closing(open_to_read(location)) as store:
                _answer(pipe, store.session())
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
