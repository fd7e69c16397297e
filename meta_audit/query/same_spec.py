"""Link a specification with the jobs that were made of it, and a job with its specifications.

An orchestrator gives a job an ID, fills in defaults and adds reserved keys. So these are compared:
name, type, labels, Meta without reserved keys, and the names and engines of tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.model import RESERVED_PREFIX
from meta_audit.query.results import SameSpec
from meta_audit.query.texts import rfc3339

if TYPE_CHECKING:
    from meta_audit.query.results import TracedJob
    from meta_audit.store.session import Row, Session

MOST: Final = 20
"""Newest jobs of the same name that are compared."""
_CANDIDATES: Final = """
    SELECT c.job_key, j.job_id, c.namespace, c.origin, c.created_at, c.type
    FROM terms n JOIN current_jobs c ON c.name_id = n.term_id JOIN jobs j ON j.job_key = c.job_key
    WHERE n.term = ? AND c.job_key <> ? AND {which}
    ORDER BY c.created_at DESC, j.job_id DESC, c.namespace DESC LIMIT ?"""
_MADE: Final = _CANDIDATES.format(which="c.created_at IS NOT NULL AND c.origin = 'orchestrator'")
_SPECS: Final = _CANDIDATES.format(which="c.created_at IS NULL AND c.origin <> 'activity'")
_NEWEST: Final = (
    "current_jobs c JOIN {0} e ON e.job_key = c.job_key AND e.version_no = c.version_no"
)
_TASKS: Final = f"""
    SELECT e.job_key, e.task_no, name.term, engine.term
    FROM {_NEWEST.format("tasks")}
    JOIN terms name ON name.term_id = e.name_id
    JOIN terms engine ON engine.term_id = e.engine_id
    WHERE c.job_key AMONG KEYS"""  # noqa: S608 - own names
_PAIRS: Final = """
    SELECT e.job_key, {task_no}, k.key, p.value
    FROM {newest}
    JOIN meta_pairs p ON p.pair_id = e.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id
    WHERE c.job_key AMONG KEYS"""
_META: Final = _PAIRS.format(task_no="e.task_no", newest=_NEWEST.format("meta_entries"))
_LABELS: Final = _PAIRS.format(task_no="0", newest=_NEWEST.format("label_entries"))


def same_spec(session: Session, job_key: int, job: TracedJob) -> tuple[SameSpec, ...]:
    """Return jobs made of this specification, or specifications of this job, newest first.

    Without a name nothing is looked for.
    """
    if not job.name or job.origin in ("activity", "event"):
        return ()
    sql = _SPECS if job.origin == "orchestrator" else _MADE
    found = session.query(sql, job.name, job_key, MOST)
    if not found:
        return ()
    held = _contents(session, [job_key, *(row[0] for row in found)])
    return tuple(
        SameSpec(job_id, namespace, origin, rfc3339(created_at))
        for key, job_id, namespace, origin, created_at, type_ in found
        if held[key] == held[job_key] and (type_ == job.type or "" in (type_, job.type))
    )


def _contents(session: Session, job_keys: list[int]) -> dict[int, set[Row]]:
    """Return what is compared of each job, as its newest version has it."""
    contents: dict[int, set[Row]] = {job_key: set() for job_key in job_keys}
    for sql in (_TASKS, _META, _LABELS):
        for job_key, task_no, name, value in session.among(sql, sorted(job_keys)):
            if sql is not _META or not name.startswith(RESERVED_PREFIX):
                contents[job_key].add((sql, task_no, name, value))
    return contents
