"""Find the newest jobs that match a search.

The rarest criterion leads (counted up to `COUNTED`); the others are checked job by job. If all
are common, one that comes in order of time leads: it ends as soon as enough jobs match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meta_audit.nul import escape_nul, shorten_name
from meta_audit.query.job_summaries import summaries
from meta_audit.query.live import live_pair, live_version
from meta_audit.query.results import FIND_FORMAT, Found
from meta_audit.query.texts import exact, storable
from meta_audit.query.unknown import check_search
from meta_audit.schema.text_digest import digest, pair_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from meta_audit.search import Pair, Search
    from meta_audit.store.session import Session

    Place = tuple[int, int]
    """Create time of a matching version (0 if not known) and the key of its job."""
    Driver = Callable[[int], list[Place]]
    """Return at least so many places, newest first, or all if there are fewer. A job may come
    twice."""

COUNTED: Final = 1_000
ALL: Final = 1 << 62
HOUR: Final = """CASE WHEN coalesce(v.created_at, 0) >= 0
        THEN coalesce(v.created_at, 0) / 3600000000000
        ELSE -((3599999999999 - v.created_at) / 3600000000000) END"""
"""Create time of a version in whole hours since 1970, rounded down as in `pair_jobs`."""

_PAIR: Final = "SELECT pair_id FROM meta_pairs WHERE digest = ?"
_IDENTITY: Final = "SELECT identity_id FROM identities WHERE digest = ?"
_TERM: Final = "SELECT term_id FROM terms WHERE digest = ?"
_SETS: Final = """
    SELECT m.set_id FROM attribution_members m
    JOIN attribution_rules r ON r.rule_id = m.rule_id
    WHERE m.identity_id = ? AND r."""
_HAS_PAIR: Final = f"""
    EXISTS (
        SELECT 1 FROM meta_entries e
        WHERE e.job_key = d.job_key AND e.pair_id = ? AND {live_version("e")})"""  # noqa: S608
_HAS_SET: Final = f"""
    EXISTS (
        SELECT 1 FROM job_versions w
        WHERE w.job_key = d.job_key AND w.attribution_set IN ({{}}) AND {live_version("w")})"""  # noqa: S608
_LIVE: Final = live_version("d")
_OWN_JOB: Final = """
    NOT EXISTS (
        SELECT 1 FROM jobs a
        JOIN jobs b ON b.job_id = a.job_id AND b.job_key <> a.job_key
        JOIN job_versions w ON w.job_key = b.job_key
        JOIN terms o ON o.term_id = w.origin_id AND o.term = 'orchestrator'
        WHERE a.job_key = d.job_key AND a.namespace_id = ?)"""
"""Leave out a job without a namespace where its ID has a job with one."""
_IN_NAMESPACE: Final = """
    EXISTS (SELECT 1 FROM jobs j WHERE j.job_key = d.job_key AND j.namespace_id = ?)"""


class _Lead(NamedTuple):
    """List jobs from the newest on: rows `d` of a table that has job keys."""

    table: str
    where: str
    parameters: tuple[Any, ...]
    hours: bool
    """True if it is ordered only by the hour."""


class _Criterion(NamedTuple):
    """Say what a job must have: how to check one job, and how to list all that have it."""

    check: str
    parameters: tuple[Any, ...]
    leads: tuple[_Lead, ...] = ()


_EVERY: Final = _Criterion("1 = 1", (), (_Lead("job_versions", _LIVE, (), hours=False),))


def find(session: Session, search: Search, limit: int) -> Found:
    """Return the newest jobs that match, at most `limit`.

    They are ordered by the latest create time that a matching version states, so a smaller limit
    gives the beginning of the same list. Raises `NotFoundError` if the search names a key, an ID
    or a namespace that is unknown.
    """
    keys = _newest_keys(session, search, limit + 1)
    if not keys:
        check_search(session, search)
    return exact(Found(FIND_FORMAT, summaries(session, keys[:limit]), more=len(keys) > limit))


def matching_jobs(session: Session, search: Search) -> Iterator[int]:
    """Yield the keys of all jobs that match, the newest first. Raises `NotFoundError` as `find`."""
    keys = _newest_keys(session, search, ALL)
    if not keys:
        check_search(session, search)
    yield from keys


def _newest_keys(session: Session, search: Search, wanted: int) -> list[int]:
    criteria = _criteria(session, search)
    if criteria is None:
        return []
    led_by = _rarest(session, criteria)
    checks = [c for c in criteria if c is not led_by]
    no_namespace = _number(session, _TERM, digest(""))
    if no_namespace is not None:
        checks.append(_Criterion(_OWN_JOB, (no_namespace,)))
    newest: dict[int, Place] = {}
    for lead in led_by.leads:
        for place in _newest(_driver(session, lead, checks), wanted):
            newest[place[1]] = max(place, newest.get(place[1], place))
    return [key for _, key in sorted(newest.values(), reverse=True)]


def _criteria(session: Session, search: Search) -> list[_Criterion] | None:
    """Return what a job must have, or None if the store does not know a text of the search."""
    if not all(map(storable, search.texts())):
        return None
    criteria = [_pair(session, pair) for pair in search.pairs]
    named = [("client", search.client), ("requester", search.requester)]
    who = [("role", role, value) for role, value in named if value is not None]
    if who:
        criteria.append(_attributed(session, who))
    if search.namespace is not None:
        criteria.append(_in_namespace(session, search.namespace, alone=not criteria))
    known = [c for c in criteria if c]
    return known if len(known) == len(criteria) else None


def _pair(session: Session, pair: Pair) -> _Criterion | None:
    number = _number(session, _PAIR, pair_digest(escape_nul(pair.key), escape_nul(pair.value)))
    if number is None:
        return None
    leads = [_Lead("pair_jobs", f"d.pair_id = ? AND {live_pair('d')}", (number,), hours=True)]
    attributed = _attributed(session, [("basis", f"meta:{escape_nul(pair.key)}", pair.value)])
    if attributed:  # pairs that name someone are not in pair_jobs
        leads += attributed.leads
    return _Criterion(_HAS_PAIR, (number,), tuple(leads))


def _attributed(session: Session, who: list[tuple[str, str, str]]) -> _Criterion | None:
    """Require attributions of one version.

    `who` has, for each, a column of attribution_rules, its text, and the identity.
    """
    sets, parameters = [], []
    for column, as_what, value in who:
        number = _number(session, _IDENTITY, digest(escape_nul(value)))
        if number is None:
            return None
        sets.append(f"{_SETS}{column} = ?")
        parameters += [number, as_what]
    both = " INTERSECT ".join(sets)
    where = f"d.attribution_set IN ({both}) AND {_LIVE}"
    lead = _Lead("job_versions", where, tuple(parameters), hours=False)
    return _Criterion(_HAS_SET.format(both), lead.parameters, (lead,))


def _in_namespace(session: Session, name: str, *, alone: bool) -> _Criterion | None:
    """Require a namespace. It leads only if `alone`, since jobs have no index by namespace."""
    number = _number(session, _TERM, digest(shorten_name(escape_nul(name))))
    if number is None:
        return None
    where = f"d.job_key IN (SELECT job_key FROM jobs WHERE namespace_id = ?) AND {_LIVE}"  # noqa: S608
    lead = _Lead("job_versions", where, (number,), hours=False)
    return _Criterion(_IN_NAMESPACE, (number,), (lead,) if alone else ())


def _number(session: Session, sql: str, key: bytes) -> Any:
    found = session.query(sql, key)
    return found[0][0] if found else None


def _rarest(session: Session, criteria: Iterable[_Criterion]) -> _Criterion:
    """Choose the criterion that leads; of equals, the first that comes in order of time."""
    able = [c for c in criteria if c.leads]
    if len(able) < 2:
        return able[0] if able else _EVERY

    def cost(criterion: _Criterion) -> tuple[int, bool]:
        count = sum(_count(session, lead) for lead in criterion.leads)
        return min(count, COUNTED), not all(lead.hours for lead in criterion.leads)

    return min(able, key=cost)


def _count(session: Session, lead: _Lead) -> int:
    sql = f"SELECT 1 FROM {lead.table} d WHERE {lead.where} LIMIT {COUNTED}"  # noqa: S608
    count = f"SELECT count(*) FROM ({sql}) counted"  # noqa: S608
    return int(session.query(count, *lead.parameters)[0][0])


def _newest(driver: Driver, wanted: int) -> list[Place]:
    """Return the places of so many newest distinct jobs, or of all if there are fewer."""
    asked = wanted
    while True:
        places = driver(asked)
        newest: dict[int, Place] = {}
        for place in places:
            newest.setdefault(place[1], place)
        if len(places) < asked or len(newest) >= wanted:
            return list(newest.values())[:wanted]
        asked *= 4


def _driver(session: Session, lead: _Lead, checks: list[_Criterion]) -> Driver:
    where = " AND ".join([lead.where, *(check.check for check in checks)])
    parameters = [*lead.parameters, *(p for check in checks for p in check.parameters)]
    if not lead.hours:
        by_time = f"""
            SELECT coalesce(d.created_at, 0), d.job_key FROM job_versions d WHERE {where}
            ORDER BY coalesce(d.created_at, 0) DESC, d.job_key DESC LIMIT ?"""  # noqa: S608
        return lambda asked: session.query(by_time, *parameters, asked)
    hours = f"""
        SELECT d.created_hour FROM {lead.table} d WHERE {where}
        ORDER BY d.created_hour DESC LIMIT ?"""  # noqa: S608
    within = f"""
        SELECT coalesce(v.created_at, 0), d.job_key
        FROM {lead.table} d
        JOIN job_versions v ON v.job_key = d.job_key AND {HOUR} = d.created_hour
        WHERE {where} AND d.created_hour {{}} ?
        ORDER BY coalesce(v.created_at, 0) DESC, d.job_key DESC LIMIT ?"""  # noqa: S608

    def newest(asked: int) -> list[Place]:
        found = session.query(hours, *parameters, asked)
        if not found:
            return []
        last = found[-1][0]  # it may have many jobs: the newest of them are enough
        later = session.query(within.format(">"), *parameters, last, ALL)
        return [*later, *session.query(within.format("="), *parameters, last, asked)]

    return newest
