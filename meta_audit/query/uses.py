"""Read what a version of a job uses: images, modules, inputs, outputs, results, resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.query.results import TracedUse

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from meta_audit.query.results import TracedTask
    from meta_audit.store.session import Session

_USES: Final = """
    SELECT m.set_id, m.position, m.task_no, u.kind, y.term, v.term, g.term
    FROM use_members m
    JOIN uses u ON u.use_id = m.use_id
    JOIN terms y ON y.term_id = u.type_id
    JOIN terms v ON v.term_id = u.value_id
    JOIN terms g ON g.term_id = u.target_id
    WHERE m.set_id AMONG KEYS"""


def uses_of(
    session: Session,
    sets: Collection[int],
    of_version: Collection[int],
    tasks: Sequence[TracedTask],
) -> tuple[TracedUse, ...]:
    """Return what a version uses, and what executions of its job published.

    `sets` are those of all documents of the job, `of_version` those of the version. Each use
    stands once: those of the tasks in their order, and then the results.
    """
    names = {task.task_no: task.name for task in tasks}
    found = sorted(session.among(_USES, sets))
    distinct = dict.fromkeys(
        tuple(row) for number, _, *row in found if row[0] == 0 or number in of_version
    )
    of_tasks = sorted(distinct, key=lambda row: (row[0] == 0, row[0]))
    return tuple(TracedUse(no, names.get(no), *rest) for no, *rest in of_tasks)
