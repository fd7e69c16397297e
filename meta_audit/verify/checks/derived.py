"""Check the tables that follow from others: readings, and resolved rejections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.verify.outcome import Check
from meta_audit.verify.unpacking import content_of

if TYPE_CHECKING:
    from meta_audit.store.session import Session
    from meta_audit.verify.outcome import DamageKind
    from meta_audit.verify.work import Work

_RESOLVED: Final = """
    SELECT r.rejection_id, s.import_id
    FROM rejections r
    JOIN documents d ON substr(d.sha256, 1, 8) = substr(r.sha256, 1, 8) AND d.sha256 = r.sha256
    JOIN ledger_entries e ON e.entry_index = d.document_id
    JOIN sources s ON s.source_id = e.source_id
    WHERE NOT EXISTS (SELECT 1 FROM readings q WHERE q.reading_id = d.document_id)"""
_RESOLUTIONS: Final = "SELECT rejection_id, import_id, entry_index FROM rejection_resolutions"
_WRONG_READINGS: Final = """
    SELECT q.reading_id, q.supersedes FROM readings q
    LEFT JOIN documents d ON d.document_id = q.reading_id
    LEFT JOIN documents b ON b.document_id = q.supersedes
    WHERE d.sha256 IS NULL OR b.sha256 IS NULL OR d.sha256 <> b.sha256
        OR q.supersedes >= q.reading_id"""
_READ_BY: Final = """
    SELECT 1 FROM rejections r JOIN sources s ON s.source_id = r.source_id
    JOIN sources t ON t.uri = s.uri
    WHERE t.import_id = ? AND r.rejection_id = ? AND r.reason = 'truncated' LIMIT 1"""


def check_readings(work: Work) -> None:
    """Check that each reading takes the place of an older entry of the same bytes."""
    for reading, supersedes in work.session.query(_WRONG_READINGS):
        detail = f"readings: entry {reading} is no other reading of entry {supersedes}"
        work.damages.add(Check.DERIVED, "edited", detail, entry=reading)


def check_resolutions(work: Work) -> None:
    """Compare the resolutions of rejections with the rows that they follow from.

    A rejection is resolved where its very bytes are a document; a torn record also where an
    entry begins with its bytes, and a source of the same name was read by that import.
    """
    expected: dict[int, int] = dict(work.session.query(_RESOLVED))
    torn = []
    for rejection, import_id, entry in work.session.query(_RESOLUTIONS):
        if entry is not None:
            torn.append((rejection, import_id, entry))
        elif expected.get(rejection) != import_id:
            _differs(work, "added", rejection, import_id)
        expected.pop(rejection, None)
    for rejection, import_id in expected.items():
        _differs(work, "missing", rejection, import_id)
    for rejection, import_id, entry in torn:
        if not _is_made_whole(work.session, rejection, import_id, entry):
            _differs(work, "added", rejection, import_id)


def _is_made_whole(session: Session, rejection: int, import_id: int, entry: int) -> bool:
    """Check that the entry begins with the torn bytes, and that the import read that source."""
    torn, whole = content_of(session, rejection), content_of(session, entry)
    begins = torn and whole and len(whole) > len(torn) and whole.startswith(torn)
    return bool(begins and session.query(_READ_BY, import_id, rejection))


def _differs(work: Work, kind: DamageKind, rejection: int, import_id: int) -> None:
    detail = f"rejection_resolutions: rejection {rejection}, import {import_id}"
    work.damages.add(Check.DERIVED, kind, detail, entry=rejection)
