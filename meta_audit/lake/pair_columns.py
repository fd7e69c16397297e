"""Add values of Meta and labels to the jobs of a lake, as `query.meta_columns` does in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from meta_audit.nul import escape_nul
from meta_audit.query.conditions import Sql, marks
from meta_audit.query.texts import storable
from meta_audit.search.normal_form import key_as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.query.meta_columns import ColumnValues
    from meta_audit.search.expression import Has

    Pairs = list[dict[str, Any]] | None
    """Pairs of a job in one table: `task` (0 for the job itself and for labels), `key`, `value`."""

_PAIRS: Final = """
    (SELECT list({{'task': {task}, 'key': e.key, 'value': e.value}} ORDER BY {task}, e.value)
     FROM {table} e WHERE e.store = f.store AND e.job_key = f.job_key
        AND e.version_no = f.version_no AND e.key IN ({keys}))"""


def lists_of(columns: Sequence[Has]) -> Sql:
    """Return SQL of two lists of a job `f`: pairs of Meta and labels that have keys of columns.

    DuckDB plans as many subqueries as tables, not as columns: it takes minutes to plan hundreds.
    """
    meta = _pairs("v_meta", "e.task_no", [one for one in columns if one.place != "label"])
    labels = _pairs("v_labels", "0", [one for one in columns if one.place == "label"])
    return Sql(f", {meta.text}, {labels.text}", meta.parameters + labels.parameters)


def _pairs(table: str, task: str, columns: Sequence[Has]) -> Sql:
    if not columns:
        return Sql("NULL")
    keys = tuple(escape_nul(one.key) if storable(one.key) else "" for one in columns)
    return Sql(_PAIRS.format(table=table, task=task, keys=marks(keys)), keys)


def as_values(columns: Sequence[Has], meta: Pairs, labels: Pairs) -> ColumnValues:
    """Return each value once, by column: those of the job before its tasks'."""
    return {
        key_as_text(column.key, column.place): tuple(
            dict.fromkeys(
                pair["value"]
                for pair in (labels if column.place == "label" else meta) or ()
                if pair["key"] == escape_nul(column.key) and _stands(column, pair["task"])
            )
        )
        for column in columns
    }


def _stands(column: Has, task_no: int) -> bool:
    """Tell whether a pair of a task, or of the job itself (0), stands where a column says."""
    if column.place in ("job", "task"):
        return bool(task_no) == (column.place == "task")
    return True
