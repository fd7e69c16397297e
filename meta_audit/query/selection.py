"""Choose what a list of counts shows: the order, the period, and how many rows."""

from __future__ import annotations

from typing import Any, Final, Literal, TypedDict, get_args

from msgspec import Struct

from meta_audit.errors import UsageError
from meta_audit.period import parse_period

Sort = Literal["count", "name", "first", "last"]
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)

_ALL: Final = 1 << 62
_ORDERS: Final[dict[str, str]] = {
    "count": "jobs DESC, lower(name), name",
    "name": "lower(name), name",
    "first": "first_at NULLS LAST, lower(name), name",
    "last": "last_at DESC NULLS LAST, lower(name), name",
}
"""Columns that every list of counts has: `name`, `jobs`, `first_at` and `last_at`."""

OWNED: Final = """
    LEFT JOIN (
        SELECT o.job_key, o.owner FROM (
            SELECT a.job_key, b.job_key AS owner,
                row_number() OVER (PARTITION BY a.job_key ORDER BY n.term) AS place
            FROM jobs a JOIN jobs b ON b.job_id = a.job_id AND b.job_key <> a.job_key
            JOIN terms n ON n.term_id = b.namespace_id
            WHERE a.namespace_id = (SELECT term_id FROM terms WHERE term = '') AND (
                NOT EXISTS (SELECT 1 FROM job_versions t WHERE t.job_key = a.job_key)
                OR EXISTS (
                    SELECT 1 FROM job_versions t JOIN terms o ON o.term_id = t.origin_id
                    WHERE t.job_key = b.job_key AND o.term = 'orchestrator'))) o
        WHERE o.place = 1) owned ON owned.job_key = {0}.job_key"""
"""Join that finds the job to which the rows of a job without a namespace belong.

Of jobs of one ID in several namespaces it is that of the first one, whatever came first.
"""
OWNER: Final = "coalesce(owned.owner, {0}.job_key)"
"""The job to which a row belongs. So a job that is told in two ways counts once."""


class Choice(TypedDict, total=False):
    """Name the arguments of `select`."""

    sort: Sort
    since: str | None
    until: str | None
    limit: int | None


class Selection(Struct, frozen=True):
    """Choose rows of a list of counts."""

    sort: Sort = "count"
    limit: int | None = None
    since: int | None = None
    """Only what is not before this time, in nanoseconds since 1970."""
    until: int | None = None
    """Only what is before this time."""

    def within(self, time: str) -> tuple[str, list[int]]:
        """Return a condition on a time, and its parameters; what has no time is in no period."""
        terms, parameters = ["1 = 1"], []
        for sign, bound in ((">=", self.since), ("<", self.until)):
            if bound is not None:
                terms.append(f"{time} {sign} ?")
                parameters.append(bound)
        return " AND ".join(terms), parameters

    def contains(self, time: int) -> bool:
        """Tell if a time is in the period."""
        return (self.since is None or time >= self.since) and (
            self.until is None or time < self.until
        )

    @property
    def bounds(self) -> tuple[int, int]:
        """Return the first moment of the period, and the first one after it."""
        since = -(1 << 63) if self.since is None else self.since
        return since, (1 << 63) - 1 if self.until is None else self.until

    def ordered(self, sql: str) -> str:
        """Order and limit a statement, and add the number of its rows as the last column."""
        order = _ORDERS[self.sort]
        return f"SELECT c.*, count(*) OVER () FROM ({sql}) c ORDER BY {order} LIMIT {self.most}"  # noqa: S608

    @property
    def most(self) -> int:
        """Return the number of rows to read."""
        return _ALL if self.limit is None else self.limit


def select(
    *,
    now: int,
    sort: Sort = "count",
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
) -> Selection:
    """Return a selection from the beginning of `since` to the end of `until`, as people write them.

    Raises `UsageError`.
    """
    if sort not in SORTS:
        raise UsageError(f"cannot sort by {sort}", advice=f"Sort by {', '.join(SORTS)}.")
    start = parse_period(since, now=now).start if since else None
    end = parse_period(until, now=now).end if until else None
    if start is not None and end is not None and start >= end:
        raise UsageError(f"nothing is since {since} and until {until}")
    return Selection(sort, limit, start, end)


def total(rows: list[tuple[Any, ...]]) -> int:
    """Return the number of rows that there are without a limit, of rows of `ordered`."""
    return int(rows[0][-1]) if rows else 0
