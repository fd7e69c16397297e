"""List the jobs that match an expression, and explain an empty list."""

from __future__ import annotations

import sys
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from msgspec.structs import asdict

from meta_audit.errors import NotFoundError
from meta_audit.query import meta_columns
from meta_audit.query.cursors import Cursor
from meta_audit.query.explain import reasons, unknown_keys
from meta_audit.query.job_summaries import summaries
from meta_audit.query.matching import Finder
from meta_audit.query.past import session_at
from meta_audit.query.results import FIND_FORMAT, Found, FoundJob
from meta_audit.query.texts import exact, rfc3339

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from meta_audit.query.matching import Place, Search
    from meta_audit.store.session import Session

JOBS_PER_CHUNK: Final = 500
_FIRST: Final = "SELECT min(started_at) FROM imports"


def find(session: Session, search: Search, limit: int) -> Found:
    """Return the first jobs that match, at most `limit`.

    Raises `NotFoundError` if there is none, and the expression names a key, an ID or the like
    that the store does not know, or a time before its first import.
    """
    session = session_at(session, search.as_of, search.at)
    places = list(Finder(session, search).places(min(limit + 1, sys.maxsize)))
    jobs = tuple(_jobs(session, search, places[:limit]))
    more = len(places) > limit
    cursor = str(Cursor(search.sort, *places[limit - 1][:-1])) if more else None
    if not jobs:
        return _nothing(session, search)
    unknown = unknown_keys(session, search)
    return exact(Found(FIND_FORMAT, jobs, more, cursor, unknown_keys=unknown))


def stream(session: Session, search: Search, limit: int | None = None) -> Iterator[FoundJob]:
    """Yield the jobs that match, however many they are."""
    session = session_at(session, search.as_of, search.at)
    places = islice(Finder(session, search).places(None), limit)
    while some := list(islice(places, JOBS_PER_CHUNK)):
        yield from map(exact, _jobs(session, search, some))


def matching_jobs(session: Session, search: Search) -> Generator[int]:
    """Yield the keys of all jobs that match. Raises `NotFoundError` as `find`."""
    session = session_at(session, search.as_of, search.at)
    found = Finder(session, search).places(None)
    first = next(found, None)
    if first is None:
        _nothing(session, search)
        return
    for *_, job_key in chain([first], found):
        yield job_key


def nothing(session: Session, search: Search) -> Found:
    """Explain that no job matches. Raises `NotFoundError` as `find`."""
    return _nothing(session_at(session, search.as_of, search.at), search)


def _nothing(session: Session, search: Search) -> Found:
    first = None if search.as_of is None else session.value(_FIRST)
    if search.as_of is not None and first is not None and first >= search.as_of:
        raise NotFoundError(
            f"the store knew nothing yet: its first import began at {rfc3339(first)}",
            advice="Give --as-of a later time. What was so then is asked for with --at.",
        )
    why = () if search.after else reasons(session, search)
    return Found(FIND_FORMAT, (), more=False, reasons=why)


def _jobs(session: Session, search: Search, places: Iterable[Place]) -> Iterator[FoundJob]:
    """Yield jobs, with their columns."""
    keys = [job_key for *_, job_key in places]
    found = summaries(session, keys)
    if not search.columns:
        yield from (FoundJob(**asdict(job)) for job in found)
        return
    values = meta_columns.values(session, search.columns, keys)
    for job_key, job in zip(keys, found, strict=True):
        yield FoundJob(**asdict(job), meta=values[job_key])
