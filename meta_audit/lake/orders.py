"""Order the jobs of a lake, and begin behind one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.errors import NotFoundError, UsageError
from meta_audit.query.conditions import ALWAYS, NEVER, Sql
from meta_audit.query.cursors import MARK, Cursor
from meta_audit.query.texts import stored_names
from meta_audit.search.sorts import SORTS, TIMES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS: Final = {
    sort: f"j.{sort}_ns" if sort in TIMES else f"coalesce(j.{sort}, '')" for sort in SORTS
}
"""Values that order jobs: times from the newest on, unknown ones last; texts by code point."""
_TIES: Final = ("job_id", "namespace", "store")
_AT: Final = "SELECT {}, j.namespace, j.store FROM v_jobs j WHERE j.job_id = ? LIMIT 2"


class LakeCursor(Cursor, frozen=True, array_like=True):
    """Name the last job of a page of a lake."""

    store: str


def order_by(sort: str, *, of: str = "j", column: str = "") -> str:
    """Return what rows `of` are ordered by; IDs, namespaces and stores break ties."""
    way, unknown = (" DESC", " NULLS LAST") if sort in TIMES else ("", "")
    ties = ", ".join(f"{of}.{tie}{way}" for tie in _TIES)
    return f"{column or COLUMNS[sort]}{way}{unknown}, {ties}"


def behind(cursor: LakeCursor) -> Sql:
    """Return the condition that a job `j` comes after a cursor."""
    sign = "<" if cursor.sort in TIMES else ">"
    rest = _after(sign, _TIES, (cursor.job_id, cursor.namespace, cursor.store))
    column = COLUMNS[cursor.sort]
    if cursor.value is None:
        return Sql(f"({column} IS NULL AND {rest.text})", rest.parameters)
    known = f"{column} {sign} ? OR ({column} = ? AND {rest.text})"
    unknown = f" OR {column} IS NULL" if cursor.sort in TIMES else ""
    return Sql(f"({known}{unknown})", (cursor.value, cursor.value, *rest.parameters))


def _after(sign: str, columns: tuple[str, ...], values: tuple[str, ...]) -> Sql:
    """Return the condition that columns come after values."""
    if not columns:
        return NEVER
    (column, *others), (value, *rest) = columns, values
    tie = _after(sign, tuple(others), tuple(rest))
    sql = f"(j.{column} {sign} ? OR (j.{column} = ? AND {tie.text}))"
    return Sql(sql, (value, value, *tie.parameters))


def beginning(duck: DuckDBPyConnection, after: str | None, sort: str) -> Sql:
    """Return the condition that a job comes after `after`: an ID, or a cursor.

    Raises `UsageError` for what is no cursor of this order, or fits several jobs, and
    `NotFoundError`.
    """
    if after is None:
        return ALWAYS
    if after.startswith(MARK):
        cursor = LakeCursor.parse(after)
        cursor.check(sort)
        return behind(cursor)
    sql = _AT.format(COLUMNS[sort])
    for job_id in stored_names(after):
        found = duck.execute(sql, [job_id]).fetchall()
        if found:
            break
    else:
        raise NotFoundError(
            f"--after: the lake has no job {after}", advice="Give the whole ID, or the cursor."
        )
    if len(found) > 1:
        raise UsageError(f"--after: {after} fits several jobs", advice="Give the cursor.")
    ((value, namespace, store),) = found
    return behind(LakeCursor(sort, value, job_id, namespace, store))
