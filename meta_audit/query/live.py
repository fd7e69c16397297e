"""Make SQL that leaves out rows which a better reading superseded (docs/adr/0008)."""

from __future__ import annotations


def live_entry(row: str) -> str:
    """Return the condition that the entry of a row is not superseded."""
    return f"NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = {row}.document_id)"  # noqa: S608


def live_version(row: str) -> str:
    """Return the condition that a live entry shows the version of a row.

    It is always true if there are no readings.
    """
    return f"""(NOT EXISTS (SELECT 1 FROM readings) OR EXISTS (
        SELECT 1 FROM observations o
        WHERE o.job_key = {row}.job_key AND o.version_no = {row}.version_no
            AND {live_entry("o")}))"""  # noqa: S608
