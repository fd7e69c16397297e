"""Count the jobs and executions of each compute node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import field

from meta_audit.answer import Answer
from meta_audit.query.aliases import names_of
from meta_audit.query.live import live_entry
from meta_audit.query.selection import OWNED, OWNER, Selection, total
from meta_audit.query.texts import exact, rfc3339

if TYPE_CHECKING:
    from meta_audit.store.session import Session

NODES_FORMAT: Final = "meta-audit/nodes/1"

TOLD: Final = f"""
    SELECT e.job_key, e.node_id, e.execution_id, coalesce(e.created_at, e.modified_at) AS began,
        coalesce(e.modified_at, e.created_at) AS ended
    FROM executions e WHERE {live_entry("e")}
    UNION ALL
    SELECT v.job_key, v.node_id, v.execution_id, v.time, v.time
    FROM job_events v WHERE {live_entry("v")}"""  # noqa: S608
"""All that tells of a node: executions, and events of them."""
_COUNTS: Final = f"""
    SELECT i.value AS name, count(DISTINCT {OWNER.format("t")}) AS jobs,
        count(DISTINCT CASE WHEN t.execution_id <> '' THEN t.execution_id END) AS executions,
        min(t.began) AS first_at, max(t.ended) AS last_at
    FROM ({TOLD}) t
    JOIN identities i ON i.identity_id = t.node_id {OWNED.format("t")}
    WHERE i.value <> '' AND {{within}}
    GROUP BY i.identity_id, i.value"""  # noqa: S608


class NodeCount(Answer, frozen=True):
    """Count what is known of a compute node."""

    value: str
    jobs: int
    executions: int
    """Distinct executions, also those that the node was only asked for."""
    first_at: str | None
    """First time that an execution or event states."""
    last_at: str | None


class NodeCounts(Answer, frozen=True):
    """List the compute nodes."""

    format: str
    nodes: tuple[NodeCount, ...]
    total: int
    """Number of nodes, beyond the limit too."""
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names that people gave to them, at any time."""


def node_counts(session: Session, wanted: Selection) -> NodeCounts:
    """Return the nodes that executions and events name."""
    within, parameters = wanted.within("t.began")
    rows = session.query(wanted.ordered(_COUNTS.format(within=within)), *parameters)
    found = tuple(
        NodeCount(value, jobs, executions, rfc3339(first), rfc3339(last))
        for value, jobs, executions, first, last, _ in rows
    )
    names = names_of(session, [one.value for one in found])
    return exact(NodeCounts(NODES_FORMAT, found, total(rows), names))
