"""Count the findings of each kind, and list those of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.answer import Answer
from meta_audit.catalogue import FINDINGS
from meta_audit.errors import NotFoundError
from meta_audit.query.contradictions import CODE, find_two_jobs
from meta_audit.query.live import live_entry
from meta_audit.query.results import Position
from meta_audit.query.selection import OWNED, OWNER, Selection, total
from meta_audit.query.texts import exact, rfc3339
from meta_audit.query.unknown import nearest

if TYPE_CHECKING:
    from meta_audit.store.session import Row, Session

FINDINGS_FORMAT: Final = "meta-audit/findings/1"
FINDING_FORMAT: Final = "meta-audit/finding/1"

_SEVERITIES: Final = ("critical", "warning", "info")
_IMPORT: Final = """
    JOIN ledger_entries l ON l.entry_index = f.document_id
    JOIN sources s ON s.source_id = l.source_id
    JOIN imports m ON m.import_id = s.import_id"""
_COUNTS: Final = f"""
    SELECT f.code, count(DISTINCT {OWNER.format("f")}), count(DISTINCT f.document_id),
        min(m.started_at), max(m.started_at)
    FROM findings f {_IMPORT} {OWNED.format("f")}
    WHERE {live_entry("f")} AND {{within}}
    GROUP BY f.code"""  # noqa: S608
_PLACE: Final = """
    SELECT j.job_id, n.term, {detail}, f.document_id, s.uri, o.ordinal, o.line, s.import_id,
        m.started_at{more}
    FROM {table} f
    JOIN observations o ON o.job_key = f.job_key AND o.document_id = f.document_id
    JOIN sources s ON s.source_id = o.source_id
    JOIN imports m ON m.import_id = s.import_id
    JOIN jobs j ON j.job_key = f.job_key
    JOIN terms n ON n.term_id = j.namespace_id
    WHERE """
_FOUND: Final = (
    _PLACE.format(table="findings", detail="f.detail", more=", count(*) OVER ()")
    + f"""f.code = ? AND {live_entry("f")} AND {{within}}
    ORDER BY f.document_id DESC, f.job_key, f.position LIMIT ?"""
)
_TWO_JOBS: Final = (
    _PLACE.format(table="observations", detail="f.job_key", more="")
    + "f.version_no > 0 AND f.document_id AMONG KEYS"
)


class FindingCount(Answer, frozen=True):
    """Count the findings of one kind."""

    code: str
    severity: str
    jobs: int
    documents: int
    first_at: str | None
    """Beginning of the first import that brought one."""
    last_at: str | None
    meaning: str


class FindingCounts(Answer, frozen=True):
    """List the kinds of findings, the worst first."""

    format: str
    findings: tuple[FindingCount, ...]


class FindingPlace(Answer, frozen=True):
    """Describe one finding, and where its document stood."""

    job_id: str
    namespace: str
    detail: str
    entry_index: int
    source: str
    position: Position
    import_id: int
    observed_at: str | None


class FindingPlaces(Answer, frozen=True):
    """List the findings of one kind, the newest first."""

    format: str
    code: str
    severity: str
    meaning: str
    findings: tuple[FindingPlace, ...]
    total: int
    """Number of findings, beyond the limit too."""


def finding_counts(session: Session, wanted: Selection) -> FindingCounts:
    """Return the kinds of findings that there are, the worst first."""
    within, parameters = wanted.within("m.started_at")
    rows = session.query(_COUNTS.format(within=within), *parameters)
    two_jobs = _two_jobs(session, wanted)
    if two_jobs:
        times = [place.observed_at for place in two_jobs if place.observed_at]
        first, last = min(times, default=None), max(times, default=None)
        rows.append((CODE, len(two_jobs), len(two_jobs), first, last))
    found = [_count(row) for row in rows]
    found.sort(key=lambda one: (_SEVERITIES.index(one.severity), -one.jobs, one.code))
    return FindingCounts(FINDINGS_FORMAT, tuple(found))


def finding_places(session: Session, code: str, wanted: Selection) -> FindingPlaces:
    """Return the findings of one kind, the newest first. Raises `NotFoundError`."""
    if code not in FINDINGS:
        like = nearest(code, FINDINGS)
        raise NotFoundError(
            f"there is no finding {code}",
            advice=f"Did you mean {' or '.join(like)}?"
            if like
            else "`meta-audit findings` lists those that the store has.",
        )
    if code == CODE:
        every = _two_jobs(session, wanted)
        found, number = every[: wanted.limit], len(every)
    else:
        within, parameters = wanted.within("m.started_at")
        rows = session.query(_FOUND.format(within=within), code, *parameters, wanted.most)
        found, number = [_place(row[:-1]) for row in rows], total(rows)
    kind = FINDINGS[code]
    return exact(
        FindingPlaces(FINDING_FORMAT, code, kind.severity, kind.meaning, tuple(found), number)
    )


def _two_jobs(session: Session, wanted: Selection) -> list[FindingPlace]:
    """Return the findings that no document has, and so no table."""
    found = {one.document_id: one for one in find_two_jobs(session)}
    rows = [
        row
        for row in session.among(_TWO_JOBS, list(found))
        if row[2] == found[row[3]].job_key and wanted.contains(row[-1])
    ]
    places = [_place((*row[:2], found[row[3]].detail, *row[3:])) for row in rows]
    return sorted(places, key=lambda place: -place.entry_index)


def _count(row: Row) -> FindingCount:
    code, jobs, documents, first, last = row
    kind = FINDINGS.get(code)
    severity, meaning = (kind.severity, kind.meaning) if kind else ("info", "")
    first_at, last_at = (one if isinstance(one, str) else rfc3339(one) for one in (first, last))
    return FindingCount(code, severity, jobs, documents, first_at, last_at, meaning)


def _place(row: Row) -> FindingPlace:
    job_id, namespace, detail, entry, uri, ordinal, line, import_id, started_at = row
    return FindingPlace(
        job_id,
        namespace,
        detail,
        entry,
        uri,
        Position(ordinal, line),
        import_id,
        rfc3339(started_at),
    )
