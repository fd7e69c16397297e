"""Define the report on a period: what came, from whom, what is missing, what looks wrong.

Lists hold the first `LISTED`; the numbers beside them count all. Times are RFC 3339 in UTC.
"""

from __future__ import annotations

from typing import Final

from meta_audit.answer import Answer

REPORT_FORMAT: Final = "meta-audit/report/1"
LISTED: Final = 20


class Totals(Answer, frozen=True):
    """Count what the store has of the period."""

    jobs: int
    first_created: str | None
    last_created: str | None
    without_time: int
    """Jobs of which no document states when they were created."""
    activity_only: int
    """Jobs known by executions or events alone."""
    documents: int
    """Documents that imports of the period brought."""
    imports: int
    unfinished: int
    """Imports that were interrupted, failed or were killed, or are running."""


class Coverage(Answer, frozen=True):
    """Describe the jobs that one orchestrator accepted."""

    requester: str
    jobs: int
    first_created: str | None
    last_created: str | None
    gap_from: str | None
    """Start of the longest time without a job of it; None with fewer than two jobs."""
    gap_until: str | None
    gap_seconds: int


class ClientActivity(Answer, frozen=True):
    """Count the jobs of one client."""

    client: str
    jobs: int
    first_created: str | None
    last_created: str | None
    is_new: bool
    """True if the store knows no older job of it."""


class TrustCount(Answer, frozen=True):
    """Count the jobs whose client or requester is known in one way."""

    role: str
    """client or requester"""
    trust: str
    """As `model.Trust`; `nobody` if no document names one."""
    verdict: str
    jobs: int


class ReportedFinding(Answer, frozen=True):
    """Count the jobs with a finding."""

    code: str
    severity: str
    jobs: int


class Concern(Answer, frozen=True):
    """Name a job to look at."""

    kind: str
    """A code of the catalogue, `key.mismatch`, or one of `CONCERNS`."""
    job_id: str
    namespace: str
    detail: str


class IncompleteSource(Answer, frozen=True):
    """Name a source that was not read to its end."""

    source: str
    import_id: int
    status: str
    message: str


class OpenRejections(Answer, frozen=True):
    """Count the rejections of one reason that nobody made good or dismissed."""

    reason: str
    documents: int


class LedgerHead(Answer, frozen=True):
    """Describe the newest checkpoint."""

    checkpoint_id: int
    tree_size: int
    signed_at: str | None
    """End of the import that made it."""
    uncovered: int
    """Entries that came after it."""


class AuditReport(Answer, frozen=True):
    """Report on the jobs created in a period, and on the imports made in it.

    A job without a time of creation counts by the import that first showed it.
    """

    format: str
    since: str | None
    until: str | None
    """Before this time: the first moment after the period."""
    totals: Totals
    orchestrators: tuple[Coverage, ...]
    orchestrator_count: int
    clients: tuple[ClientActivity, ...]
    """Those with the most jobs first."""
    client_count: int
    new_clients: tuple[ClientActivity, ...]
    """Those without an older job, the newest first; empty without `since`."""
    new_client_count: int
    trust: tuple[TrustCount, ...]
    findings: tuple[ReportedFinding, ...]
    concerns: tuple[Concern, ...]
    concern_counts: dict[str, int]
    """Jobs of each kind of concern."""
    incomplete_sources: tuple[IncompleteSource, ...]
    incomplete_source_count: int
    open_rejections: tuple[OpenRejections, ...]
    ledger: LedgerHead | None
