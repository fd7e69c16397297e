"""A log of who asked what: auditors on PostgreSQL add to it, and the next checkpoint signs it.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

TABLE, VIEW = "questions", "v_questions"
COMMENT = "Who asked what of the store: a row for each question that was logged."
COLUMNS = (
    ("question_no", INT, "number of the question, from 1"),
    ("follows", INT, "number of the question before it, NULL for the first: so none is left out"),
    ("asked_at", INT, "when, by the clock of the server, ns"),
    ("role", TEXT, "role that logged in to the database"),
    ("actor", TEXT, "user@host that asked, as the program says"),
    ("command", TEXT, "command that asked"),
    ("arguments", TEXT, "its arguments, as JSON"),
)
DEFAULTS = {
    "asked_at": "(extract(epoch FROM clock_timestamp()) * 1000000000)::bigint",
    "role": "session_user",
}
"""What the server says itself: who may only insert has no right to these columns."""
MEANING = "Who asked what of the store."
# column, expression, meaning, type, unit, example, fast by
VIEW_COLUMNS = (
    ("question_no", "q.question_no", "number of the question", "integer", "", "1", "="),
    (
        "asked_at",
        "TIME",
        "when it was asked",
        "time",
        "UTC",
        "2024-11-02T02:00:00.123456000Z",
        "",
    ),
    (
        "asked_ns",
        "q.asked_at",
        "when it was asked",
        "integer",
        "ns since 1970",
        "1730512800123456000",
        "",
    ),
    ("role", "q.role", "role that logged in to the database", "text", "", "alice", ""),
    ("actor", "q.actor", "user@host, as the program says", "text", "", "ana@audit", ""),
    ("command", "q.command", "command that asked", "text", "", "trace", ""),
    ("arguments", "q.arguments", "its arguments, as JSON", "text", "", '["j-0c4f5a1e"]', ""),
)
TIME = {
    "sqlite": (
        "strftime('%Y-%m-%dT%H:%M:%S', (q.asked_at / 1000000000"
        " - CASE WHEN q.asked_at % 1000000000 < 0 THEN 1 ELSE 0 END), 'unixepoch')"
        " || printf('.%09dZ', ((q.asked_at % 1000000000 + 1000000000) % 1000000000))"
    ),
    "postgresql": "to_timestamp((q.asked_at / 1000)::double precision / 1000000)",
}
SINCE = 3
"""Version of the contract that first has the view."""
MODELS = {TABLE: "executions", VIEW: "v_executions"}
"""Relations whose owners and rights the new ones get."""
OWNERS = """
    SELECT pg_get_userbyid(c.relowner) FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = %s
        AND c.relowner <> current_user::regrole"""
RIGHTS = """
    SELECT a.privilege_type, CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee) END
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = %s
        AND a.grantee <> c.relowner"""


def _make_table(dialect: str) -> None:
    columns = [
        sa.Column(
            name,
            type_,
            *(
                [sa.ForeignKey("questions.question_no", name="fk_questions_follows")]
                * (name == "follows")
            ),
            nullable=name == "follows",
            autoincrement=False,
            comment=text,
        )
        for name, type_, text in COLUMNS
    ]
    op.create_table(
        TABLE,
        *columns,
        sa.PrimaryKeyConstraint("question_no", name="pk_questions"),
        sa.CheckConstraint(
            "coalesce(follows, 0) = question_no - 1", name=op.f("ck_questions_follows")
        ),
        sa.CheckConstraint(
            "length(actor) + length(command) + length(arguments) <= 100000",
            name=op.f("ck_questions_length"),
        ),
        comment=COMMENT,
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    if dialect == "postgresql":
        for column, default in DEFAULTS.items():
            literal = sa.text(default.replace(":", r"\:"))
            op.alter_column(TABLE, column, server_default=literal)
        op.execute(
            "CREATE TRIGGER tr_questions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
            " ON questions FOR EACH STATEMENT EXECUTE FUNCTION meta_audit_append_only()"
        )
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER tr_questions_{action.lower()} BEFORE {action} ON questions BEGIN"
            " SELECT RAISE(ABORT, 'meta-audit: questions is append-only'); END"
        )


def _make_view(dialect: str) -> None:
    selected = [
        f'{TIME[dialect] if expression == "TIME" else expression} AS "{name}"'
        for name, expression, *_ in VIEW_COLUMNS
    ]
    statement = f"CREATE VIEW {VIEW} AS SELECT\n    " + ",\n    ".join(selected)
    op.execute(sa.text(f"{statement}\n    FROM questions q".replace(":", r"\:")))


def _tell(dialect: str) -> None:
    """Write what table, view and columns mean, and what the view promises."""
    comments = [(TABLE, "", COMMENT), (VIEW, "", MEANING)]
    comments += [(TABLE, column, text) for column, _, text in COLUMNS]
    comments += [(VIEW, column, text) for column, _, text, *_ in VIEW_COLUMNS]
    promises = [(VIEW, "", "view", "", "", "")]
    promises += [(VIEW, column, *rest) for column, _, _, *rest in VIEW_COLUMNS]
    _insert("schema_comments", ("relation", "column", "comment"), comments)
    names = ("relation", "column", "type", "unit", "example", "fast_by", "since", "deprecated")
    _insert("contract", names, [(*row, SINCE, "") for row in promises])
    if dialect == "postgresql":
        for relation, column, text in comments:
            kind = "VIEW" if relation == VIEW else "TABLE"
            target = f'COLUMN {relation}."{column}"' if column else f"{kind} {relation}"
            literal = text.replace("'", "''").replace(":", r"\:")
            op.execute(sa.text(f"COMMENT ON {target} IS '{literal}'"))


def _insert(table: str, names: tuple[str, ...], rows: list[tuple]) -> None:
    target = sa.table(table, *(sa.column(name) for name in names))
    op.bulk_insert(target, [dict(zip(names, row, strict=True)) for row in rows])


def _give_rights() -> None:
    """Give the owners and rights of older relations. `db roles` gives auditors theirs."""
    query, quote = op.get_bind().exec_driver_sql, op.get_bind().dialect.identifier_preparer.quote
    for name, model in MODELS.items():
        for right, grantee in query(RIGHTS, (model,)).fetchall():
            if right in ("SELECT", "INSERT"):
                who = quote(grantee) if grantee else "PUBLIC"
                op.execute(f"GRANT {right} ON {name} TO {who}")
        for (owner,) in query(OWNERS, (model,)).fetchall():
            op.execute(f"ALTER TABLE {name} OWNER TO {quote(owner)}")


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    _make_table(dialect)
    _make_view(dialect)
    _tell(dialect)
    if dialect == "postgresql":
        _give_rights()
    else:
        op.execute("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('questions', NULL, '1000')")


def downgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT 1 FROM questions LIMIT 1")).first():
        raise RuntimeError("schema 0006 cannot hold the questions of this store: nothing changed")
    op.execute("DROP VIEW v_questions")
    op.drop_table(TABLE)
    for table in ("schema_comments", "contract"):
        rows = sa.table(table, sa.column("relation"))
        op.execute(rows.delete().where(rows.c.relation.in_((TABLE, VIEW))))
