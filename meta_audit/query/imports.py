"""List the runs that wrote to the store, and tell what one of them brought."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from meta_audit.answer import Answer
from meta_audit.catalogue import REASONS
from meta_audit.errors import NotFoundError
from meta_audit.query.selection import Selection
from meta_audit.query.texts import exact, rfc3339

if TYPE_CHECKING:
    from meta_audit.store.session import Row, Session

IMPORTS_FORMAT: Final = "meta-audit/imports/1"
IMPORT_FORMAT: Final = "meta-audit/import/1"
UNFINISHED: Final = "unfinished"
"""Status of a run without a result: it is running, or was killed."""

_RUNS: Final = """
    SELECT m.import_id, x.status, m.started_at, x.finished_at, m.actor, m.tool_version,
        m.arguments, x.sources, x.documents, x.new, x.changed, x.unchanged, x.rejected,
        x.known_rejected, x.known_sources"""
_FROM: Final = " FROM imports m LEFT JOIN import_results x ON x.import_id = m.import_id WHERE "
_ONE: Final = f"{_RUNS}{_FROM} m.import_id = ?"
_LIST: Final = f"{_RUNS}, count(*) OVER () {_FROM} {{within}} ORDER BY m.import_id DESC LIMIT ?"
_NEWEST: Final = "SELECT max(import_id) FROM imports"
_SOURCES: Final = """
    SELECT s.uri, r.status, r.message, r.size, r.sha256, r.documents, r.rejected, count(*) OVER ()
    FROM sources s LEFT JOIN source_results r ON r.source_id = s.source_id
    WHERE s.import_id = ?
    ORDER BY CASE WHEN r.status IS NULL OR r.status IN ('refused', 'truncated', 'partial')
        THEN 0 WHEN r.rejected > 0 THEN 1 ELSE 2 END, s.source_id
    LIMIT ?"""
_REJECTED: Final = """
    SELECT r.reason, count(*),
        sum(CASE WHEN x.import_id IS NULL AND y.import_id IS NULL THEN 1 ELSE 0 END)
    FROM sources s JOIN rejections r ON r.source_id = s.source_id
    LEFT JOIN rejection_resolutions x ON x.rejection_id = r.rejection_id
    LEFT JOIN rejection_dismissals y ON y.rejection_id = r.rejection_id
    WHERE s.import_id = ?
    GROUP BY r.reason ORDER BY 3 DESC, 2 DESC, 1"""
_CHECKPOINTS: Final = "SELECT min(checkpoint_id) FROM checkpoints WHERE import_id = ?"


class ImportSummary(Answer, frozen=True):
    """Describe one run that wrote. Counts are null while it is unfinished."""

    import_id: int
    status: str
    """`complete`, `interrupted`, `failed` or `unfinished`."""
    command: str
    """`ingest`, `reread`, `rejections retry` or `rejections dismiss`."""
    started_at: str | None
    finished_at: str | None
    actor: str
    """User and host."""
    tool_version: str
    arguments: str
    """Arguments of the command, as JSON."""
    sources: int | None
    documents: int | None
    new: int | None
    """Documents that brought a new job."""
    changed: int | None
    """Documents that brought a new version or state."""
    unchanged: int | None
    rejected: int | None
    """Documents rejected that were new to look at."""
    known_rejected: int | None
    known_sources: int | None


class Imports(Answer, frozen=True):
    """List the runs, the newest first."""

    format: str
    imports: tuple[ImportSummary, ...]
    total: int
    """Number of runs, beyond the limit too."""


class ImportedSource(Answer, frozen=True):
    """Describe a source of a run."""

    source: str
    status: str
    """As in the view `v_sources`."""
    message: str
    """Why it was refused, or is not complete; else empty."""
    size: int | None
    sha256: str
    """Hash of its bytes; empty if it was refused."""
    documents: int | None
    rejected: int | None


class RejectedCount(Answer, frozen=True):
    """Count the rejections of a run that have one reason."""

    reason: str
    meaning: str
    rejections: int
    open: int
    """Those that are neither resolved nor dismissed."""


class ImportDetail(Answer, frozen=True):
    """Tell what a run brought."""

    format: str
    run: ImportSummary
    sources: tuple[ImportedSource, ...]
    """Those with a problem first."""
    total_sources: int
    """Sources that have a row, beyond the limit too."""
    rejections: tuple[RejectedCount, ...]
    checkpoint: int | None
    """Checkpoint with which it ended."""


def list_imports(session: Session, wanted: Selection) -> Imports:
    """Return the runs, the newest first."""
    within, parameters = wanted.within("m.started_at")
    rows = session.query(_LIST.format(within=within), *parameters, wanted.most)
    runs = tuple(_summary(row[:-1]) for row in rows)
    return exact(Imports(IMPORTS_FORMAT, runs, rows[0][-1] if rows else 0))


def one_import(session: Session, import_id: int, limit: int | None = None) -> ImportDetail:
    """Return one run with at most `limit` of its sources. Raises `NotFoundError`."""
    found = session.query(_ONE, import_id)
    if not found:
        newest = session.value(_NEWEST)
        advice = f"The newest import is {newest}." if newest else "The store has no imports yet."
        raise NotFoundError(f"there is no import {import_id}", advice=advice)
    most = Selection(limit=limit).most
    rows = session.query(_SOURCES, import_id, most)
    rejected = session.query(_REJECTED, import_id)
    detail = ImportDetail(
        IMPORT_FORMAT,
        _summary(found[0]),
        tuple(_source(row[:-1]) for row in rows),
        rows[0][-1] if rows else 0,
        tuple(
            RejectedCount(reason, REASONS.get(reason, ""), number, still_open)
            for reason, number, still_open in rejected
        ),
        session.value(_CHECKPOINTS, import_id),
    )
    return exact(detail)


def _summary(row: Row) -> ImportSummary:
    number, status, started, finished, actor, version, arguments, *counts = row
    return ImportSummary(
        number,
        status or UNFINISHED,
        _command(arguments),
        rfc3339(started),
        rfc3339(finished),
        actor,
        version,
        arguments,
        *counts,
    )


def _command(arguments: str) -> str:
    """Return the command that the arguments begin with."""
    words = [*json.loads(arguments or "[]"), "", ""]
    return f"{words[0]} {words[1]}" if words[0] == "rejections" else str(words[0])


def _source(row: Row) -> ImportedSource:
    uri, status, message, size, sha256, documents, rejected = row
    return ImportedSource(
        uri,
        status or UNFINISHED,
        message or "",
        size,
        bytes(sha256 or b"").hex(),
        documents,
        rejected,
    )
