"""Evaluate expressions of the find language in plain Python, over all rows of the views."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from meta_audit.nul import unescape_nul
from meta_audit.period import read_period as span
from meta_audit.search.expression import (
    All,
    AnyOf,
    Contains,
    Equals,
    Expression,
    Has,
    Is,
    Matches,
    Not,
    When,
)
from meta_audit.store.session import Session
from tests.query.random_store import FINGERPRINT, KEY

USE_FIELDS = {"module": "image", "result": "output"}
SMALL = str.maketrans({chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)})


@dataclass
class Facts:
    """All that is known of one job."""

    job_key: int
    job_id: str
    namespace: str
    name: str
    type: str
    state: str
    origin: str
    created: int | None
    modified: int | None
    entries: set[tuple[str, str, str]] = field(default_factory=set)
    """Level, key, value."""
    attributions: list[tuple[str, str, str, str]] = field(default_factory=list)
    told: set[tuple[str, Any]] = field(default_factory=set)
    """Fields that a document tells, with their values."""


def everything(session: Session) -> dict[int, Facts]:
    """Return the facts of every job, by its key."""
    jobs = [
        Facts(*row)
        for row in session.query("""
            SELECT c.job_key, j.job_id, c.namespace, coalesce(n.term, ''), c.type, c.state,
                c.origin, c.created_at, c.modified_at
            FROM current_jobs c JOIN jobs j ON j.job_key = c.job_key
            LEFT JOIN terms n ON n.term_id = c.name_id""")
    ]
    owners: dict[tuple[str, str], list[Facts]] = defaultdict(list)
    for job in jobs:
        owners[job.job_id, job.namespace].append(job)
    for job in jobs:
        if (job.job_id, "") not in {(j.job_id, j.namespace) for j in jobs}:
            owners[job.job_id, ""].append(job)

    def rows(columns: str, view: str) -> Any:
        sql = f"SELECT job_id, namespace, {columns} FROM {view}"
        for job_id, namespace, *row in session.query(sql):
            for job in owners[job_id, namespace]:
                yield job, [unescape_nul(c) if isinstance(c, str) else c for c in row]

    for job, (level, key, value) in rows("level, key, value", "v_meta"):
        if job.namespace:
            job.entries.add((level, key, value))
    for job, (key, value) in rows("key, value", "v_labels"):
        job.entries.add(("label", key, value))
    for job, row in rows("role, value, trust, verdict", "v_attributions"):
        job.attributions.append(tuple(row))
    for job, (execution, node) in rows("execution_id, node", "v_executions"):
        job.told |= {("execution", execution), ("node", node)}
    for job, (node,) in rows("node", "v_events"):
        job.told.add(("node", node))
    for job, (code, severity) in rows("code, severity", "v_findings"):
        job.told |= {("finding", code), ("finding", severity), ("finding", code.split(".")[0])}
    for job, (kind, value) in rows("kind, value", "v_uses"):
        job.told.add((USE_FIELDS.get(kind, kind), value))
    began = dict(session.query("SELECT import_id, started_at FROM imports"))
    for job, (number,) in rows("import_id", "v_observations"):
        job.told |= {("import", str(number)), ("seen", began[number])}
    return {job.job_key: job for job in jobs}


def matches(expression: Expression, job: Facts, now: int) -> bool:
    match expression:
        case All(parts):
            return all(matches(part, job, now) for part in parts)
        case AnyOf(parts):
            return any(matches(part, job, now) for part in parts)
        case Not(part):
            return not matches(part, job, now)
        case Equals(key, values, place):
            return any(v in values for k, v in _at(job, place) if k == key)
        case Matches(key, pattern, place):
            like = _regex(pattern)
            return any(like.fullmatch(v) for k, v in _at(job, place) if k == key)
        case Has(key, place):
            return any(k == key for k, _ in _at(job, place))
        case Contains(text):
            texts = [job.job_id, job.name, *(t for _, *pair in job.entries for t in pair)]
            return any(text.translate(SMALL) in one.translate(SMALL) for one in texts)
        case When(name, comparison, moment):
            times = (
                [value for kind, value in job.told if kind == "seen"]
                if name == "seen"
                else [getattr(job, name)]
            )
            start, end = span(moment, now=now)
            fits = {
                "<": lambda t: t < start,
                "<=": lambda t: t < end,
                ">": lambda t: t >= end,
                ">=": lambda t: t >= start,
                ":": lambda t: start <= t < end,
            }
            return any(fits[comparison](time) for time in times if time is not None)
        case Is(name, value):
            return _is(job, name, value)


def _at(job: Facts, place: str) -> list[tuple[str, str]]:
    levels = {"meta": ("job", "task")}.get(place, (place,))
    return [(key, value) for level, key, value in job.entries if level in levels]


def _is(job: Facts, name: str, value: str) -> bool:
    if name in ("namespace", "name", "type", "state", "origin"):
        return bool(getattr(job, name) == value)
    if name in ("image", "input", "output"):
        like = _regex(value if {"*", "?"} & set(value) else re.sub(r"\\", r"\\\\", value))
        return any(like.fullmatch(str(one)) for kind, one in job.told if kind == name)
    if name in ("node", "execution", "finding", "import"):
        return (name, value) in job.told
    for role, who, trust, verdict in job.attributions:
        kind = role.rpartition("_")[2]
        if name in ("client", "requester") and (role, who) == (name, value):
            return True
        if name == "key" and kind == "key" and value in (who, FINGERPRINT if who == KEY else who):
            return True
        if name == "installation" and kind in ("installation", "instance") and who == value:
            return True
        if name == "trust" and (role, trust) == ("client", value):
            return True
        if name == "verdict" and role in ("client", "requester") and verdict == value:
            return True
    return False


def _regex(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\\.|\\$|.", pattern, re.DOTALL)
    signs = {"*": ".*", "?": "."}
    return re.compile(
        "".join(signs.get(p) or re.escape(p[1:] if len(p) == 2 else p) for p in parts), re.DOTALL
    )
