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
    SELECT m.task_no, u.kind, y.term, v.term, g.term
    FROM use_members m
    JOIN uses u ON u.use_id = m.use_id
    JOIN terms y ON y.term_id = u.type_id
    JOIN terms v ON v.term_id = u.value_id
    JOIN terms g ON g.term_id = u.target_id
    WHERE m.set_id IN (
        SELECT d.use_set FROM observations d
        WHERE d.job_key IN (?, ?) AND d.version_no IN (0, ?) AND {known_entry("d")})
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
