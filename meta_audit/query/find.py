"""Find the newest jobs that match a search.

The rarest criterion leads if it has few jobs (`COUNTED`); the others are checked job by job. If
all are common, the jobs are looked through from the newest on, until enough match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meta_audit.nul import escape_nul, shorten_name
from meta_audit.query.job_summaries import summaries
from meta_audit.query.live import live_version
from meta_audit.query.results import FIND_FORMAT, Found
from meta_audit.query.texts import exact, storable
from meta_audit.query.unknown import check_search
from meta_audit.schema.text_digest import digest, pair_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.search import Pair, Search
    from meta_audit.store.session import Session

COUNTED: Final = 5_000
"""A criterion with so many jobs is common."""

_PAIR: Final = "SELECT pair_id FROM meta_pairs WHERE digest = ?"
_IDENTITY: Final = "SELECT identity_id FROM identities WHERE digest = ?"
_WITH_PAIR: Final = f"FROM meta_entries d WHERE d.pair_id = ? AND {live_version('d')}"
_SETS: Final = """
    SELECT m.set_id FROM attribution_members m
    JOIN attribution_rules r ON r.rule_id = m.rule_id
    WHERE m.identity_id = ? AND r.role = ?"""
_WITH_SET: Final = f"FROM job_versions d WHERE d.attribution_set IN ({{}}) AND {live_version('d')}"
_SHOWN: Final = "SELECT c.job_key FROM current_jobs c WHERE c.version_no > 0"
_BY_TIME: Final = (
    "c.created_at IS NOT NULL ORDER BY c.created_at DESC, c.job_key DESC LIMIT ?",
    "c.created_at IS NULL ORDER BY c.job_key DESC LIMIT ?",
)
"""Two parts of one order: an index serves each of them on both engines."""
# An expression keeps the planner from walking all jobs in the order of time.
_SORTED: Final = "ORDER BY coalesce(c.created_at, {}) DESC, c.job_key DESC LIMIT ?"
ALL: Final = 1 << 62
_FIRST: Final = -(1 << 62)
"""Before all times: those of jobs that state none."""


class _Criterion(NamedTuple):
    """Say what a job must have."""

    rows: str
    """SQL from `FROM` on: rows `d` of the jobs that have it, each with a job key."""
    parameters: tuple[Any, ...]


def find(session: Session, search: Search, limit: int) -> Found:
    """Return the newest jobs that match, at most `limit`, as `v_jobs` shows and orders them.

    Raises `NotFoundError` if the search names a key, an ID or a namespace that is unknown.
    """
    keys = _newest_keys(session, search, limit + 1)
    return exact(Found(FIND_FORMAT, summaries(session, keys[:limit]), more=len(keys) > limit))


def matching_jobs(session: Session, search: Search) -> Iterator[int]:
    """Yield the keys of all jobs that match, the newest first. Raises `NotFoundError` as `find`."""
    yield from _newest_keys(session, search, ALL)


def _newest_keys(session: Session, search: Search, wanted: int) -> list[int]:
    criteria = _criteria(session, search)
    keys = [] if criteria is None else _newest(session, criteria, search.namespace, wanted)
    if not keys:
        check_search(session, search)
    return keys


def _criteria(session: Session, search: Search) -> list[_Criterion] | None:
    """Return what a job must have, or None if the store does not know a text of the search."""
    if not all(map(storable, search.texts())):
        return None
    criteria = [_pair(session, pair) for pair in search.pairs]
    named = [("client", search.client), ("requester", search.requester)]
    who = [(role, value) for role, value in named if value is not None]
    if who:
        criteria.append(_attributed(session, who))
    known = [c for c in criteria if c]
    return known if len(known) == len(criteria) else None


def _pair(session: Session, pair: Pair) -> _Criterion | None:
    number = _number(session, _PAIR, pair_digest(escape_nul(pair.key), escape_nul(pair.value)))
    return None if number is None else _Criterion(_WITH_PAIR, (number,))


def _attributed(session: Session, who: list[tuple[str, str]]) -> _Criterion | None:
    """Require attributions of one version: roles, and the identities in them."""
    parameters: list[Any] = []
    for role, value in who:
        number = _number(session, _IDENTITY, digest(escape_nul(value)))
        if number is None:
            return None
        parameters += [number, role]
    sets = " INTERSECT ".join([_SETS] * len(who))
    return _Criterion(_WITH_SET.format(sets), tuple(parameters))


def _number(session: Session, sql: str, key: bytes) -> Any:
    found = session.query(sql, key)
    return found[0][0] if found else None


def _newest(
    session: Session, criteria: list[_Criterion], namespace: str | None, wanted: int
) -> list[int]:
    """Return the keys of the newest jobs that meet all criteria."""
    counted = [(_count(session, c), n) for n, c in enumerate(criteria)]
    count, rarest = min(counted, default=(COUNTED, -1))
    checks: list[str] = [_SHOWN]
    parameters: list[Any] = []
    for number, (rows, more) in enumerate(criteria):
        if number == rarest and count < COUNTED:
            checks.append(f"c.job_key IN (SELECT d.job_key {rows})")
        else:
            checks.append(f"EXISTS (SELECT 1 {rows} AND d.job_key = c.job_key)")
        parameters += more
    if namespace is not None:
        checks.append("c.namespace = ?")
        parameters.append(shorten_name(escape_nul(namespace)))
    sql = " AND ".join(checks)
    if count < COUNTED:
        sorted_ = f"{sql} {_SORTED.format(_FIRST)}"
        return [key for (key,) in session.query(sorted_, *parameters, wanted)]
    keys: list[int] = []
    for part in _BY_TIME:
        if len(keys) < wanted:
            rows_ = session.query(f"{sql} AND {part}", *parameters, wanted - len(keys))
            keys += [key for (key,) in rows_]
    return keys


def _count(session: Session, criterion: _Criterion) -> int:
    """Count the rows of a criterion, up to `COUNTED`."""
    sql = f"SELECT count(*) FROM (SELECT 1 {criterion.rows} LIMIT {COUNTED}) counted"  # noqa: S608
    return int(session.value(sql, *criterion.parameters))
