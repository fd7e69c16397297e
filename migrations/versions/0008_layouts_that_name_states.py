"""Name states of executions by the layout of an orchestrator's job only, in two views.

The layout of a plain spec does not say which version of Bacalhau ran it.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NAMED = """CASE WHEN {0} THEN coalesce((
        SELECT CASE WHEN {1} >= 'v1.5.2' THEN
            CASE e.state WHEN 'unknown (6)' THEN 'Running' WHEN 'unknown (7)' THEN 'Publishing'
                WHEN 'unknown (8)' THEN 'BidRejected' ELSE 'Completed' END
        ELSE
            CASE e.state WHEN 'unknown (6)' THEN 'BidRejected' WHEN 'unknown (7)' THEN 'Completed'
                WHEN 'unknown (8)' THEN 'Failed' ELSE 'Cancelled' END
        END
        FROM current_jobs c
        JOIN job_versions w ON w.job_key = c.job_key AND w.version_no = c.version_no
        JOIN terms y ON y.term_id = w.layout_id
        WHERE c.job_key = j.job_key{2}), e.state) ELSE e.state END"""
OF_ANY = "y.term", ""
OF_ORCHESTRATORS = "replace(y.term, 'compute ', '')", " AND c.origin = 'orchestrator'"
"""How the layout of a job is read, and of which jobs."""
IS_NUMBER = "e.state IN ('unknown (6)', 'unknown (7)', 'unknown (8)', 'unknown (9)')"
NAMESPACE = "(SELECT term FROM terms WHERE term_id = j.namespace_id)"
SOURCE = """
    FROM {0} e
    JOIN jobs a ON a.job_key = e.job_key
    JOIN jobs j ON j.job_id = a.job_id AND (j.job_key = a.job_key) = EXISTS (
        SELECT 1 FROM current_jobs c WHERE c.job_key = a.job_key)
    JOIN identities i ON i.identity_id = e.node_id
    WHERE NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = e.document_id)"""
VIEWS = {
    "v_executions": (
        "executions",
        IS_NUMBER,
        (
            ("job_id", "j.job_id"),
            ("namespace", NAMESPACE),
            ("execution_id", "e.execution_id"),
            ("node", "i.value"),
            ("state", NAMED),
            ("desired_state", "e.desired_state"),
            ("message", "e.message"),
            ("created_at", "TIME(e.created_at)"),
            ("created_ns", "e.created_at"),
            ("modified_at", "TIME(e.modified_at)"),
            ("modified_ns", "e.modified_at"),
            ("entry_index", "e.document_id"),
            ("job_key", "j.job_key"),
        ),
    ),
    "v_events": (
        "job_events",
        f"e.kind = 'ExecutionLevel' AND {IS_NUMBER}",
        (
            ("job_id", "j.job_id"),
            ("namespace", NAMESPACE),
            ("time", "TIME(e.time)"),
            ("time_ns", "e.time"),
            ("kind", "e.kind"),
            ("execution_id", "e.execution_id"),
            ("node", "i.value"),
            ("state", NAMED),
            ("message", "e.message"),
            ("entry_index", "e.document_id"),
            ("job_key", "j.job_key"),
        ),
    ),
}
SECONDS = "({0} / 1000000000 - CASE WHEN {0} % 1000000000 < 0 THEN 1 ELSE 0 END)"
NANOSECONDS = "(({0} % 1000000000 + 1000000000) % 1000000000)"
TIME = {
    "sqlite": (
        f"strftime('%Y-%m-%dT%H:%M:%S', {SECONDS}, 'unixepoch') || printf('.%09dZ', {NANOSECONDS})"
    ),
    "postgresql": "to_timestamp(({0} / 1000)::double precision / 1000000)",
}


def _written(expression: str, dialect: str, state: str) -> str:
    """Write out `TIME(...)`, and how a state is named."""
    if expression.startswith("TIME("):
        return TIME[dialect].format(expression[5:-1])
    return state if expression == NAMED else expression


def _define(layout: tuple[str, str]) -> None:
    dialect = op.get_context().dialect.name
    make = "CREATE OR REPLACE VIEW" if dialect == "postgresql" else "CREATE VIEW"
    for view, (table, is_number, columns) in VIEWS.items():
        if dialect == "sqlite":
            op.execute(f"DROP VIEW {view}")
        state = NAMED.format(is_number, *layout)
        selected = ",\n    ".join(
            f'{_written(expression, dialect, state)} AS "{name}"' for name, expression in columns
        )
        statement = f"{make} {view} AS SELECT\n    {selected}{SOURCE.format(table)}"
        op.execute(sa.text(statement.replace(":", r"\:")))


def upgrade() -> None:
    _define(OF_ORCHESTRATORS)


def downgrade() -> None:
    _define(OF_ANY)
