"""Check the tables that follow from others: the reverse index, and resolved rejections."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from meta_audit.verify.checks.jobs import HOUR_OFFSET
from meta_audit.verify.report import Check
from meta_audit.verify.unpacking import content_of
from meta_audit.verify.values import weight

if TYPE_CHECKING:
    from meta_audit.store.session import Session
    from meta_audit.verify.report import DamageKind, Damages
    from meta_audit.verify.work import Tallies, Work

MOST_HOURS: Final = 1 << 31
SHOWN: Final = 10
_IN_RANGE: Final = f"""
    FROM pair_jobs WHERE pair_id >= ? AND pair_id < ?
        AND created_hour BETWEEN -{MOST_HOURS} AND {MOST_HOURS}
        AND job_key BETWEEN 0 AND {1 << 60} AND pair_id BETWEEN 0 AND {1 << 60}"""
_COUNTS: Final = f"SELECT pair_id, count(*) {_IN_RANGE} GROUP BY pair_id ORDER BY pair_id"
_ROWS: Final = f"""
    SELECT CAST(? AS BIGINT), created_hour + {HOUR_OFFSET}, job_key {_IN_RANGE}
    ORDER BY pair_id"""
_HOUR: Final = """CASE WHEN coalesce(v.created_at, 0) >= 0
        THEN coalesce(v.created_at, 0) / 3600000000000
        ELSE -((3599999999999 - v.created_at) / 3600000000000) END"""
_SEARCHABLE: Final = """
    FROM meta_entries e
    JOIN job_versions v ON v.job_key = e.job_key AND v.version_no = e.version_no
    WHERE (e.task_no > 0 OR NOT EXISTS (
        SELECT 1 FROM meta_pairs p JOIN meta_keys k ON k.key_id = p.key_id
        JOIN attribution_members m ON m.set_id = v.attribution_set
        JOIN attribution_rules r ON r.rule_id = m.rule_id
        WHERE p.pair_id = e.pair_id AND r.basis = 'meta:' || k."key"))"""
_MISSING: Final = f"""
    SELECT e.pair_id, e.job_key, {_HOUR} {_SEARCHABLE} AND NOT EXISTS (
        SELECT 1 FROM pair_jobs i WHERE i.pair_id = e.pair_id AND i.created_hour = {_HOUR}
        AND i.job_key = e.job_key) LIMIT {SHOWN}"""  # noqa: S608
_ADDED: Final = f"""
    SELECT i.pair_id, i.job_key, i.created_hour FROM pair_jobs i WHERE NOT EXISTS (
        SELECT 1 {_SEARCHABLE} AND e.job_key = i.job_key AND e.pair_id = i.pair_id
        AND {_HOUR} = i.created_hour) LIMIT {SHOWN}"""  # noqa: S608
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


def sum_indexed(work: Work, low: int, high: int) -> None:
    """Add up the reverse index of pairs from `low` to below `high`."""
    secret = work.options.secret
    # Not all rows at once: a pair may be in every job.
    hashes = map(hash, work.session.stream(_ROWS, secret, low, high))
    for pair, count in work.session.query(_COUNTS, low, high):
        work.indexed.total += weight(secret, pair) * sum(islice(hashes, count))
        work.indexed.count += count


def check_index(tallies: Tallies, session: Session, damages: Damages) -> None:
    """Compare the sums; only where they differ look for the rows."""
    rows = session.value("SELECT count(*) FROM pair_jobs")
    expected, found = tallies.searchable, tallies.indexed
    if expected == found and rows == found.count:
        return
    named = False
    for kind, sql in (("missing", _MISSING), ("added", _ADDED)):
        for pair, job, hour in session.query(sql):
            named = True
            job_id = session.query("SELECT job_id FROM jobs WHERE job_key = ?", job)
            detail = f"pair_jobs: pair {pair}, hour {hour}, job {job}"
            damages.add(
                Check.DERIVED,
                "missing" if kind == "missing" else "added",
                detail,
                job=job_id[0][0] if job_id else "",
            )
    if not named:
        damages.add(
            Check.DERIVED, "edited", "pair_jobs has other rows than Meta and attributions give"
        )


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
