"""Processes that each read the same state of the store and do parts of the work."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections import deque
from contextlib import suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

from meta_audit.errors import MetaAuditError, ProcessError, StoreError
from meta_audit.verify.checks.derived import check_resolutions, sum_indexed
from meta_audit.verify.checks.evidence import check_documents
from meta_audit.verify.checks.jobs import JobRange
from meta_audit.verify.checks.leaves import Heads, read_leaves
from meta_audit.verify.checks.lookups import check_dictionaries, check_unique
from meta_audit.verify.guard import UNREADABLE, said
from meta_audit.verify.reader import Reader
from meta_audit.verify.report import Check
from meta_audit.verify.structure import check_lookups, check_table
from meta_audit.verify.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from multiprocessing.connection import Connection as Pipe

    import sqlalchemy as sa

    from meta_audit.verify.work import Plan

TRIALS = 100


class Opener(Protocol):
    """Opens a connection that reads; can be sent to another process."""

    def __call__(self) -> AbstractContextManager[sa.Connection]:
        """Open it."""


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
    "table": check_table,
    "lookups": check_lookups,
    "tallies": Work.tallies,
}
CHECKS: Final = {
    "leaves": Check.NUMBERS,
    "documents": Check.BYTES,
    "index": Check.DERIVED,
    "dictionaries": Check.DICTIONARIES,
    "unique": Check.DICTIONARIES,
    "resolutions": Check.DERIVED,
    "table": Check.INDEXES,
    "lookups": Check.INDEXES,
}
"""What a part that cannot be done is a damage of; else `ROWS`."""
HALVED: Final = ("jobs", "documents")
"""Parts that are done again in halves, down to the one row that cannot be read."""


def _do(work: Work, part: Part) -> Any:
    """Do a part; what cannot be read is a damage too."""
    try:
        return PARTS[part.name](work, *part.arguments)
    except UNREADABLE as error:
        work.reader.begin()  # on PostgreSQL the transaction is over
        if part.name in HALVED and _may_be_halved(work, part):
            low, high = part.arguments
            middle = _between(low, high)
            _do(work, Part(part.name, (low, middle)))
            _do(work, Part(part.name, (middle, high)))
            return None
        check = CHECKS.get(part.name, Check.ROWS)
        where = ", ".join(map(str, part.arguments[:1]))
        detail = f"{part.name} {where}".strip() + f" cannot be read: {said(error)}"
        work.damages.add(check, "bytes", detail)
        return Heads({}, []) if part.name == "leaves" else None


def _may_be_halved(work: Work, part: Part) -> bool:
    """Whether it is about some of the rows: no rows at all can be read."""
    low, high = part.arguments
    if high - low <= 1:
        return False
    try:
        PARTS[part.name](work, 0, 0)
    except UNREADABLE:
        work.reader.begin()
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
    """Does parts."""

    def run(self, parts: Iterable[Part]) -> Iterator[tuple[Part, Any]]:
        """Do parts, in any order; what each gave."""

    def finish(self) -> Iterator[Any]:
        """The tallies of every worker."""


class Alone:
    """This process does it all."""

    def __init__(self, reader: Reader, plan: Plan) -> None:
        self._work = Work(reader, plan)

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

    def __init__(self, opener: Opener, count: int) -> None:
        context = multiprocessing.get_context("forkserver")
        self._pipes: list[Pipe] = []
        self._processes = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, opener), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def agree(self, reader: Reader) -> None:
        """Let this process and all others see the same state, while others write to it."""
        for _ in range(TRIALS):
            for pipe in self._pipes:
                pipe.send(None)
            stamps = {reader.begin(), *map(self._receive, self._pipes)}
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


def _serve(pipe: Pipe, opener: Opener) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    with suppress(EOFError, BrokenPipeError):
        try:
            with opener() as connection:
                _answer(pipe, Reader(connection))
        except MetaAuditError as error:
            pipe.send((True, error))


def _answer(pipe: Pipe, reader: Reader) -> None:
    work = None
    while True:
        asked = pipe.recv()
        if asked is None:
            pipe.send((False, reader.begin()))
        elif isinstance(asked, Part) and work is not None:
            pipe.send((False, _do(work, asked)))
        else:
            work = Work(reader, asked)
