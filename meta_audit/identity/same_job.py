"""Tell if what two orchestrators' documents say of one ID can be of one job.

Clients may choose the ID of a service job, and IDs are unique within one orchestrator only.
Bacalhau sets the create time and the requester once and never changes them, not on update or
rerun.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from msgspec import Struct

_FLOAT_ERROR: Final = 512
"""Nanoseconds that a time of our days may move when a program keeps it as a double."""
_PRECISIONS: Final = (10**9, 10**6, 10**3)


class Birth(Struct, frozen=True):
    """The facts of a job that never change, as one version states them."""

    created_at: int | None
    """Nanoseconds since 1970, None where it is not stated. Leave out that of an event: it is
    the time of the event."""
    requesters: frozenset[object]
    """The values of the role `requester`, or what stands for them."""


def same_job(one: Birth, other: Birth) -> bool:
    """Tell if both can be of one job. What is not stated contradicts nothing."""
    if one.requesters and other.requesters and one.requesters.isdisjoint(other.requesters):
        return False
    if one.created_at is None or other.created_at is None:
        return True
    error = max(_precision(one.created_at), _precision(other.created_at), _FLOAT_ERROR)
    return abs(one.created_at - other.created_at) < error


def is_two_jobs(births: Sequence[Birth]) -> bool:
    """Tell if the versions that orchestrators state under one ID are of more than one job."""
    return not all(same_job(*pair) for pair in combinations(dict.fromkeys(births), 2))


def _precision(time: int) -> int:
    """Return the unit in which a time is written: milliseconds where the rest is zeros."""
    return next((unit for unit in _PRECISIONS if time % unit == 0), 1)
