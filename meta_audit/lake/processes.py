"""Check ranges of entries in several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Thread, current_thread, main_thread
from typing import TYPE_CHECKING

from meta_audit.errors import ProcessError
from meta_audit.lake.catalog import stores
from meta_audit.lake.verify import ENTRIES_AT_ONCE, verify_lake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from meta_audit.lake.catalog import Lake
    from meta_audit.lake.range_check import EntryRange, RangeResult
    from meta_audit.lake.verify import Each, LakeReport
    from meta_audit.ledger.note import VerifierKey


@contextmanager
def in_processes(count: int) -> Iterator[Each]:
    """Give what does work for ranges in so many processes. They end with the block."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "meta_audit.lake.range_check"])
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(count, context, _prepare)

    def each(
        work: Callable[[EntryRange], RangeResult], ranges: Iterable[EntryRange]
    ) -> Iterator[RangeResult]:
        waiting: deque[Future[RangeResult]] = deque()
        for one in ranges:
            waiting.append(pool.submit(work, one))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    with _terminated_in_order():
        try:
            yield each
        except BrokenProcessPool as error:
            raise ProcessError("a verifying process died") from error
        finally:
            for process in multiprocessing.active_children():
                if process not in others:
                    process.terminate()
            pool.shutdown(cancel_futures=True)


@contextmanager
def _terminated_in_order() -> Iterator[None]:
    """End by an exception on SIGTERM, so that what was begun is ended."""
    if current_thread() is not main_thread():  # where signals do not come
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _prepare() -> None:
    """Leave signals to the main process, and end with it, whatever ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def verify_in(
    lake: Lake,
    pins: Sequence[VerifierKey],
    checked: Callable[[int, int], None],
    count: int | None = None,
    *,
    at_once: int = ENTRIES_AT_ONCE,
) -> LakeReport:
    """Check all stores of a lake in some processes, by default one for each processor.

    A lake of one range is checked in this one. `pins` are the keys that are trusted.
    """
    most = max(stores(lake.table("entries")).values(), default=0)
    useful = min(count or os.cpu_count() or 1, -(-most // at_once))
    if useful <= 1:
        return verify_lake(lake, pins, checked, at_once=at_once)
    with in_processes(useful) as each:
        return verify_lake(lake, pins, checked, each, at_once=at_once)
