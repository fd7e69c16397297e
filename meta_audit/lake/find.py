"""List the jobs of a lake that match an expression, as `find` lists those of a store."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from meta_audit.lake.duck import asked
from meta_audit.lake.hints import KEYS, hint, knows
from meta_audit.lake.orders import COLUMNS, LakeCursor, beginning, order_by
from meta_audit.lake.owners import ASKED, make_owners
from meta_audit.lake.pair_columns import with_pairs, with_values
from meta_audit.lake.predicates import (
    WITHOUT_OWNERS,
    LakeCompiler,
    check_answerable,
    tables_of,
)
from meta_audit.query.conditions import Sql, joined
from meta_audit.query.explain import printable
from meta_audit.query.public_keys import fingerprint_of
from meta_audit.query.results import Found, FoundJob, Reason
from meta_audit.query.texts import exact, rfc3339
from meta_audit.search.expression import Equals, Has, Matches, conjuncts, terms
from meta_audit.search.normal_form import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from meta_audit.lake.catalog import Lake
    from meta_audit.query.matching import Search
    from meta_audit.query.meta_columns import ColumnValues
    from meta_audit.search.expression import Expression

    _Row = tuple[tuple[Any, ...], ColumnValues | None]

FIND_FORMAT: Final = "meta-audit/lake-find/1"
NONE: Final = Found(FIND_FORMAT, (), more=False)
ROWS_AT_ONCE: Final = 1_000
_JOBS: Final = """
    SELECT {column} AS sorted_by, j.store, j.created_ns, j.job_id, coalesce(j.name, '') AS name,
        j.type, j.state, j.namespace, j.client, j.client_trust, j.requester, j.requester_trust,
        j.origin, j.job_key, j.version_no
    FROM v_jobs j WHERE {where} ORDER BY {order}{most}"""
_FIELDS: Final = 13
"""Columns of `_JOBS` that a job is described by."""
_KEYS: Final = """
    SELECT DISTINCT role, value FROM v_attributions
    WHERE role IN ('client_key', 'requester_key') AND verdict <> 'undecodable'"""


class LakeJob(FoundJob, frozen=True, kw_only=True):
    """Describe a job of a lake that matches."""

    store: str
    """The store that it is from: the origin of its checkpoints."""


class LakeSearch:
    """Ask one state of a lake for the jobs that a search asks for."""

    def __init__(self, duck: DuckDBPyConnection, stores: list[str], search: Search) -> None:
        """Raises `UsageError`, `NotFoundError` for what to begin behind."""
        self._duck = duck
        self._search = search
        self._compiler = LakeCompiler(search.now, self._keys_with)
        self._condition = self._compiler.condition(search.expression)
        self._behind = beginning(duck, search.after, search.sort)
        self.stores = stores
        """The stores that the lake has."""

    def first(self, limit: int) -> Found:
        """Return the first jobs that match, at most `limit`, or say why there is none."""
        rows = list(self._rows(min(limit + 1, sys.maxsize)))
        more = len(rows) > limit
        if not rows:
            return self.nothing()
        cursor = None
        if more:
            value, store, _, job_id, *_, namespace = rows[limit - 1][0][:8]
            cursor = str(LakeCursor(self._search.sort, value, job_id, namespace, store))
        jobs = tuple(map(self._job, rows[:limit]))
        return Found(FIND_FORMAT, jobs, more, cursor, unknown_keys=self.unknown_keys())

    def nothing(self) -> Found:
        """Say why no job matches."""
        reasons = () if self._search.after else self.reasons()
        return replace(NONE, reasons=reasons)

    def jobs(self) -> Iterator[LakeJob]:
        """Yield all jobs that match; memory does not grow with them."""
        yield from map(self._job, self._rows(None))

    def unknown_keys(self) -> tuple[str, ...]:
        """Return the keys of the expression, and of columns, that the lake does not know."""
        parts = (*terms(self._search.expression), *self._search.columns)
        keys = [part.key for part in parts if isinstance(part, Equals | Matches | Has)]
        return tuple(dict.fromkeys(printable(key) for key in keys if not knows(self._duck, key)))

    def _rows(self, most: int | None) -> Iterator[_Row]:
        """Yield the rows of `_JOBS`, at most `most`, each with the values that were asked for."""
        sort, columns = self._search.sort, self._search.columns
        where = joined(" AND ", [self._condition, self._behind])
        text = _JOBS.format(
            column=COLUMNS[sort],
            where=where.text,
            order=order_by(sort),
            most="" if most is None else f" LIMIT {most:d}",
        )
        sql = Sql(text, where.parameters)
        if not columns:
            yield from ((row, None) for row in self._fetched(sql))
            return
        order = order_by(sort, of="f", column="f.sorted_by")
        yield from with_values(self._fetched(with_pairs(sql, columns, order)), columns)

    def _fetched(self, sql: Sql) -> Iterator[tuple[Any, ...]]:
        found = self._duck.execute(sql.text, sql.parameters)
        while rows := found.fetchmany(ROWS_AT_ONCE):
            yield from rows

    def _job(self, found: _Row) -> LakeJob:
        row, values = found
        _, store, created, *described = row[:_FIELDS]
        job = LakeJob(rfc3339(created), *described, store=store)
        return exact(job if values is None else replace(job, meta=values))

    def count(self) -> int:
        """Return how many jobs match."""
        sql = f"SELECT count(*) FROM v_jobs j WHERE {self._condition.text}"
        row = self._duck.execute(sql, self._condition.parameters).fetchone()
        return int(row[0]) if row else 0

    def reasons(self) -> tuple[Reason, ...]:
        """Say how many jobs match each part that must match, alone."""
        parts = conjuncts(self._search.expression)
        counts = self._counts([self._compiler.condition(part) for part in parts])
        shown = [printable(as_text(part)) for part in parts]
        hints = [
            "" if number else hint(self._duck, part, self._count_of)
            for part, number in zip(parts, counts, strict=True)
        ]
        return tuple(
            Reason(part, number, at_least=False, hint=offered)
            for part, number, offered in zip(shown, counts, hints, strict=True)
        )

    def _count_of(self, expression: Expression) -> int:
        (number,) = self._counts([self._compiler.condition(expression)])
        return number

    def _counts(self, conditions: list[Sql]) -> list[int]:
        counted = ", ".join(f"count(*) FILTER ({one.text})" for one in conditions) or "1"
        parameters = [value for one in conditions for value in one.parameters]
        row = self._duck.execute(f"SELECT {counted} FROM v_jobs j", parameters).fetchone()
        return list(row or ())

    def _keys_with(self, fingerprint: str) -> list[str]:
        """Return the public keys that have a fingerprint."""
        found = self._duck.execute(_KEYS).fetchall()
        return sorted({key for role, key in found if fingerprint_of(role, key) == fingerprint})


@contextmanager
def lake_search(lake: Lake, search: Search) -> Iterator[LakeSearch]:
    """Open what a search asks of a lake.

    Raises `UsageError` for what a lake cannot answer, and `StoreError` while a sync is under way.
    """
    names = {"v_jobs"}
    for term in (*terms(search.expression), *search.columns):
        check_answerable(term)
        names.update(tables_of(term))
        if isinstance(term, Equals | Matches | Has):
            names.add(KEYS)
    has_owners = not names.isdisjoint(WITHOUT_OWNERS)
    with asked(lake, names.union(ASKED if has_owners else ())) as (duck, stores):
        if has_owners:
            make_owners(duck)
        yield LakeSearch(duck, stores, search)
