"""Tell if what two orchestrators' documents say of one ID can be of one job.

Clients may choose the ID of a service job, and IDs are unique within one orchestrator only.
Bacalhau sets the create time and the requester once and never changes them, not on update or
rerun.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

_FLOAT_ERROR: Final = 512
"""Nanoseconds that a time of our days may move when a program keeps it as a double."""
_PRECISIONS: Final = (10**9, 10**6, 10**3)
"""Units in which times are written: milliseconds where the rest is zeros."""
_LEGACY: Final = "legacy "
"""Begins the layout of a job as the legacy API shows it."""


class Birth(Struct, frozen=True):
    """The facts of a job that never change, as one version states them."""

    created_at: int | None
    """Nanoseconds since 1970, None where it is not stated. Leave out that of an event: it is
    the time of the event."""
    requesters: frozenset[object]
    """The values of the role `requester`, or what stands for them."""
    layout: str = ""
    """The layout of the document (`JobRecord.layout`). The legacy API answers a submission with
    a time from before the job is stored: on v1.1.6 half a millisecond earlier."""

    @property
    def precision(self) -> int:
        """Return how far off the create time may be, in nanoseconds."""
        if self.layout.startswith(_LEGACY):
            return _PRECISIONS[0]
        time = self.created_at or 0
        return next((unit for unit in _PRECISIONS if time % unit == 0), _FLOAT_ERROR)


def same_job(one: Birth, other: Birth) -> bool:
    """Tell if both can be of one job. What is not stated contradicts nothing."""
    if one.requesters and other.requesters and one.requesters.isdisjoint(other.requesters):
        return False
    if one.created_at is None or other.created_at is None:
        return True
    return abs(one.created_at - other.created_at) < max(one.precision, other.precision)


class Births:
    """Hold the births that versions under one ID state. `same_job` for all of them, fast."""

    def __init__(self) -> None:
        self._seen: set[Birth] = set()
        self._times: dict[int, tuple[int, int]] = {}
        """The first and the last create time, by precision."""
        self._requesters: set[frozenset[object]] = set()
        self._common: frozenset[object] = frozenset()
        """Requesters that all name."""

    def add(self, birth: Birth) -> bool:
        """Add a birth. Return True if it cannot be that of the job of one before it."""
        if birth in self._seen:
            return False
        self._seen.add(birth)
        return any((self._is_other_time(birth), self._is_elsewhere(birth.requesters)))

    def _is_other_time(self, birth: Birth) -> bool:
        time = birth.created_at
        if time is None:
            return False
        precision = birth.precision
        is_other = any(
            max(last - time, time - first) >= max(precision, other)
            for other, (first, last) in self._times.items()
        )
        first, last = self._times.get(precision, (time, time))
        self._times[precision] = min(first, time), max(last, time)
        return is_other

    def _is_elsewhere(self, requesters: frozenset[object]) -> bool:
        if not requesters:
            return False
        common = self._common & requesters if self._requesters else requesters
        is_elsewhere = not common and any(map(requesters.isdisjoint, self._requesters))
        self._common = common
        self._requesters.add(requesters)
        return is_elsewhere


def is_two_jobs(births: Iterable[Birth]) -> bool:
    """Tell if the versions that orchestrators state under one ID are of more than one job."""
    seen = Births()
    return any(seen.add(birth) for birth in births)
