"""Ask the store as it was at a time, with the statements that ask it as it is.

Tables that changed since then are replaced in each statement by what they held, as common table
expressions of the same names. As in `trace`, `as_of` leaves out what came in later, `at` what
documents say of later times.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from meta_audit.query.as_of import ALL, last_entry
from meta_audit.schema.current_jobs import COLUMNS, current_jobs
from meta_audit.schema.tables import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meta_audit.store.session import Row, Session

_NO_END: Final = (1 << 63) - 1
"""In place of a time: nothing is later."""
_WITH: Final = re.compile(r"\s*WITH\s+", re.IGNORECASE)
_VIEW: Final = re.compile(r"\bv_[a-z]")


def session_at(session: Session, as_of: int | None, at: int | None) -> Session:
    """Return a session to read what was known and so at these times, in ns since 1970.

    None is the present. What it returns can only read, and only tables.
    """
    if as_of is at is None:
        return session
    return cast("Session", _Past(session, _tables(session, as_of, at)))


class _Past:
    def __init__(self, session: Session, tables: dict[str, str]) -> None:
        self._session = session
        self._tables = tables

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def query(self, sql: str, /, *parameters: object) -> list[Row]:
        return self._session.query(self._asked(sql), *parameters)

    def value(self, sql: str, /, *parameters: object) -> Any:
        return self._session.value(self._asked(sql), *parameters)

    def together(self, *statements: tuple[Any, ...]) -> list[list[Row]]:
        return self._session.together(*((self._asked(sql), *rest) for sql, *rest in statements))

    def among(self, sql: str, keys: Iterable[object]) -> Iterator[Row]:
        return self._session.among(self._asked(sql), keys)

    def stream(self, sql: str, /, *parameters: object, **options: int) -> Iterator[Row]:
        return self._session.stream(self._asked(sql), *parameters, **options)

    def _asked(self, sql: str) -> str:
        if _VIEW.search(sql):
            raise NotImplementedError("views show only what is so now")
        needed: list[str] = []
        asked = sql
        for name, table in reversed(self._tables.items()):
            if name in asked and re.search(rf"(?<![.\w]){name}\b", asked):
                needed.insert(0, f"{name} AS {table}")
                asked += table
        if not needed:
            return sql
        inner = _WITH.match(sql)
        rest = f", {sql[inner.end() :]}" if inner else f" {sql}"
        return f"WITH {', '.join(needed)}{rest}"


def _tables(session: Session, as_of: int | None, at: int | None) -> dict[str, str]:
    """Return what stands for each table; one refers only to those before it."""
    now = f"{session.schema()}."
    entry, end = last_entry(session, as_of), _NO_END if at is None else at
    known = f"document_id <= {entry}"
    found = {
        "readings": f"SELECT * FROM {now}readings WHERE reading_id <= {entry}",
        "observations": _observations(now, known, end),
        "executions": f"""
            SELECT {_executions(end)} FROM {now}executions
            WHERE {known} AND (created_at IS NULL OR created_at < {end})""",
        "job_events": f"""
            SELECT * FROM {now}job_events WHERE {known} AND (time IS NULL OR time < {end})""",
        "findings": f"SELECT * FROM {now}findings WHERE {known}",
        "jobs": f"""
            SELECT * FROM {now}jobs j
            WHERE EXISTS (SELECT 1 FROM observations o WHERE o.job_key = j.job_key)""",
    }
    for name in ("job_versions", "tasks", "meta_entries", "label_entries"):
        found[name] = f"""
            SELECT * FROM {now}{name} v WHERE EXISTS (
                SELECT 1 FROM observations o
                WHERE o.job_key = v.job_key AND o.version_no = v.version_no)"""
    if as_of is not None:
        found["identity_aliases"] = f"""
            SELECT * FROM {now}identity_aliases WHERE import_id IN (
                SELECT import_id FROM {now}imports WHERE started_at < {as_of})"""
    found["current_jobs"] = _current_jobs(now, _first_import(session, entry), end)
    return {name: f"NOT MATERIALIZED ({table})" for name, table in found.items()}


def _executions(end: int) -> str:
    """Return the columns of executions, without states that these had later."""
    forgotten = {"state": "''", "desired_state": "''", "message": "''", "modified_at": "NULL"}
    return ", ".join(
        f"CASE WHEN modified_at >= {end} THEN {forgotten[c]} ELSE {c} END AS {c}"
        if c in forgotten
        else c
        for c in columns("executions")
    )


def _observations(now: str, known: str, end: int) -> str:
    """Return what documents show of jobs, without states that these had later.

    Where all states of a job are later, its oldest document stays, without its state.
    """
    is_later = f"coalesce(o.modified_at, 0) >= {end}"
    no_text = f"coalesce((SELECT term_id FROM {now}terms WHERE term = ''), o.state_id)"
    forgotten = {"state_id": no_text, "message_id": no_text, "revision": "0", "modified_at": "NULL"}
    shown = ", ".join(
        f"CASE WHEN o.version_no > 0 AND {is_later} THEN {forgotten[c]} ELSE o.{c} END AS {c}"
        if c in forgotten
        else f"o.{c}"
        for c in columns("observations")
    )
    age = "coalesce({0}.modified_at, 0), {0}.revision, {1}.sha256"
    return f"""
        SELECT {shown} FROM {now}observations o
        WHERE o.{known}
            AND coalesce((SELECT min(v.created_at) FROM {now}job_versions v
                WHERE v.job_key = o.job_key), {end} - 1) < {end}
            AND (o.version_no = 0 OR NOT {is_later} OR NOT EXISTS (
                SELECT 1 FROM {now}observations p
                JOIN {now}documents b ON b.document_id = p.document_id
                JOIN {now}documents a ON a.document_id = o.document_id
                WHERE p.job_key = o.job_key AND p.version_no > 0 AND p.{known}
                    AND NOT EXISTS (
                        SELECT 1 FROM readings q WHERE q.supersedes = p.document_id)
                    AND ({age.format("p", "b")}) < ({age.format("o", "a")})))"""


def _current_jobs(now: str, first_import: int, end: int) -> str:
    """Return the rows of jobs: those that are as they were, and the others computed."""
    changed = f"""(c.last_import >= {first_import} OR coalesce(c.created_at, 0) >= {end}
        OR EXISTS (
        SELECT 1 FROM {now}observations o
        WHERE o.job_key = c.job_key AND o.modified_at >= {end}))"""
    again = f"""IN (
        SELECT c.job_key FROM {now}current_jobs c WHERE {changed}
        UNION ALL
        SELECT j.job_key FROM {now}jobs j WHERE NOT EXISTS (
            SELECT 1 FROM {now}current_jobs c WHERE c.job_key = j.job_key))"""
    names = ", ".join(COLUMNS)
    return f"""
        SELECT {names} FROM {now}current_jobs c WHERE NOT {changed}
        UNION ALL
        SELECT * FROM ({current_jobs(again)}) n"""


def _first_import(session: Session, entry: int) -> int:
    """Return the first import that brought an entry after the last one that is known."""
    if entry == ALL:
        return ALL
    sql = """
        SELECT min(s.import_id) FROM ledger_entries l JOIN sources s ON s.source_id = l.source_id
        WHERE l.entry_index > ?"""
    first = session.value(sql, entry)
    return ALL if first is None else int(first)
