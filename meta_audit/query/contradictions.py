"""Find IDs under which orchestrators state two different jobs. No document says so by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.identity.same_job import Birth, is_two_jobs
from meta_audit.query.live import live_entry, live_version
from meta_audit.query.texts import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meta_audit.store.session import Session

CODE: Final = "identity.two_jobs"

_SUSPECTS: Final = f"""
    SELECT v.job_key, v.version_no, v.created_at, l.term, i.value
    FROM (
        SELECT v.job_key FROM job_versions v
        JOIN terms o ON o.term_id = v.origin_id AND o.term = 'orchestrator'
        WHERE {live_version("v")}
        GROUP BY v.job_key
        HAVING count(*) > 1
            AND (count(DISTINCT v.created_at) > 1 OR count(DISTINCT v.attribution_set) > 1)) s
    JOIN job_versions v ON v.job_key = s.job_key
    JOIN terms o ON o.term_id = v.origin_id AND o.term = 'orchestrator'
    JOIN terms l ON l.term_id = v.layout_id
    LEFT JOIN attribution_members a ON a.set_id = v.attribution_set AND a.rule_id IN (
        SELECT rule_id FROM attribution_rules WHERE role = 'requester')
    LEFT JOIN identities i ON i.identity_id = a.identity_id
    WHERE {live_version("v")}"""  # noqa: S608
_LAST: Final = f"""
    SELECT o.job_key, max(o.document_id) FROM observations o
    WHERE o.job_key AMONG KEYS AND o.version_no > 0 AND {live_entry("o")}
    GROUP BY o.job_key"""  # noqa: S608


class TwoJobs(NamedTuple):
    """Say what contradicts under one ID."""

    job_key: int
    detail: str
    document_id: int
    """The newest document of the job."""


def contradiction(births: Mapping[int, Birth]) -> str:
    """Return what contradicts, by version of one ID; "" if it can be one job."""
    if not is_two_jobs(tuple(births.values())):
        return ""
    return "; ".join(
        f"version {number}: created {rfc3339(birth.created_at) or 'at an unknown time'}, requester"
        f" {', '.join(sorted(map(str, birth.requesters))) or 'unknown'}"
        for number, birth in sorted(births.items())
    )


def find_two_jobs(session: Session) -> list[TwoJobs]:
    """Return every job that contradicts itself, the newest document first."""
    named: dict[int, dict[int, tuple[int | None, str, set[str]]]] = {}
    for job_key, version_no, created_at, layout, requester in session.query(_SUSPECTS):
        versions = named.setdefault(job_key, {})
        *_, requesters = versions.setdefault(version_no, (created_at, layout, set()))
        requesters.update([requester] if requester else [])
    details = {
        job_key: contradiction(
            {
                number: Birth(created, frozenset(who), layout)
                for number, (created, layout, who) in versions.items()
            }
        )
        for job_key, versions in named.items()
    }
    keys = [job_key for job_key, detail in details.items() if detail]
    found = [TwoJobs(key, details[key], last) for key, last in session.among(_LAST, keys)]
    return sorted(found, key=lambda one: -one.document_id)
