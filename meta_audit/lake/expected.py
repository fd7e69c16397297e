"""Say which rows of a lake's tables an entry of the ledger stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.catalogue import FINDINGS
from meta_audit.execution_state import is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meta_audit.ledger.entry import AcceptedEntry

Rows = list[tuple[object, ...]]
OF_VERSIONS: Final[dict[str, tuple[str, ...]]] = {
    "v_versions": ("name", "version", "origin", "layout", "created_ns", "spec_sha256"),
    "v_tasks": ("task_no", "task", "engine", "publisher"),
    "v_meta": ("level", "task_no", "task", "key", "value"),
    "v_labels": ("key", "value"),
    "v_attributions": ("role", "value", "basis", "trust", "verdict"),
}
"""Tables with rows of a version of a job, and the columns that an entry says."""
OF_DOCUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "v_observations": (
        *("state", "state_message", "revision", "modified_ns", "document_sha256", "source"),
        *("ordinal", "line"),
    ),
    "v_executions": (
        *("execution_id", "node", "state", "desired_state", "message", "created_ns"),
        "modified_ns",
    ),
    "v_events": ("time_ns", "kind", "execution_id", "node", "state", "message"),
    "v_findings": ("code", "severity", "detail"),
    "v_uses": ("task_no", "kind", "type", "value", "target"),
}
"""Tables with rows of a document, and the columns that an entry says."""


def of_version(table: str, entry: AcceptedEntry) -> Rows:
    """Return the rows of the version that an entry shows."""
    if table == "v_versions":
        head = entry.name, entry.version, entry.origin, entry.layout, entry.created_at
        return [(*head, entry.spec_sha256.hex())]
    if table == "v_tasks":
        return [(number, *task[:3]) for number, task in enumerate(entry.tasks, 1)]
    if table == "v_labels":
        return [tuple(pair) for pair in entry.labels]
    if table == "v_attributions":
        return [(role, value, *how) for role, value, *how in entry.attributions]
    rows: Rows = [("job", 0, None, *pair) for pair in entry.meta]
    for number, (name, _, _, pairs) in enumerate(entry.tasks, 1):
        rows += [("task", number, name, *pair) for pair in pairs]
    return rows


def of_document(table: str, entry: AcceptedEntry) -> Rows:
    """Return the rows of the document of an entry."""
    if table == "v_observations":
        state = entry.state, entry.state_message, entry.revision, entry.modified_at
        where = entry.source_uri, entry.ordinal, entry.line
        return [(*state, entry.document.hex(), *where)]
    if table == "v_executions":
        return [tuple(row) for row in entry.executions]
    if table == "v_events":
        return [tuple(row) for row in entry.events]
    if table == "v_findings":
        return [(code, FINDINGS[code].severity, detail) for code, detail in entry.findings]
    return [(u.task_no, u.kind, u.type, u.value, u.target) for u in entry.used]


def without_named_states(table: str, rows: Iterable[tuple[object, ...]]) -> Rows:
    """Return rows without the states of executions that a view names by the layout of the job."""
    if table not in ("v_executions", "v_events"):
        return list(rows)
    at = OF_DOCUMENTS[table].index("state")
    return [(*row[:at], *row[at + 1 :]) for row in rows]


def has_number(entry: AcceptedEntry) -> bool:
    """Tell whether a state of an execution is a number that a view may name."""
    told = [str(row[2]) for row in entry.executions] + [str(row[4]) for row in entry.events]
    return any(is_unknown(state) for state in told)
