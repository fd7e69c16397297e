"""Read what one version of a job holds: tasks, Meta, labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.query.results import Meta, TracedTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.session import Row, Session

_TASKS: Final = """
    SELECT t.task_no, name.term, engine.term, publisher.term
    FROM tasks t
    JOIN terms name ON name.term_id = t.name_id
    JOIN terms engine ON engine.term_id = t.engine_id
    JOIN terms publisher ON publisher.term_id = t.publisher_id
    WHERE t.job_key = ? AND t.version_no = ? ORDER BY t.task_no"""
_META: Final = """
    SELECT e.task_no, k.key, p.value
    FROM meta_entries e
    JOIN meta_pairs p ON p.pair_id = e.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id
    WHERE e.job_key = ? AND e.version_no = ?"""
_LABELS: Final = """
    SELECT k.key, p.value
    FROM label_entries e
    JOIN meta_pairs p ON p.pair_id = e.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id
    WHERE e.job_key = ? AND e.version_no = ?"""
ATTRIBUTIONS: Final = """
    SELECT v.version_no, r.role, i.value, r.basis, r.trust, r.verdict
    FROM job_versions v
    JOIN attribution_members a ON a.set_id = v.attribution_set
    JOIN attribution_rules r ON r.rule_id = a.rule_id
    JOIN identities i ON i.identity_id = a.identity_id
    WHERE v.job_key = ?"""
"""Identities of each version of a job."""


class VersionContent(NamedTuple):
    """Hold what one version holds."""

    tasks: tuple[TracedTask, ...]
    meta: tuple[Meta, ...]
    labels: dict[str, str]


def version_content(session: Session, job_key: int, version_no: int) -> VersionContent:
    """Return what a version of a job holds."""
    of_version = job_key, version_no
    tasked, meta, labels = session.together(
        (_TASKS, *of_version), (_META, *of_version), (_LABELS, *of_version)
    )
    tasks = tuple(TracedTask(*row) for row in tasked)
    return VersionContent(tasks, _meta(meta, tasks), dict(sorted(tuple(row) for row in labels)))


def _meta(found: Sequence[Row], tasks: Sequence[TracedTask]) -> tuple[Meta, ...]:
    names = {task.task_no: task.name for task in tasks}
    return tuple(
        Meta("task" if task_no else "job", names.get(task_no), key, value, task_no)
        for task_no, key, value in sorted(tuple(row) for row in found)
    )
