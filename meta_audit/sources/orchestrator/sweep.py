"""Read a list page by page, without a gap, though it changes between the pages.

Bacalhau's pages are offsets into a list that it sorts anew for every page. Meanwhile jobs are
added, modified (they move to the front of the list by time of modification) and perhaps lost,
and jobs with equal times may change places. So it is not enough to take one page after another.

The argument why no job is missed rests on one page alone: a page is a piece of the list as it was
at one moment, sorted. Let all jobs with a time before T be done. The next page is taken only if
its first job has a time before T, or if it begins with the list. Then it shows every job that
has a time from T on up to that of its last job, which it may show in part only. So the last job's
time is the new T, and jobs with exactly that time wait for the next page, which begins one job
before the first of them. When the first job has no such time, the list has shrunk: the page
before is read again. So a job is missed only if its own time changes meanwhile.

- The time of creation never changes: a sweep in that order sees every job that was there when it
  began, and was not deleted.
- The time of modification only grows. A job that is modified while we read has a time after
  that of the first job when we began. `Pull` reads the list again from the front down to that
  time, until nothing new has come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from meta_audit.errors import SourceError
from meta_audit.sources.orchestrator.job_list import Element, ListPage, Order
from meta_audit.sources.orchestrator.transport import TooLargeError

LARGEST_TIE: Final = 100_000
"""Most jobs with the very same time, which must fit into one page."""
LEAST_LIMIT: Final = 3
"""A job that is done, one to do, and one that proves that the second has no twin."""
_GROWTH: Final = 4
_MOST_STEPS: Final = 1_000
"""Pages without any progress before we give up: the list changes faster than we read it."""

Fetch: TypeAlias = Callable[[Order, int, int], tuple[ListPage, bool]]
"""Return the page of an order that begins at an offset, with at most so many jobs, and whether
it ends the list. Raises `SourceError`, and `TooLargeError`."""


class Sweep:
    """Read the list in one order. `first` is the first job's time once a page was read."""

    def __init__(
        self,
        fetch: Fetch,
        order: Order,
        *,
        first: int,
        most: int,
        may_grow: Callable[[], bool] = lambda: True,
    ) -> None:
        """Begin with pages of `first` jobs, and let them grow to `most`."""
        self._fetch = fetch
        self._order: Order = order
        self._may_grow = may_grow
        self._limit = first
        self._largest = most
        self._most = LARGEST_TIE
        self.first: int | None = None

    def pages(self, until: int | None = None) -> Iterator[list[Element]]:
        """Yield the jobs, each at least once, up to and with those that have the time `until`.

        Raises `SourceError`.
        """
        offset = steps = 0
        done: int | None = None  # every job with a time before it is done
        while steps < _MOST_STEPS:
            elements, is_last = self._page(offset)
            times = [self._time(e) for e in elements]
            if offset and not (times and self._is_before(times[0], done)):
                offset = max(0, offset - self._limit // 2)
                steps += 1
                continue
            if is_last or not times:
                yield [e for e in elements if not self._is_before(self._time(e), done)]
                return
            last = times[-1]
            ahead = sum(time != last for time in times)
            if self._is_before(last, done):  # what moved to the front pushed the rest behind it
                offset += len(times) - 1
                steps += 1
            elif ahead and last != done:
                yield [e for e in elements[:ahead] if not self._is_before(self._time(e), done)]
                done = last
                steps = 0
                if until is not None and self._is_before(until, last):
                    return
                offset += ahead - 1
                self._grow()
            elif ahead > 1:
                offset += ahead - 1
                steps += 1
            else:
                self._enlarge(len(times))
        raise SourceError("server.answer", "its list of jobs changes faster than it can be read")

    def _page(self, offset: int) -> tuple[list[Element], bool]:
        while True:
            try:
                page, is_last = self._fetch(self._order, offset, self._limit)
                break
            except TooLargeError:
                if self._limit == LEAST_LIMIT:
                    raise
                self._most = self._limit - 1
                self._limit = max(LEAST_LIMIT, self._limit // _GROWTH)
        self._check_sorted(page.elements)
        if not offset and page.elements:
            self.first = self._time(page.elements[0])
        return page.elements, is_last

    def _grow(self) -> None:
        if self._may_grow():
            self._limit = max(self._limit, min(self._limit * _GROWTH, self._most, self._largest))

    def _enlarge(self, found: int) -> None:
        """Ask for more at once: a page full of jobs with one time proves nothing."""
        if found < self._limit:
            raise SourceError(
                "server.answer",
                f"its list of jobs goes on behind a page of {found:,}, though asked for"
                f" {self._limit:,} at once",
                advice="Is it a Bacalhau orchestrator, without a proxy that cuts its pages?",
            )
        limit = min(self._limit * 2, self._most)
        if limit == self._limit:
            raise SourceError(
                "server.answer", f"more than {limit - 1:,} jobs have the very same time"
            )
        self._limit = limit

    def _time(self, element: Element) -> int:
        return element.time(self._order)

    def _is_before(self, time: int, done: int | None) -> bool:
        """Tell whether a time stands before another one in the list."""
        if done is None:
            return False
        return time < done if self._order == "created_at" else time > done

    def _check_sorted(self, elements: list[Element]) -> None:
        times = [self._time(e) for e in elements]
        if times != sorted(times, reverse=self._order == "modified_at"):
            raise SourceError(
                "server.answer",
                f"its list of jobs is not sorted by {self._order}, though asked to",
                advice="Is it a Bacalhau orchestrator, v1.1 or later, without a cache before it?",
            )
