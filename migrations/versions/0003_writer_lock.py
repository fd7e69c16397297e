"""A row that the writer locks: an advisory lock could be taken by anyone who may connect.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COMMENT = (
    "The row that the writer of the store locks on PostgreSQL, so that there is one at a time and "
    "only who may import can keep others out. It says nothing."
)
COMMENTS = {"": COMMENT, "lock_id": "1"}


def upgrade() -> None:
    op.create_table(
        "writer_lock",
        sa.Column("lock_id", INT, nullable=False, autoincrement=False, comment="1"),
        sa.PrimaryKeyConstraint("lock_id", name="pk_writer_lock"),
        comment=COMMENT,
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    op.execute("INSERT INTO writer_lock (lock_id) VALUES (1)")
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER tr_writer_lock_append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
            " ON writer_lock FOR EACH STATEMENT EXECUTE FUNCTION meta_audit_append_only()"
        )
    else:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER tr_writer_lock_{action.lower()} BEFORE {action} ON writer_lock"
                " BEGIN SELECT RAISE(ABORT, 'meta-audit: writer_lock is append-only'); END"
            )
    insert = sa.text(
        'INSERT INTO schema_comments (relation, "column", comment) VALUES (:r, :c, :t)'
    )
    for column, comment in COMMENTS.items():
        op.execute(insert.bindparams(r="writer_lock", c=column, t=comment))


def downgrade() -> None:
    op.execute("DELETE FROM schema_comments WHERE relation = 'writer_lock'")
    op.drop_table("writer_lock")
