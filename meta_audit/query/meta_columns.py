"""Add values of Meta and labels to jobs, as columns: those of the newest version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.numbers import Numbers
from meta_audit.search.normal_form import key_as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.search.expression import Has, Place
    from meta_audit.store.session import Session

ColumnValues = dict[str, tuple[str, ...]]
"""Column: the values of a job, those of the job itself before those of its tasks."""

_ENTRIES: Final = """
    SELECT c.job_key, {0}, p.key_id, p.value
    FROM current_jobs c CROSS JOIN {1} e CROSS JOIN meta_pairs p
    WHERE c.job_key AMONG KEYS AND e.job_key = c.job_key AND e.version_no = c.version_no
        AND p.pair_id = e.pair_id AND p.key_id IN ({2})"""


def values(
    session: Session, columns: Sequence[Has], job_keys: Sequence[int]
) -> dict[int, ColumnValues]:
    """Return the values of each job in each column."""
    store = Numbers(session)
    numbers = {column: store.key(column.key) for column in columns}
    known = ", ".join(str(number) for number in set(numbers.values()) if number is not None)
    found: dict[tuple[int, int], list[tuple[int | None, str]]] = {}
    if known:
        for task_no, table in (("e.task_no", "meta_entries"), ("NULL", "label_entries")):
            sql = _ENTRIES.format(task_no, table, known)
            for job_key, task, key, value in session.among(sql, job_keys):
                found.setdefault((job_key, key), []).append((task, value))
    return {
        job_key: {
            key_as_text(column.key, column.place): tuple(
                dict.fromkeys(
                    value
                    for task, value in sorted(found.get((job_key, number or 0), ()), key=_order)
                    if stands(column.place, task)
                )
            )
            for column, number in numbers.items()
        }
        for job_key in job_keys
    }


def _order(entry: tuple[int | None, str]) -> tuple[int, str]:
    return entry[0] or 0, entry[1]


def stands(place: Place, task_no: int | None) -> bool:
    """Tell whether an entry stands in a place; `task_no` is None for a label."""
    if task_no is None:
        return place == "label"
    return place in ("meta", "task" if task_no else "job")
