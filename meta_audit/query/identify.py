"""Find the job that a text means: an ID, the beginning of one, or a name.

An exact ID wins. Otherwise every job that fits is a candidate. So a job whose name looks like
the short ID of another cannot pass for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.errors import DamagedStoreError, NotFoundError, UsageError
from meta_audit.model import ORIGIN_RANK
from meta_audit.nul import escape_nul, shorten_name
from meta_audit.query.job_summaries import summaries
from meta_audit.query.results import CANDIDATES_FORMAT, Candidates
from meta_audit.query.texts import LAST, exact, storable, unescape_shown
from meta_audit.query.unknown import other_meaning
from meta_audit.schema.newest import RANK
from meta_audit.schema.text_digest import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meta_audit.store.session import Session

SHOWN: Final = 20
"""Most candidates listed."""
COUNTED: Final = 1_000
"""Most candidates of each kind that are looked at."""
JOB_PREFIX: Final = "j-"
"""IDs begin with this since v1.0.4; a user may leave it out."""
SPEC_PREFIX: Final = "sha256:"
"""The ID of a spec without one begins with this; a user may leave it out."""

_SEEN: Final = f"""
    SELECT j.job_key, j.job_id, n.term, (
        SELECT max({RANK}) FROM job_versions v JOIN terms origin ON origin.term_id = v.origin_id
        WHERE v.job_key = j.job_key)
    FROM jobs j JOIN terms n ON n.term_id = j.namespace_id"""  # noqa: S608
_BY_KEY: Final = "SELECT job_id FROM jobs WHERE job_key = ?"
_EXACT: Final = f"{_SEEN} WHERE j.job_id = ? ORDER BY n.term"
# Compare bytes, as SQLite does, and PostgreSQL for columns with COLLATE "C".
_BEGINNING: Final = f"""{_SEEN}
    WHERE j.job_id >= ? AND j.job_id < ? ORDER BY j.job_id, n.term LIMIT {COUNTED}"""
_NAMED: Final = f"""{_SEEN}
    JOIN current_jobs c ON c.job_key = j.job_key
    WHERE c.name_id = (SELECT term_id FROM terms WHERE digest = ?)
    ORDER BY c.created_at DESC NULLS LAST, j.job_id DESC, n.term DESC LIMIT {COUNTED}"""  # noqa: S608


class Identified(NamedTuple):
    """Name the one job that is meant."""

    job_key: int
    job_id: str
    namespace: str
    activity_key: int
    """Key of the job that holds documents of this ID that came without a namespace: executions,
    events, or those of the legacy API. `job_key` if there is none."""


class _Row(NamedTuple):
    job_key: int
    job_id: str
    namespace: str
    rank: int | None
    """Of its best version (`model.ORIGIN_RANK`); None for executions or events alone."""


def identify(session: Session, job: str, namespace: str | None) -> Identified | Candidates:
    r"""Return the job that is meant, or the candidates.

    A text that fits none is tried as a page shows it, with `\x00` for NUL. Raises
    `NotFoundError` if there is none, `UsageError` for an empty text.
    """
    if not job:
        raise UsageError("JOB is empty", advice="Give an ID, the beginning of one, or a name.")
    try:
        return _identify(session, job, namespace)
    except NotFoundError:
        shown = unescape_shown(job), namespace and unescape_shown(namespace)
        if shown == (job, namespace):
            raise
    return _identify(session, *shown)


def _identify(session: Session, job: str, namespace: str | None) -> Identified | Candidates:
    if not storable(job):
        raise _not_found(session, job, namespace, ())
    text = shorten_name(escape_nul(job))
    found = _with_id(session, text)
    at_least = False
    if not found:
        listed = [*_beginning(session, text), _named(session, escape_nul(job))]
        at_least = any(len(some) >= COUNTED for some in listed)
        found = [row for some in listed for row in some]
    if namespace is None:
        fitting = _jobs(found)
    else:
        wanted = shorten_name(escape_nul(namespace))
        fitting = list({row.job_key: row for row in found if row.namespace == wanted}.values())
    if not fitting:
        raise _not_found(session, job, namespace, found)
    if len(fitting) > 1:
        shown = summaries(session, [row.job_key for row in fitting[:SHOWN]])
        more = len(fitting) - len(shown)
        return exact(Candidates(CANDIDATES_FORMAT, job, shown, more, at_least))
    (meant,) = fitting
    _check(session, meant)
    return _with_activity(session, meant)


def _check(session: Session, meant: _Row) -> None:
    """Compare what an index gave with the row itself. Raises `DamagedStoreError`."""
    found = [job_id for (job_id,) in session.query(_BY_KEY, meant.job_key)]
    if found != [meant.job_id]:
        raise _damaged(session, f"job {meant.job_id}", found[0] if found else "no job")


def _damaged(session: Session, wanted: str, found: str) -> DamagedStoreError:
    return DamagedStoreError(
        f"the store {session.name} is damaged: looking up the {wanted} leads to {found}",
        advice="Run `meta-audit verify`, and restore the store from a backup.",
    )


def _with_id(session: Session, job_id: str) -> list[_Row]:
    found = [_Row(*row) for row in session.query(_EXACT, job_id)]
    for row in found:
        if row.job_id != job_id:
            raise _damaged(session, f"job {job_id}", row.job_id)
    return found


def _beginning(session: Session, text: str) -> list[list[_Row]]:
    prefixes: tuple[str, ...] = ("", JOB_PREFIX, SPEC_PREFIX)
    if text.startswith(prefixes[1:]):
        prefixes = ("",)
    return [_with_beginning(session, prefix + text) for prefix in prefixes]


def _with_beginning(session: Session, text: str) -> list[_Row]:
    found = [_Row(*row) for row in session.query(_BEGINNING, text, text + LAST)]
    for row in found:
        if not row.job_id.startswith(text):
            raise _damaged(session, f"jobs {text}...", row.job_id)
    return found


def _named(session: Session, name: str) -> list[_Row]:
    return [_Row(*row) for row in session.query(_NAMED, digest(name))]


def _jobs(found: Iterable[_Row]) -> list[_Row]:
    """Return the jobs among rows, of which several may be of one job.

    An orchestrator's job wins over a spec that states the same ID. Otherwise anyone could make
    a job ambiguous. Rows without a namespace belong to the job that has one.
    """
    by_id: dict[str, dict[int, _Row]] = {}
    for row in found:
        by_id.setdefault(row.job_id, {})[row.job_key] = row
    return [row for rows in by_id.values() for row in _of_one_id(list(rows.values()))]


def _of_one_id(rows: list[_Row]) -> list[_Row]:
    best = [row for row in rows if row.rank == ORIGIN_RANK["orchestrator"]] or [
        row for row in rows if row.rank is not None or row.namespace
    ]
    return [row for row in best if row.namespace] or best or rows


def _with_activity(session: Session, meant: _Row) -> Identified:
    activity_key = meant.job_key
    for row in _with_id(session, meant.job_id):
        if not row.namespace and meant.namespace and (row.rank or 0) <= (meant.rank or 0):
            activity_key = row.job_key
    return Identified(meant.job_key, meant.job_id, meant.namespace, activity_key)


def _not_found(
    session: Session, job: str, namespace: str | None, elsewhere: Iterable[_Row]
) -> NotFoundError:
    others = sorted({row.namespace for row in elsewhere})
    if others:
        shown = ", ".join(others[:SHOWN])
        return NotFoundError(
            f"no job {job} in the namespace {namespace}", advice=f"There is one in: {shown}"
        )
    return NotFoundError(
        f"no job matches {job} by ID, beginning of an ID, or name",
        advice=other_meaning(session, job)
        or "`meta-audit find` lists jobs; `meta-audit rejections list` lists documents that could"
        " not be taken.",
    )
