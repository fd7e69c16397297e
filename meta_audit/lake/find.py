"""List the jobs of a lake that match an expression, as `find` lists those of a store."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from meta_audit.lake.duck import asked
from meta_audit.lake.hints import KEYS, hint
from meta_audit.lake.owners import ASKED, make_owners
from meta_audit.lake.predicates import (
    WITHOUT_OWNERS,
    LakeCompiler,
    check_answerable,
    tables_of,
)
from meta_audit.query.public_keys import fingerprint_of
from meta_audit.query.results import FoundJob, Reason
from meta_audit.query.texts import exact, rfc3339
from meta_audit.search.expression import Equals, Has, Matches, conjuncts, terms
from meta_audit.search.normal_form import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from meta_audit.lake.catalog import Lake
    from meta_audit.query.conditions import Sql
    from meta_audit.search.expression import Expression

ROWS_AT_ONCE: Final = 1_000
_JOBS: Final = """
    SELECT j.created_ns, j.job_id, coalesce(j.name, ''), j.type, j.state, j.namespace, j.client,
        j.client_trust, j.requester, j.requester_trust, j.origin, j.store
    FROM v_jobs j WHERE {} ORDER BY j.created_ns DESC NULLS LAST, j.job_id DESC, j.store,
        j.namespace DESC"""
_KEYS: Final = """
    SELECT DISTINCT role, value FROM v_attributions
    WHERE role IN ('client_key', 'requester_key') AND verdict <> 'undecodable'"""


class LakeJob(FoundJob, frozen=True, kw_only=True):
    """Describe a job of a lake that matches."""

    store: str
    """The store that it is from: the origin of its checkpoints."""


class LakeSearch:
    """Ask one state of a lake for the jobs that match an expression."""

    def __init__(self, duck: DuckDBPyConnection, stores: list[str], where: Expression, now: int):
        self._duck = duck
        self._expression = where
        self._compiler = LakeCompiler(now, self._keys_with)
        self._condition = self._compiler.condition(where)
        self.stores = stores
        """The stores that the lake has."""

    def jobs(self, limit: int | None = None) -> Iterator[LakeJob]:
        """Yield the jobs that match, the newest first; memory does not grow with them."""
        most = "" if limit is None else f" LIMIT {limit:d}"
        sql = _JOBS.format(self._condition.text) + most
        found = self._duck.execute(sql, self._condition.parameters)
        while rows := found.fetchmany(ROWS_AT_ONCE):
            for created, *described, store in rows:
                yield exact(LakeJob(rfc3339(created), *described, store=store))

    def count(self) -> int:
        """Return how many jobs match."""
        (number,) = self._counts([self._condition])
        return number

    def reasons(self) -> tuple[Reason, ...]:
        """Say how many jobs match each part that must match, alone."""
        parts = conjuncts(self._expression)
        counts = self._counts([self._compiler.condition(part) for part in parts])
        shown = [as_text(part).encode(errors="backslashreplace").decode() for part in parts]
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
def lake_search(lake: Lake, expression: Expression, now: int) -> Iterator[LakeSearch]:
    """Open what an expression asks of a lake. `now` is the time that `-7d` is counted from.

    Raises `UsageError` for what a lake cannot answer, and `StoreError` while a sync is under way.
    """
    names = {"v_jobs"}
    for term in terms(expression):
        check_answerable(term)
        names.update(tables_of(term))
        if isinstance(term, Equals | Matches | Has):
            names.add(KEYS)
    has_owners = not names.isdisjoint(WITHOUT_OWNERS)
    with asked(lake, names.union(ASKED if has_owners else ())) as (duck, stores):
        if has_owners:
            make_owners(duck)
        yield LakeSearch(duck, stores, expression, now)
