"""Add values of Meta and labels to the jobs of a lake, as `query.meta_columns` does in a store."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from meta_audit.nul import escape_nul
from meta_audit.query.conditions import Sql, marks
from meta_audit.query.meta_columns import stands
from meta_audit.query.texts import storable
from meta_audit.search.normal_form import key_as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meta_audit.query.meta_columns import ColumnValues
    from meta_audit.search.expression import Has
    from meta_audit.store.session import Row

_PAIRS: Final = """
    WITH f AS MATERIALIZED ({jobs})
    SELECT * FROM (
        SELECT f.*, e.task_no, e.key, e.value FROM f JOIN (
            {parts}) e
        ON e.store = f.store AND e.job_key = f.job_key AND e.version_no = f.version_no
        UNION ALL SELECT f.*, NULL, NULL, NULL FROM f) f
    ORDER BY {order}, f.task_no, f.value"""
"""An outer join of many jobs would not fit into memory: DuckDB keeps all pairs for it."""
_PART: Final = """
        SELECT store, job_key, version_no, {task_no} AS task_no, key, value FROM {table}
        WHERE key IN ({keys})"""
_ADDED: Final = 3
"""Columns of a pair, behind those of its job."""


def with_pairs(jobs: Sql, columns: Sequence[Has], order: str) -> Sql:
    """Return SQL that gives each job of another query once, and once for each pair with these keys.

    `order` is that of the jobs, which are rows `f` here.
    """
    parts, parameters = [], jobs.parameters
    for table, task_no, is_label in (("v_meta", "task_no", False), ("v_labels", "NULL", True)):
        keys = tuple(_stored(one) for one in columns if (one.place == "label") is is_label)
        if keys:
            parts.append(_PART.format(table=table, task_no=task_no, keys=marks(keys)))
            parameters += keys
    sql = _PAIRS.format(jobs=jobs.text, parts=" UNION ALL".join(parts), order=order)
    return Sql(sql, parameters)


def with_values(rows: Iterable[Row], columns: Sequence[Has]) -> Iterator[tuple[Row, ColumnValues]]:
    """Yield each job once, with its values: those of the job before those of its tasks."""
    wanted = [(key_as_text(one.key, one.place), one.place, _stored(one)) for one in columns]
    for job, pairs in groupby(rows, key=lambda row: row[:-_ADDED]):
        found = [pair[-_ADDED:] for pair in pairs]
        values = {
            shown: [value for task, key, value in found if key == stored and stands(place, task)]
            for shown, place, stored in wanted
        }
        yield job, {shown: tuple(dict.fromkeys(some)) for shown, some in values.items()}


def _stored(column: Has) -> str:
    """Return a key as a lake has it; one that it cannot have is empty."""
    return escape_nul(column.key) if storable(column.key) else ""
