"""Compare the jobs that a server lists with those that the store has from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from meta_audit.answer import Answer
from meta_audit.nul import escape_nul, shorten_name, unescape_nul
from meta_audit.query.presence import presence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meta_audit.query.presence import Asked, Presence
    from meta_audit.store.session import Session

COMPARISON_FORMAT: Final = "meta-audit/compare/1"
_TAKEN: Final = """
    SELECT DISTINCT j.job_id FROM sources s
    JOIN observations o ON o.source_id = s.source_id AND o.version_no > 0
    JOIN jobs j ON j.job_key = o.job_key
    WHERE s.uri = ? ORDER BY j.job_id"""

Difference = Literal["missing", "rejected", "activity", "changed", "gone"]
_DIFFERENCES: Final[dict[Presence, Difference]] = {
    "missing": "missing",
    "rejected": "rejected",
    "activity": "activity",
    "job": "changed",
}


class JobDifference(Answer, frozen=True):
    """Say how a server and the store differ about a job."""

    job_id: str
    difference: Difference
    """`missing`: only the server has it. `rejected`: the store refused these bytes. `activity`:
    the store has only executions or events of it. `changed`: the server shows it in a state that
    the store has not seen. `gone`: the server listed it before, and no more."""


class ServerComparison(Answer, frozen=True):
    """Say where a server and the store differ."""

    format: str
    server: str
    """URL of the list of jobs."""
    listed: int
    """Jobs that the server lists."""
    differences: tuple[JobDifference, ...]


def compare(session: Session, server: str, listed: Iterable[Asked]) -> ServerComparison:
    """Compare what a server lists with the store; `server` is the name of it as a source."""
    ids: set[str] = set()

    def noted() -> Iterator[Asked]:
        for one in listed:
            ids.add(shorten_name(escape_nul(one.job_id())))
            yield one

    found = presence(session, noted(), only_missing=True)
    new = (JobDifference(row.job_id, _DIFFERENCES[row.found]) for row in found.rows)
    gone = (
        JobDifference(unescape_nul(job_id), "gone")
        for (job_id,) in session.query(_TAKEN, server)
        if job_id not in ids
    )
    return ServerComparison(COMPARISON_FORMAT, server, found.asked, (*new, *gone))
