"""Find jobs of a period that an auditor should look at, beyond what one document shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import json

from meta_audit.query.contradictions import CODE, find_two_jobs
from meta_audit.query.live import live_entry, live_version
from meta_audit.query.report_result import LISTED, Concern
from meta_audit.query.texts import rfc3339

if TYPE_CHECKING:
    from meta_audit.store.session import Session

CONCERNS: Final = {
    "key.mismatch": "a client or requester whose ID does not belong to its public key",
    "version.gap": "versions that were never seen, between those that were",
    "version.rewritten": "two specs under one Version of the orchestrator",
    "created.backdated": "older, it says, than a reading of its whole server that did not show it",
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
BACKDATED: Final = "created.backdated"
CLOCKS_DIFFER: Final = 3_600
"""Seconds by which the clock of a server may differ from ours without being a concern."""
NS_PER_SECOND: Final = 1_000_000_000
_PULLS: Final = """
    SELECT m.import_id, m.started_at, m.arguments, r.status FROM imports m
    JOIN import_results r ON r.import_id = m.import_id
    WHERE m.arguments LIKE '["pull",%' ORDER BY m.import_id"""
_FROM_PULLS: Final = """
    SELECT j.job_id, c.namespace, c.first_import, c.created_at
    FROM current_jobs c JOIN jobs j ON j.job_key = c.job_key
    WHERE c.created_at IS NOT NULL AND c.origin = 'orchestrator' AND c.first_import AMONG KEYS"""
_COUNT: Final = "SELECT count(*) FROM ({}) counted"
_LISTED: Final = f"""
    SELECT j.job_id, n.term, found.detail FROM ({{}}) found
    JOIN jobs j ON j.job_key = found.job_key
    JOIN terms n ON n.term_id = j.namespace_id
    JOIN current_jobs c ON c.job_key = j.job_key
    ORDER BY c.created_at DESC NULLS LAST, j.job_id DESC, n.term DESC LIMIT {LISTED}"""  # noqa: S608


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
    for kind, some in (
        (BACKDATED, _backdated(session, bounds)),
        (CODE, _two_jobs(session, bounds)),
    ):
        if some:
            counts[kind] = len(some)
            listed = [*some[:LISTED], *listed]
    return counts, tuple(listed)


def _backdated(session: Session, bounds: tuple[int, int]) -> list[Concern]:
    """Find jobs that a whole reading of their server must have shown, and did not."""
    shown: dict[str, int] = {}
    whole: dict[int, int] = {}
    for import_id, started_at, said, status in session.query(_PULLS):
        arguments = json.decode(said, type=list[str])
        url = arguments[1]
        if url in shown:
            whole[import_id] = shown[url]
        if "--full" in arguments and status == "complete":
            shown[url] = started_at
    found = []
    for job_id, namespace, import_id, created_at in session.among(_FROM_PULLS, sorted(whole)):
        is_older = created_at < whole[import_id] - CLOCKS_DIFFER * NS_PER_SECOND
        if is_older and bounds[0] <= created_at < bounds[1]:
            detail = (
                f"created {rfc3339(created_at)}; the whole server was read at"
                f" {rfc3339(whole[import_id])}, and it came with import {import_id}"
            )
            found.append(Concern(BACKDATED, job_id, namespace, detail))
    return found


def _two_jobs(session: Session, bounds: tuple[int, int]) -> list[Concern]:
    since, until = bounds
    twice = {one.job_key: one.detail for one in find_two_jobs(session)}
    return [
        Concern(CODE, job_id, namespace, twice[job_key])
        for job_key, job_id, namespace, time in session.among(_NAMED, twice)
        if since <= time < until
    ]
