"""Summarize jobs in one line each, by their keys: two statements for 500 of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.attributions import AttributionRow, best
from meta_audit.query.results import JobSummary
from meta_audit.query.texts import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.session import Session

_JOBS: Final = """
    SELECT c.job_key, j.job_id, c.namespace, c.version_no, c.created_at,
        coalesce(name.term, ''), c.type, c.state, c.origin
    FROM current_jobs c
    JOIN jobs j ON j.job_key = c.job_key
    LEFT JOIN terms name ON name.term_id = c.name_id
    WHERE c.job_key AMONG KEYS"""
_ACTIVITY: Final = """
    SELECT j.job_key, j.job_id, n.term
    FROM jobs j JOIN terms n ON n.term_id = j.namespace_id
    WHERE j.job_key AMONG KEYS"""
_WHO: Final = """
    SELECT v.job_key, v.version_no, r.role, i.value, r.basis, r.trust, r.verdict
    FROM job_versions v
    JOIN attribution_members a ON a.set_id = v.attribution_set
    JOIN attribution_rules r ON r.rule_id = a.rule_id
    JOIN identities i ON i.identity_id = a.identity_id
    WHERE v.job_key AMONG KEYS AND r.role IN ('client', 'requester')"""


def summaries(session: Session, job_keys: Sequence[int]) -> tuple[JobSummary, ...]:
    """Return the jobs with these keys, in their order."""
    who: dict[tuple[int, int], list[AttributionRow]] = {}
    for job_key, version_no, *attribution in session.among(_WHO, job_keys):
        who.setdefault((job_key, version_no), []).append(AttributionRow(*attribution))
    found = {}
    for job_key, job_id, namespace, version_no, created_at, *rest, origin in session.among(
        _JOBS, job_keys
    ):
        attributions = who.get((job_key, version_no), ())
        client, requester = best(attributions, "client"), best(attributions, "requester")
        name, type_, state = rest
        found[job_key] = JobSummary(
            rfc3339(created_at),
            job_id,
            name,
            type_,
            state,
            namespace,
            *client,
            *requester,
            origin,
        )
    unseen = [job_key for job_key in job_keys if job_key not in found]
    for job_key, job_id, namespace in session.among(_ACTIVITY, unseen):
        nobody = (None, None)
        found[job_key] = JobSummary(
            None, job_id, "", "", "", namespace, *nobody, *nobody, "activity"
        )
    return tuple(found[job_key] for job_key in job_keys)
