"""Look at the store as it was: without the entries of imports that began later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from meta_audit.store.session import Session

ALL: Final = 1 << 62
"""In place of the last entry: the store as it is."""

_FIRST_LATER: Final = """
    SELECT min(l.entry_index) FROM imports m
    JOIN sources s ON s.import_id = m.import_id
    JOIN ledger_entries l ON l.source_id = s.source_id
    WHERE m.started_at >= ?"""


def last_entry(session: Session, before: int | None) -> int:
    """Return the last entry of the ledger that came before any import that began at a time.

    The time is in nanoseconds since 1970; None is the present.
    """
    first_later = None if before is None else session.value(_FIRST_LATER, before)
    return ALL if first_later is None else int(first_later) - 1


def known_entry(row: str) -> str:
    """Return the condition that the entry of a row was there, and not superseded yet.

    It has two parameters, both the last entry.
    """
    return f"""{row}.document_id <= ? AND NOT EXISTS (
        SELECT 1 FROM readings q
        WHERE q.supersedes = {row}.document_id AND q.reading_id <= ?)"""  # noqa: S608
