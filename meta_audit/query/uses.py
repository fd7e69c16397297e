"""Read what a version of a job uses: images, modules, inputs, outputs, results, resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.as_of import known_entry
from meta_audit.query.results import TracedUse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.query.results import TracedTask
    from meta_audit.store.session import Session

_USES: Final = f"""
    SELECT m.task_no, m.kind, y.term, v.term, g.term
    FROM use_members m
    JOIN terms y ON y.term_id = m.type_id
    JOIN terms v ON v.term_id = m.value_id
    JOIN terms g ON g.term_id = m.target_id
    WHERE m.set_id IN (
        SELECT d.set_id FROM document_uses d
        JOIN observations o ON o.job_key = d.job_key AND o.document_id = d.document_id
        WHERE d.job_key IN (?, ?) AND o.version_no IN (0, ?) AND {known_entry("d")})
    ORDER BY m.set_id, m.position"""  # noqa: S608


def uses_of(
    session: Session,
    job_keys: tuple[int, int],
    version_no: int,
    tasks: Sequence[TracedTask],
    last: int,
) -> tuple[TracedUse, ...]:
    """Return what documents of a version tell, and those that tell of executions alone.

    Each use stands once: those of the tasks in their order, and then the results. Entries
    after `last` do not count.
    """
    names = {task.task_no: task.name for task in tasks}
    found = session.query(_USES, *job_keys, version_no, last, last)
    distinct = dict.fromkeys(tuple(row) for row in found)
    of_tasks = sorted(distinct, key=lambda row: (row[0] == 0, row[0]))
    return tuple(TracedUse(no, names.get(no), *rest) for no, *rest in of_tasks)
