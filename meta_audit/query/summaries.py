"""Jobs in one line each, by their keys: two statements for 500 of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.attributions import Row, best
from meta_audit.query.results import JobSummary
from meta_audit.query.statements import rfc3339, rows_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_JOBS: Final = """
    SELECT j.job_key, j.job_id, n.term, v.version_no,
        v.created_ns, v.name, v.type, v.state, v.origin
    FROM jobs j
    JOIN terms n ON n.term_id = j.namespace_id
    LEFT JOIN v_jobs v ON v.job_key = j.job_key
    WHERE j.job_key AMONG KEYS"""
_WHO: Final = """
    SELECT v.job_key, v.version_no, r.role, i.value, r.basis, r.trust, r.verdict
    FROM job_versions v
    JOIN attribution_members a ON a.set_id = v.attribution_set
    JOIN attribution_rules r ON r.rule_id = a.rule_id
    JOIN identities i ON i.identity_id = a.identity_id
    WHERE v.job_key AMONG KEYS AND r.role IN ('client', 'requester')"""


def summaries(connection: Connection, job_keys: Sequence[int]) -> tuple[JobSummary, ...]:
    """Return the jobs with these keys, in their order."""
    who: dict[tuple[int, int], list[Row]] = {}
    for job_key, version_no, *attribution in rows_among(connection, _WHO, job_keys):
        who.setdefault((job_key, version_no), []).append(Row(*attribution))
    found = {}
    for job_key, job_id, namespace, version_no, created, name, type_, state, origin in rows_among(
        connection, _JOBS, job_keys
    ):
        attributions = who.get((job_key, version_no), ())
        found[job_key] = JobSummary(
            rfc3339(created),
            job_id,
            name or "",
            type_ or "",
            state or "",
            namespace,
            *best(attributions, "client"),
            *best(attributions, "requester"),
            origin or "activity",
        )
    return tuple(found[job_key] for job_key in job_keys)
