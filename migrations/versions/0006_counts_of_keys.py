"""Count the entries of a key pair by pair on PostgreSQL: it read all entries for each key.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

VIEW = """
CREATE OR REPLACE VIEW v_keys AS SELECT
    k."key" AS "key",
    (SELECT count(*) FROM meta_pairs p WHERE p.key_id = k.key_id) AS "distinct_values",
    {} AS "meta_count",
    {} AS "label_count"
    FROM meta_keys k"""
BY_PAIR = """(
        SELECT coalesce(sum((SELECT count(*) FROM {} e WHERE e.pair_id = p.pair_id)), 0)::bigint
        FROM meta_pairs p WHERE p.key_id = k.key_id)"""
BY_KEY = (
    "(SELECT count(*) FROM meta_pairs p JOIN {} e ON e.pair_id = p.pair_id"
    " WHERE p.key_id = k.key_id)"
)
TABLES = ("meta_entries", "label_entries")


def _define(count: str) -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(VIEW.format(*map(count.format, TABLES)))


def upgrade() -> None:
    _define(BY_PAIR)


def downgrade() -> None:
    _define(BY_KEY)
