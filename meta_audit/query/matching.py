"""Choose the jobs that match an expression, in an order.

Of the parts that must all match, the rarest leads if at most `RARE` jobs have it: these are
fetched, checked and sorted. Else the newest `WALKED` jobs are checked one by one, which is enough
where many jobs match; where it is not, the rarest part leads after all.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict

from msgspec import Struct

from meta_audit.errors import UsageError
from meta_audit.query.conditions import ALWAYS, NO_JOB, Compiler, Sql, joined
from meta_audit.query.cursors import MARK, Cursor
from meta_audit.query.identify import identify
from meta_audit.query.past import session_at
from meta_audit.query.results import Candidates
from meta_audit.search.expression import EVERYTHING, Is, When, conjuncts, terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meta_audit.query.conditions import Lead
    from meta_audit.search.expression import Expression, Has
    from meta_audit.store.session import Session

    Place = tuple[Any, str, str, int]
    """The value that a job is sorted by, its ID and namespace, and its key."""

ACTIVITY: Final = Is("origin", "activity")
"""Jobs that only executions or events tell of are listed only if they are asked for."""
RARE: Final = 2_000
WALKED: Final = 5_000


class SortOrder(NamedTuple):
    """Define an order of jobs; IDs and namespaces break ties, not the order of arrival."""

    column: str
    descending: bool = False
    nullable: bool = False


_JOB_ID: Final = "(SELECT job_id FROM jobs WHERE job_key = j.job_key)"
ORDERS: Final = {
    "created": SortOrder("j.created_at", descending=True, nullable=True),
    "modified": SortOrder("j.modified_at", descending=True, nullable=True),
    "name": SortOrder("coalesce((SELECT term FROM terms WHERE term_id = j.name_id), '')"),
    "client": SortOrder(
        "coalesce((SELECT value FROM identities WHERE identity_id = j.client_id), '')"
    ),
    "namespace": SortOrder("j.namespace"),
    "state": SortOrder("j.state"),
}
"""Times come newest first, and unknown ones last; texts by code point."""


class SearchChoice(TypedDict, total=False):
    """Hold what may be chosen of a search, beside its expressions."""

    client: str | None
    requester: str | None
    namespace: str | None
    sort: str
    after: str | None
    columns: Sequence[str]
    as_of: str | None
    at: str | None


class Search(Struct, frozen=True):
    """Say which jobs are asked for, in which order, with which columns."""

    expression: Expression = EVERYTHING
    now: int = 0
    """The time that `-7d` is counted from, in nanoseconds since 1970."""
    sort: str = "created"
    """A name of `ORDERS`."""
    after: str | None = None
    """The job before the first one that is wanted: a cursor, or what `identify` takes."""
    columns: tuple[Has, ...] = ()
    """Keys whose values are wanted."""
    as_of: int | None = None
    """Imports that began then or later do not count."""
    at: int | None = None
    """Nothing counts that documents say of that time and later."""


def count(session: Session, search: Search, most: int | None = None) -> int:
    """Return how many jobs match; with `most`, stop counting there."""
    session = session_at(session, search.as_of, search.at)
    finder = Finder(session, search)
    source = finder.source(finder.rarest())
    if most is None:
        return int(session.query(f"SELECT count(*) {source.text}", *source.parameters)[0][0])
    counted = f"SELECT count(*) FROM (SELECT 1 {source.text} LIMIT ?) found"
    return int(session.query(counted, *source.parameters, most)[0][0])


class _Leading(NamedTuple):
    """Hold the part of the expression that leads."""

    place: int
    """Its place among the parts."""
    lead: Lead
    jobs: tuple[int, ...] | None
    """Keys of the jobs that it leads to; None if there are more than `RARE`."""


class Finder:
    """Answer one search on one state of the store."""

    def __init__(self, session: Session, search: Search) -> None:
        self._session = session
        self._search = search
        self._compiler = Compiler(session, search.now)
        self._parts = conjuncts(search.expression)
        self._conditions = [self._compiler.condition(part) for part in self._parts]
        self._shown = ALWAYS if ACTIVITY in terms(search.expression) else Sql("j.version_no > 0")
        self._order = ORDERS[search.sort]
        self._after = self._cursor()

    def places(self, wanted: int | None) -> Iterator[Place]:
        """Yield the jobs that match, in order; the first `wanted` of them, or all for None."""
        leading = self.rarest()
        if leading and leading.jobs is None and wanted is not None:
            newest = self._walk(wanted)
            if newest is not None:
                return iter(newest)
        return self._ordered(self.source(leading), wanted, sorts=leading is not None)

    def rarest(self) -> _Leading | None:
        """Return the part that leads to the fewest jobs; None if no part leads."""
        best: _Leading | None = None
        for place, part in enumerate(self._parts):
            lead = self._compiler.lead(part)
            if lead is None:
                continue
            most = RARE if best is None or best.jobs is None else len(best.jobs)
            sql = f"SELECT l.job_key FROM ({lead.sql.text}) l LIMIT ?"
            found = self._session.query(sql, *lead.sql.parameters, most + 1)
            if len(found) <= most:
                best = _Leading(place, lead, tuple({key for (key,) in found}))
            elif best is None:
                best = _Leading(place, lead, None)
        return best

    def source(self, leading: _Leading | None) -> Sql:
        """Return FROM and WHERE of the jobs that match."""
        checked = self._conditions.copy()
        if leading is None:
            where = joined(" AND ", [self._shown, *checked])
            return Sql(f"FROM current_jobs j WHERE {where.text}", where.parameters)
        if leading.lead.is_exact:
            del checked[leading.place]
        where = joined(" AND ", [self._shown, *checked])
        jobs, found = leading.jobs, leading.lead.sql
        if jobs is None:
            led = f"SELECT DISTINCT l.job_key FROM ({found.text}) l"
        else:
            found = NO_JOB
            keys = ", ".join(f"({key})" for key in jobs)
            led = f"SELECT column1 AS job_key FROM (VALUES {keys}) v" if jobs else NO_JOB.text
        return Sql(
            f"FROM ({led}) m CROSS JOIN current_jobs j"
            f" WHERE j.job_key = m.job_key AND {where.text}",
            found.parameters + where.parameters,
        )

    def _walk(self, wanted: int) -> list[Place] | None:
        """Look for jobs among the newest; None if too few of them match."""
        if self._search.sort != "created":
            return None
        times = [p for p in self._parts if isinstance(p, When) and p.field == "created"]
        known = Sql("j.created_at IS NOT NULL")
        within = joined(" AND ", [known, *self._keyset(), *map(self._compiler.condition, times)])
        oldest = self._session.query(
            f"SELECT j.created_at FROM current_jobs j WHERE {within.text}"
            f" ORDER BY j.created_at DESC LIMIT 1 OFFSET {WALKED}",
            *within.parameters,
        )
        if not oldest:
            return list(self._ordered(self.source(None), wanted))
        where = joined(" AND ", [self._shown, *self._conditions])
        newest = Sql(
            f"FROM current_jobs j WHERE j.created_at >= ? AND {where.text}",
            (oldest[0][0], *where.parameters),
        )
        found = list(self._ordered(newest, wanted))
        return found if len(found) >= wanted else None

    def _ordered(self, source: Sql, wanted: int | None, *, sorts: bool = False) -> Iterator[Place]:
        """Yield the jobs of a source in order; those without a time come last.

        With `sorts` the planner must sort them, and may not walk all jobs in the order of time.
        """
        column, descending, nullable = self._order
        way = " DESC" if descending else ""
        by = f"{column} + 0" if sorts and nullable else column
        parts = []
        if not nullable or self._after is None or self._after.value is not None:
            known = [Sql(f"{column} IS NOT NULL")] if nullable else []
            parts.append(([*known, *self._keyset()], f"{by}{way}, 2{way}, 3{way}"))
        if nullable:
            after = self._after if self._after and self._after.value is None else None
            rest = [] if after is None else [_tie("<", after)]
            parts.append(([Sql(f"{column} IS NULL"), *rest], "2 DESC, 3 DESC"))
        rows = chain.from_iterable(
            self._rows(source, conditions, order, wanted) for conditions, order in parts
        )
        return islice(rows, wanted)

    def _rows(
        self, source: Sql, conditions: list[Sql], order: str, wanted: int | None
    ) -> Iterator[Place]:
        where = joined(" AND ", [*conditions, Sql("1 = 1")])
        sql = (
            f"SELECT {self._order.column}, {_JOB_ID}, j.namespace, j.job_key"
            f" {source.text} AND {where.text} ORDER BY {order}"
        )
        parameters = source.parameters + where.parameters
        if wanted is None:
            yield from self._session.stream(sql, *parameters)
        else:
            yield from self._session.query(f"{sql} LIMIT ?", *parameters, wanted)

    def _keyset(self) -> list[Sql]:
        """Return the condition that a job comes after the cursor."""
        if self._after is None or self._after.value is None:
            return []
        sign = "<" if self._order.descending else ">"
        column, value, tie = self._order.column, self._after.value, _tie(sign, self._after)
        rest = Sql(f"({column} <> ? OR {tie.text})", (value, *tie.parameters))
        return [Sql(f"{column} {sign}= ?", (value,)), rest]

    def _cursor(self) -> Cursor | None:
        """Return the place after which jobs are wanted. Raises `UsageError`, `NotFoundError`."""
        after, sort = self._search.after, self._search.sort
        if after is None:
            return None
        if after.startswith(MARK):
            cursor = Cursor.parse(after)
            cursor.check(sort)
            return cursor
        meant = identify(self._session, after, None)
        if isinstance(meant, Candidates):
            raise UsageError(
                f"--after: {after} fits several jobs", advice="Give an ID, or the cursor."
            )
        sql = f"SELECT {self._order.column}, j.namespace FROM current_jobs j WHERE j.job_key = ?"
        found = self._session.query(sql, meant.job_key)
        value, namespace = found[0] if found else (None, "")
        return Cursor(sort, value, meant.job_id, namespace)


def _tie(sign: str, after: Cursor) -> Sql:
    """Return the condition that a job comes after one with the same value."""
    return Sql(f"({_JOB_ID}, j.namespace) {sign} (?, ?)", (after.job_id, after.namespace))
