"""Report on a period: is everything here, from whom, and what should be looked at?

Every statement is about all jobs or all imports of the period, so it reads them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meta_audit.query.concerns import concerns
from meta_audit.query.live import live_entry
from meta_audit.query.report_result import (
    LISTED,
    REPORT_FORMAT,
    AuditReport,
    ClientActivity,
    Coverage,
    IncompleteSource,
    LedgerHead,
    OpenRejections,
    ReportedFinding,
    Totals,
    TrustCount,
)
from meta_audit.query.texts import exact, rfc3339

if TYPE_CHECKING:
    from meta_audit.query.selection import Selection
    from meta_audit.store.session import Row, Session

NS_PER_SECOND: Final = 1_000_000_000
WHEN: Final = "coalesce(c.created_at, m.started_at)"
"""Time by which a job belongs to a period."""
_JOBS: Final = f"""
    FROM current_jobs c JOIN imports m ON m.import_id = c.first_import
    WHERE {WHEN} >= ? AND {WHEN} < ?"""
_IMPORTS: Final = "m.started_at >= ? AND m.started_at < ?"

_TOTALS: Final = f"""
    SELECT count(*), min(c.created_at), max(c.created_at), count(*) - count(c.created_at),
        coalesce(sum(CASE WHEN c.version_no = 0 THEN 1 ELSE 0 END), 0)
    {_JOBS}"""
_DOCUMENTS: Final = f"""
    SELECT count(*) FROM ledger_entries e
    JOIN sources s ON s.source_id = e.source_id
    JOIN imports m ON m.import_id = s.import_id
    WHERE {_IMPORTS} AND EXISTS (SELECT 1 FROM documents d WHERE d.document_id = e.entry_index)"""  # noqa: S608
_RUNS: Final = f"""
    SELECT count(*), count(*) - coalesce(sum(CASE WHEN x.status = 'complete' THEN 1 END), 0)
    FROM imports m LEFT JOIN import_results x ON x.import_id = m.import_id
    WHERE {_IMPORTS}"""  # noqa: S608
_ORCHESTRATORS: Final = f"""
    SELECT c.requester_id, count(*), min(c.created_at), max(c.created_at)
    {_JOBS} AND c.requester_id > 0
    GROUP BY c.requester_id ORDER BY 2 DESC, 1"""
_GAPS: Final = f"""
    SELECT requester_id, before, created_at FROM (
        SELECT requester_id, before, created_at, row_number() OVER (
            PARTITION BY requester_id ORDER BY created_at - before DESC, created_at) AS place
        FROM (
            SELECT c.requester_id, c.created_at, lag(c.created_at) OVER (
                PARTITION BY c.requester_id ORDER BY c.created_at) AS before
            {_JOBS} AND c.requester_id > 0 AND c.created_at IS NOT NULL) jobs
        WHERE before IS NOT NULL) gaps
    WHERE place = 1"""  # noqa: S608
_CLIENTS: Final = f"""
    SELECT c.client_id, count(*), min(c.created_at), max(c.created_at)
    {_JOBS} AND c.client_id > 0
    GROUP BY c.client_id ORDER BY 2 DESC, 1"""
_NEW_CLIENTS: Final = f"""
    SELECT client_id, count(*), min(created_at), max(created_at) FROM (
        SELECT c.client_id, c.created_at, {WHEN} AS at, min({WHEN}) OVER (
            PARTITION BY c.client_id) AS first_at
        FROM current_jobs c JOIN imports m ON m.import_id = c.first_import
        WHERE c.client_id > 0) jobs
    WHERE first_at >= ? AND at < ?
    GROUP BY client_id ORDER BY 3 DESC, 1"""  # noqa: S608
_COUNT: Final = "SELECT count(*) FROM ({}) counted"
_FIRST: Final = f"{{}} LIMIT {LISTED}"
_NAMES: Final = "SELECT identity_id, value FROM identities WHERE identity_id AMONG KEYS"
_TRUST: Final = f"""
    SELECT n.role, coalesce(r.trust, 'nobody'), coalesce(r.verdict, ''), sum(n.jobs) FROM (
        SELECT 'client' AS role, c.client_rule AS rule_id, count(*) AS jobs
        {_JOBS} GROUP BY c.client_rule
        UNION ALL
        SELECT 'requester', c.requester_rule, count(*) {_JOBS} GROUP BY c.requester_rule) n
    LEFT JOIN attribution_rules r ON r.rule_id = n.rule_id
    GROUP BY n.role, r.trust, r.verdict
    ORDER BY 1, 4 DESC, 2, 3"""  # noqa: S608
_FINDINGS: Final = f"""
    SELECT f.code, f.severity, count(DISTINCT f.job_key)
    FROM findings f
    JOIN current_jobs c ON c.job_key = f.job_key
    JOIN imports m ON m.import_id = c.first_import
    WHERE {WHEN} >= ? AND {WHEN} < ? AND {live_entry("f")}
    GROUP BY f.code, f.severity
    ORDER BY CASE f.severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, 3 DESC, 1"""  # noqa: S608
_INCOMPLETE: Final = f"""
    SELECT s.uri, s.import_id, coalesce(x.status, 'unfinished') AS status,
        coalesce(x.message, '')
    FROM sources s
    JOIN imports m ON m.import_id = s.import_id
    LEFT JOIN source_results x ON x.source_id = s.source_id
    WHERE {_IMPORTS} AND coalesce(x.status, '') NOT IN ('complete', 'known', 'reread')
    ORDER BY s.source_id DESC"""  # noqa: S608
_REJECTED: Final = f"""
    SELECT r.reason, count(*) FROM rejections r
    JOIN sources s ON s.source_id = r.source_id
    JOIN imports m ON m.import_id = s.import_id
    WHERE {_IMPORTS}
        AND NOT EXISTS (
            SELECT 1 FROM rejection_resolutions x WHERE x.rejection_id = r.rejection_id)
        AND NOT EXISTS (
            SELECT 1 FROM rejection_dismissals y WHERE y.rejection_id = r.rejection_id)
    GROUP BY r.reason ORDER BY 2 DESC, 1"""  # noqa: S608
_HEAD: Final = """
    SELECT k.checkpoint_id, k.tree_size, x.finished_at,
        (SELECT count(*) FROM ledger_entries e WHERE e.entry_index >= k.tree_size)
    FROM checkpoints k LEFT JOIN import_results x ON x.import_id = k.import_id
    ORDER BY k.checkpoint_id DESC LIMIT 1"""


def report(session: Session, wanted: Selection) -> AuditReport:
    """Report on the jobs created in a period, and on the imports made in it."""
    bounds = wanted.bounds
    clients = [] if wanted.since is None else session.query(_NEW_CLIENTS, *bounds)
    kinds, listed = concerns(session, bounds)
    return exact(
        AuditReport(
            REPORT_FORMAT,
            rfc3339(wanted.since),
            rfc3339(wanted.until),
            _totals(session, bounds),
            *_orchestrators(session, bounds),
            *_clients(session, bounds, {row[0] for row in clients}),
            _activity(session, clients[:LISTED], {row[0] for row in clients}),
            len(clients),
            tuple(
                TrustCount(role, trust, verdict, int(jobs))
                for role, trust, verdict, jobs in session.query(_TRUST, *bounds, *bounds)
            ),
            tuple(ReportedFinding(*row) for row in session.query(_FINDINGS, *bounds)),
            listed,
            kinds,
            *_incomplete(session, bounds),
            tuple(OpenRejections(*row) for row in session.query(_REJECTED, *bounds)),
            _ledger_head(session),
        )
    )


def _totals(session: Session, bounds: tuple[int, int]) -> Totals:
    ((jobs, first, last, without_time, activity_only),) = session.query(_TOTALS, *bounds)
    ((documents,),) = session.query(_DOCUMENTS, *bounds)
    ((imports, unfinished),) = session.query(_RUNS, *bounds)
    return Totals(
        jobs,
        rfc3339(first),
        rfc3339(last),
        without_time,
        int(activity_only),
        documents,
        imports,
        int(unfinished),
    )


def _orchestrators(session: Session, bounds: tuple[int, int]) -> tuple[tuple[Coverage, ...], int]:
    found = session.query(_ORCHESTRATORS, *bounds)
    gaps = {row[0]: row[1:] for row in session.query(_GAPS, *bounds)}
    names = _names(session, found[:LISTED])
    listed = []
    for number, jobs, first, last in found[:LISTED]:
        before, after = gaps.get(number, (None, None))
        seconds = 0 if before is None else (after - before) // NS_PER_SECOND
        gap = rfc3339(before), rfc3339(after), seconds
        listed.append(Coverage(names[number], jobs, rfc3339(first), rfc3339(last), *gap))
    return tuple(listed), len(found)


def _clients(
    session: Session, bounds: tuple[int, int], new: set[int]
) -> tuple[tuple[ClientActivity, ...], int]:
    ((count,),) = session.query(_COUNT.format(_CLIENTS), *bounds)
    return _activity(session, session.query(_FIRST.format(_CLIENTS), *bounds), new), count


def _activity(session: Session, found: list[Row], new: set[int]) -> tuple[ClientActivity, ...]:
    names = _names(session, found)
    return tuple(
        ClientActivity(names[number], jobs, rfc3339(first), rfc3339(last), number in new)
        for number, jobs, first, last in found
    )


def _names(session: Session, found: list[Row]) -> dict[int, str]:
    """Return the identities that rows begin with."""
    names: dict[int, Any] = dict(session.among(_NAMES, [row[0] for row in found]))
    return names


def _incomplete(
    session: Session, bounds: tuple[int, int]
) -> tuple[tuple[IncompleteSource, ...], int]:
    ((count,),) = session.query(_COUNT.format(_INCOMPLETE), *bounds)
    found = session.query(_FIRST.format(_INCOMPLETE), *bounds)
    return tuple(IncompleteSource(*row) for row in found), count


def _ledger_head(session: Session) -> LedgerHead | None:
    found = session.query(_HEAD)
    if not found:
        return None
    number, size, finished, uncovered = found[0]
    return LedgerHead(number, size, rfc3339(finished), uncovered)
