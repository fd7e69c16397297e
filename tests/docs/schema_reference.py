"""Generate pages from a store: its tables and views with their comments, results of queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.schema.contract import CONTRACT, Promise
from tests.docs.blocks import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import sqlalchemy as sa

_CELL: Final = 44
"""Longest value that is shown whole."""
GROUPS: Final = {
    "schema-evidence": (
        "documents",
        "compression_dictionaries",
        "readings",
        "rejections",
        "rejection_resolutions",
        "rejection_dismissals",
    ),
    "schema-runs": ("imports", "import_results", "sources", "source_results", "questions"),
    "schema-jobs": (
        "jobs",
        "job_versions",
        "tasks",
        "observations",
        "executions",
        "job_events",
        "findings",
        "uses",
        "use_sets",
        "use_members",
        "current_jobs",
    ),
    "schema-meta": ("meta_keys", "meta_pairs", "meta_entries", "label_entries"),
    "schema-identity": (
        "identities",
        "attribution_rules",
        "attribution_sets",
        "attribution_members",
        "identity_aliases",
    ),
    "schema-ledger": ("ledger_entries", "ledger_keys", "checkpoints"),
    "schema-words": ("terms", "schema_comments", "contract", "writer_lock"),
}
"""Part of docs/schema.md: tables that it describes."""


class SchemaReference:
    """Comments on tables and columns that a store holds."""

    def __init__(self, connection: sa.Connection) -> None:
        rows = connection.exec_driver_sql(
            'SELECT relation, "column", comment FROM schema_comments'
        ).fetchall()
        self._comments = {(relation, column): comment for relation, column, comment in rows}
        self._columns = {
            relation: _columns(connection, relation) for relation in {row[0] for row in rows}
        }

    def views(self) -> str:
        """Describe every view with its columns, as the contract has them."""
        return "\n".join(
            f"### {view}\n\n{meaning}\n\n"
            + table(
                ("column", "type", "meaning", "fast by"),
                [(f"`{c.column}`", c.type, _meaning(c), c.fast_by) for c in promises],
            )
            for view, (meaning, promises) in CONTRACT.items()
        )

    def tables(self) -> set[str]:
        """Return the names of all tables."""
        return {name for name in self._columns if not name.startswith("v_")}

    def relations(self, names: Iterable[str]) -> str:
        """Describe some tables or views, each with its columns."""
        return "\n".join(self._relation(name) for name in names)

    def _relation(self, name: str) -> str:
        rows = [(f"`{column}`", self._comments[name, column]) for column in self._columns[name]]
        return f"### {name}\n\n{self._comments[name, '']}\n\n{table(('column', 'meaning'), rows)}"


def _meaning(promise: Promise) -> str:
    return f"{promise.meaning}, {promise.unit}" if promise.unit else promise.meaning


def _columns(connection: sa.Connection, relation: str) -> list[str]:
    return list(connection.exec_driver_sql(f"SELECT * FROM {relation} LIMIT 0").keys())


def as_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], stand_in: Callable[[str], str]
) -> str:
    """Align the columns of a result and cut long values."""
    lines = [tuple(header), *(tuple(_cell(value, stand_in) for value in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def _cell(value: object, stand_in: Callable[[str], str]) -> str:
    if value is None:
        return "NULL"
    text = stand_in(str(value))
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"
