"""Check ranges of entries in several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
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
    pool = ProcessPoolExecutor(count, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))

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

    try:
        yield each
    except BrokenProcessPool as error:
        raise ProcessError("a verifying process died") from error
    finally:
        for process in multiprocessing.active_children():
            process.terminate()
        pool.shutdown(cancel_futures=True)


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
