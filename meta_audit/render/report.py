"""A report on a period: for people at a terminal, and as a file to hand over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.catalogue import FINDINGS, REASONS
from meta_audit.query.concerns import CONCERNS
from meta_audit.query.report_result import LISTED, AuditReport
from meta_audit.render.layout import count, short_time
from meta_audit.render.page import Page
from meta_audit.render.sections import Section, laid_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.query.report_result import ClientActivity, Coverage
    from meta_audit.render.layout import Screen

_DAY: Final = 86_400
_CLIENT_HEADER: Final = ("jobs", "client", "first", "last", "")


class ReportPage(Page[AuditReport]):
    """Show a report."""

    def title(self) -> str:
        """Return the title, with the period."""
        since, until = self.result.since, self.result.until
        if since and until:
            return f"Audit report: {short_time(since)} to {short_time(until)}"
        if since:
            return f"Audit report: since {short_time(since)}"
        return f"Audit report: before {short_time(until)}" if until else "Audit report: all jobs"

    def text(self, screen: Screen) -> str:
        """Return the sections as text."""
        return laid_out([Section(self.title()), *self.sections(screen)], screen)

    def sections(self, screen: Screen) -> Sequence[Section]:  # noqa: ARG002 - as `SectionedPage`
        """Return what there is to say, and leave out what is empty."""
        found = self.result
        parts = [
            _totals(found),
            _concerns(found),
            _coverage(found),
            _trust(found),
            _clients("Clients", found.clients, found.client_count),
            _clients("New clients", found.new_clients, found.new_client_count),
            _findings(found),
            _sources(found),
            _rejections(found),
            _ledger(found),
        ]
        return [part for part in parts if part.lines or part.rows]


def _totals(found: AuditReport) -> Section:
    totals = found.totals
    created = (
        f", created {short_time(totals.first_created)} to {short_time(totals.last_created)}"
        if totals.first_created
        else ""
    )
    lines = [
        count(totals.jobs, "job") + created,
        f"{count(totals.documents, 'document')} in {count(totals.imports, 'import')}",
    ]
    if totals.without_time:
        lines.append(f"{count(totals.without_time, 'job')} without a time of creation")
    if totals.activity_only:
        known = "known by executions or events only: the job itself never came"
        lines.append(f"{count(totals.activity_only, 'job')} {known}")
    if totals.unfinished:
        lines.append(
            f"{count(totals.unfinished, 'import')} did not end well: see `meta-audit imports`"
        )
    return Section("What is here", tuple(lines))


def _concerns(found: AuditReport) -> Section:
    if not found.concern_counts:
        nothing = "Nothing is contradictory, and no finding is critical."
        return Section("To look at", (nothing,))
    lines = tuple(
        f"{count(jobs, 'job')}: {CONCERNS[kind]}" for kind, jobs in found.concern_counts.items()
    )
    rows = tuple((c.kind, c.job_id, c.namespace, c.detail) for c in found.concerns)
    cut = any(jobs > LISTED for jobs in found.concern_counts.values())
    after = (f"The first {LISTED} of each kind are listed.",) if cut else ()
    return Section("To look at", lines, ("kind", "job", "namespace", "detail"), rows, (0, 1), after)


def _coverage(found: AuditReport) -> Section:
    rows = tuple(
        (f"{c.jobs:,}", c.requester, _short(c.first_created), _short(c.last_created), _gap(c))
        for c in found.orchestrators
    )
    header = ("jobs", "orchestrator", "first", "last", "longest time without a job")
    after = _rest(found.orchestrator_count, len(rows), "orchestrator")
    return Section("Covered", (), header, rows, (), after)


def _gap(coverage: Coverage) -> str:
    if not coverage.gap_from:
        return ""
    days, seconds = divmod(coverage.gap_seconds, _DAY)
    hours, minutes = divmod(seconds // 60, 60)
    length = f"{days} d {hours} h" if days else f"{hours} h {minutes} min"
    return f"{length}, from {short_time(coverage.gap_from)}"


def _trust(found: AuditReport) -> Section:
    rows = tuple((f"{t.jobs:,}", t.role, t.trust, t.verdict) for t in found.trust)
    return Section("How we know who", (), ("jobs", "role", "trust", "verdict"), rows)


def _clients(title: str, clients: Sequence[ClientActivity], total: int) -> Section:
    rows = tuple(
        (
            f"{c.jobs:,}",
            c.client,
            _short(c.first_created),
            _short(c.last_created),
            "new" if c.is_new else "",
        )
        for c in clients
    )
    return Section(title, (), _CLIENT_HEADER, rows, (), _rest(total, len(rows), "client"))


def _findings(found: AuditReport) -> Section:
    rows = tuple(
        (f"{f.jobs:,}", f.severity, f.code, FINDINGS[f.code].meaning if f.code in FINDINGS else "")
        for f in found.findings
    )
    return Section("Findings", (), ("jobs", "severity", "code", "meaning"), rows)


def _sources(found: AuditReport) -> Section:
    rows = tuple(
        (s.status, s.source, str(s.import_id), s.message) for s in found.incomplete_sources
    )
    after = _rest(found.incomplete_source_count, len(rows), "source")
    header = ("status", "source", "import", "message")
    return Section("Sources that were not read to their end", (), header, rows, (), after)


def _rejections(found: AuditReport) -> Section:
    rows = tuple(
        (f"{r.documents:,}", r.reason, REASONS.get(r.reason, "")) for r in found.open_rejections
    )
    after = ("`meta-audit rejections list` shows each.",) if rows else ()
    header = ("documents", "reason", "meaning")
    return Section("Rejected, and still open", (), header, rows, (), after)


def _ledger(found: AuditReport) -> Section:
    head = found.ledger
    if head is None:
        return Section("Ledger", ("There is no checkpoint yet.",))
    signed = f", signed {short_time(head.signed_at)}" if head.signed_at else ""
    covers = count(head.tree_size, "entry")
    lines = [f"Checkpoint {head.checkpoint_id} covers {covers}{signed}."]
    if head.uncovered:
        lines.append(f"{count(head.uncovered, 'entry')} came later, and no checkpoint covers them.")
    lines.append("This report does not check the record: `meta-audit verify` does.")
    return Section("Ledger", tuple(lines))


def _short(time: str | None) -> str:
    return short_time(time) if time else "-"


def _rest(total: int, listed: int, noun: str) -> tuple[str, ...]:
    return (f"{count(total - listed, noun)} more.",) if total > listed else ()
