"""Find jobs of a period that an auditor should look at, beyond what one document shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.contradictions import CODE, find_two_jobs
from meta_audit.query.live import live_entry, live_version
from meta_audit.query.report_result import LISTED, Concern

if TYPE_CHECKING:
    from meta_audit.store.session import Session

CONCERNS: Final = {
    "key.mismatch": "a client or requester whose ID does not belong to its public key",
    "version.gap": "versions that were never seen, between those that were",
    "version.rewritten": "two specs under one Version of the orchestrator",
    "revision.back": "a later state with a smaller Revision: the server went back",
    CODE: "two jobs under one ID: other times of creation, or other requesters",
    "critical": "a critical finding in one of its documents",
}
"""Kind of concern: its meaning."""

_PERIOD: Final = """
    JOIN imports m ON m.import_id = c.first_import
    WHERE coalesce(c.created_at, m.started_at) >= ? AND coalesce(c.created_at, m.started_at) < ?"""
_MISMATCH: Final = f"""
    SELECT c.job_key, CASE WHEN q.verdict = 'mismatch' THEN 'client' ELSE 'requester' END AS detail
    FROM current_jobs c
    LEFT JOIN attribution_rules q ON q.rule_id = c.client_rule
    LEFT JOIN attribution_rules r ON r.rule_id = c.requester_rule
    {_PERIOD} AND (q.verdict = 'mismatch' OR r.verdict = 'mismatch')"""  # noqa: S608
_GAP: Final = f"""
    SELECT c.job_key, count(DISTINCT v.version) || ' of the versions ' || min(v.version)
        || ' to ' || max(v.version) AS detail
    FROM current_jobs c
    JOIN job_versions v ON v.job_key = c.job_key AND v.version > 0 AND {live_version("v")}
    {_PERIOD} AND c.version > 1
    GROUP BY c.job_key HAVING count(DISTINCT v.version) <= max(v.version) - min(v.version)"""  # noqa: S608
_REWRITTEN: Final = f"""
    SELECT job_key, 'Version ' || min(version) || ' has ' || max(specs) || ' specs' AS detail
    FROM (
        SELECT c.job_key, v.version, count(DISTINCT v.spec_sha256) AS specs
        FROM current_jobs c
        JOIN job_versions v ON v.job_key = c.job_key AND {live_version("v")}
        JOIN terms o ON o.term_id = v.origin_id AND o.term = 'orchestrator'
        {_PERIOD} AND c.versions > 1
        GROUP BY c.job_key, v.version, v.layout_id, v.created_at
        HAVING count(DISTINCT v.spec_sha256) > 1) rewritten
    GROUP BY job_key"""  # noqa: S608
_BACK: Final = f"""
    SELECT job_key, 'revision ' || max(revision) || ' after ' || max(before) AS detail FROM (
        SELECT c.job_key, o.revision, lag(o.revision) OVER (
            PARTITION BY c.job_key, v.created_at ORDER BY o.modified_at, o.revision) AS before
        FROM current_jobs c
        JOIN observations o ON o.job_key = c.job_key
            AND o.modified_at IS NOT NULL AND {live_entry("o")}
        JOIN job_versions v ON v.job_key = o.job_key AND v.version_no = o.version_no
        {_PERIOD} AND c.revision > 0) states
    WHERE before > revision GROUP BY job_key"""  # noqa: S608
_CRITICAL: Final = f"""
    SELECT c.job_key, min(f.code || ': ' || f.detail) AS detail
    FROM current_jobs c
    JOIN findings f ON f.job_key = c.job_key AND f.severity = 'critical' AND {live_entry("f")}
    {_PERIOD} GROUP BY c.job_key"""  # noqa: S608
_STATEMENTS: Final = {
    "key.mismatch": _MISMATCH,
    "critical": _CRITICAL,
    "version.rewritten": _REWRITTEN,
    "version.gap": _GAP,
    "revision.back": _BACK,
}
_NAMED: Final = """
    SELECT c.job_key, j.job_id, c.namespace, coalesce(c.created_at, m.started_at)
    FROM current_jobs c
    JOIN jobs j ON j.job_key = c.job_key
    JOIN imports m ON m.import_id = c.first_import
    WHERE c.job_key AMONG KEYS"""
_COUNT: Final = "SELECT count(*) FROM ({}) counted"
_LISTED: Final = f"""
    SELECT j.job_id, n.term, found.detail FROM ({{}}) found
    JOIN jobs j ON j.job_key = found.job_key
    JOIN terms n ON n.term_id = j.namespace_id
    ORDER BY j.job_key DESC LIMIT {LISTED}"""  # noqa: S608


def concerns(
    session: Session, bounds: tuple[int, int]
) -> tuple[dict[str, int], tuple[Concern, ...]]:
    """Return the number of jobs of each kind of concern, and the newest of them."""
    counts, listed = {}, []
    for kind, sql in _STATEMENTS.items():
        ((count,),) = session.query(_COUNT.format(sql), *bounds)
        if count:
            counts[kind] = count
            found = session.query(_LISTED.format(sql), *bounds)
            listed += [Concern(kind, *row) for row in found]
    if two := _two_jobs(session, bounds):
        counts[CODE] = len(two)
    return counts, (*two[:LISTED], *listed)


def _two_jobs(session: Session, bounds: tuple[int, int]) -> list[Concern]:
    since, until = bounds
    twice = {one.job_key: one.detail for one in find_two_jobs(session)}
    return [
        Concern(CODE, job_id, namespace, twice[job_key])
        for job_key, job_id, namespace, time in session.among(_NAMED, twice)
        if since <= time < until
    ]
