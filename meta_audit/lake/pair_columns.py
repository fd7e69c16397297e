"""Add values of Meta and labels to the jobs of a lake, as `query.meta_columns` does in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.nul import escape_nul
from meta_audit.query.conditions import Sql
from meta_audit.query.texts import storable
from meta_audit.search.normal_form import key_as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.query.meta_columns import ColumnValues
    from meta_audit.search.expression import Has, Place

_VALUES: Final = """
    (SELECT list(e.value ORDER BY {order}) FROM {table} e
     WHERE e.store = f.store AND e.job_key = f.job_key AND e.version_no = f.version_no
        AND e.key = ?{level})"""
_LEVELS: Final[dict[Place, str]] = {"job": " AND e.task_no = 0", "task": " AND e.task_no > 0"}


def lists_of(columns: Sequence[Has]) -> Sql:
    """Return SQL of the values of a job `f` in each column, those of the job before its tasks'."""
    sql = ""
    for column in columns:
        is_label = column.place == "label"
        sql += ", " + _VALUES.format(
            order="e.value" if is_label else "e.task_no, e.value",
            table="v_labels" if is_label else "v_meta",
            level=_LEVELS.get(column.place, ""),
        )
    keys = (column.key if storable(column.key) else "" for column in columns)
    return Sql(sql, tuple(map(escape_nul, keys)))


def as_values(columns: Sequence[Has], lists: Sequence[list[str] | None]) -> ColumnValues:
    """Return each value once, by column."""
    return {
        key_as_text(column.key, column.place): tuple(dict.fromkeys(values or ()))
        for column, values in zip(columns, lists, strict=True)
    }
