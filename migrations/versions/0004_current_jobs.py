"""A row per job as it is now, kept by the writer: `v_jobs` shows it and is fast.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SMALL = sa.Integer()
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

CURRENT_JOBS = (
    "A row per job as it is now: what its newest document says. It follows from the other tables, "
    "so it may be updated. Jobs whose documents belong to another job have no row."
)
COLUMNS = (
    ("job_key", INT, "the job (jobs.job_key)"),
    ("document_id", INT, "the newest document (documents.document_id)"),
    (
        "version_no",
        SMALL,
        "version that it shows; 0 where only executions or events are known",
    ),
    ("versions", SMALL, "number of versions that live documents show"),
    ("created_at", INT, "CreateTime, ns"),
    ("modified_at", INT, "ModifyTime, ns"),
    ("revision", INT, "Revision"),
    ("version", INT, "Version as Bacalhau counts it"),
    ("namespace", TEXT, "namespace"),
    ("state", TEXT, "StateType"),
    ("type", TEXT, "batch, service, ops, daemon"),
    ("origin", TEXT, "orchestrator, submission, spec, event or activity"),
    ("name_id", SMALL, "name (terms.term_id), 0 for none"),
    ("client_id", SMALL, "best known client (identities.identity_id), 0 for none"),
    ("client_rule", SMALL, "how we know the client (attribution_rules.rule_id), 0 for none"),
    ("requester_id", SMALL, "best known requester (identities.identity_id), 0 for none"),
    (
        "requester_rule",
        SMALL,
        "how we know the requester (attribution_rules.rule_id), 0 for none",
    ),
    ("first_import", SMALL, "import that first showed the job (imports.import_id)"),
    ("last_import", SMALL, "import that last brought a document of it (imports.import_id)"),
)
NULLABLE = ("created_at", "modified_at")
INDEXES = (
    ("created_at",),
    ("client_id", "created_at"),
    ("requester_id", "created_at"),
    ("name_id", "created_at"),
    ("namespace", "created_at"),
    ("state", "created_at"),
)
FILL = """
    WITH live AS (
        SELECT o.job_key, o.document_id, o.version_no, o.state_id, o.revision, o.modified_at,
            w.created_at, w.version, w.name_id, w.type_id, w.attribution_set,
            origin.term AS origin, row_number() OVER (PARTITION BY o.job_key ORDER BY
                CASE origin.term WHEN 'orchestrator' THEN 4 WHEN 'event' THEN 3
                    WHEN 'submission' THEN 2 WHEN 'spec' THEN 1 ELSE 0 END DESC,
                coalesce(w.version, 0) DESC, coalesce(o.modified_at, 0) DESC, o.revision DESC,
                coalesce(layout.term, '') DESC, w.spec_sha256 DESC, d.sha256 DESC) AS place
        FROM observations o
        LEFT JOIN job_versions w ON w.job_key = o.job_key AND w.version_no = o.version_no
        LEFT JOIN terms origin ON origin.term_id = w.origin_id
        LEFT JOIN terms layout ON layout.term_id = w.layout_id
        JOIN documents d ON d.document_id = o.document_id
        WHERE NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = o.document_id)),
    who AS (
        SELECT m.set_id, r.role, m.identity_id, m.rule_id, row_number() OVER (
            PARTITION BY m.set_id, r.role ORDER BY CASE r.trust WHEN 'proven' THEN 0
                WHEN 'server' THEN 1 WHEN 'claimed' THEN 2 WHEN 'inferred' THEN 3
                WHEN 'unsubmitted' THEN 4 END, r.basis, i.value, r.verdict) AS place
        FROM attribution_members m
        JOIN attribution_rules r ON r.rule_id = m.rule_id AND r.role IN ('client', 'requester')
        JOIN identities i ON i.identity_id = m.identity_id)
    INSERT INTO current_jobs
    SELECT n.job_key, n.document_id, n.version_no,
        (SELECT count(DISTINCT o.version_no) FROM observations o
         WHERE o.job_key = n.job_key AND o.version_no > 0
            AND NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = o.document_id)),
        n.created_at, n.modified_at, n.revision, coalesce(n.version, 0),
        (SELECT term FROM terms WHERE term_id = j.namespace_id),
        (SELECT term FROM terms WHERE term_id = n.state_id),
        coalesce((SELECT term FROM terms WHERE term_id = n.type_id), ''),
        coalesce(n.origin, 'activity'), coalesce(n.name_id, 0),
        coalesce(client.identity_id, 0), coalesce(client.rule_id, 0),
        coalesce(requester.identity_id, 0), coalesce(requester.rule_id, 0),
        (SELECT min(s.import_id) FROM observations o JOIN sources s ON s.source_id = o.source_id
         WHERE o.job_key = n.job_key),
        (SELECT max(s.import_id) FROM observations o JOIN sources s ON s.source_id = o.source_id
         WHERE o.job_key = n.job_key)
    FROM live n
    JOIN jobs j ON j.job_key = n.job_key
    LEFT JOIN who client
        ON client.set_id = n.attribution_set AND client.role = 'client' AND client.place = 1
    LEFT JOIN who requester ON requester.set_id = n.attribution_set
        AND requester.role = 'requester' AND requester.place = 1
    WHERE n.place = 1 AND NOT (
        (SELECT term FROM terms WHERE term_id = j.namespace_id) = ''
        AND EXISTS (
            SELECT 1 FROM jobs b WHERE b.job_id = j.job_id AND b.job_key <> j.job_key AND (
                NOT EXISTS (SELECT 1 FROM job_versions w WHERE w.job_key = j.job_key)
                OR EXISTS (
                    SELECT 1 FROM job_versions w
                    JOIN terms g ON g.term_id = w.origin_id AND g.term = 'orchestrator'
                    WHERE w.job_key = b.job_key))))
    ORDER BY n.job_key"""

SECONDS = "({0} / 1000000000 - CASE WHEN {0} % 1000000000 < 0 THEN 1 ELSE 0 END)"
NANOSECONDS = "(({0} % 1000000000 + 1000000000) % 1000000000)"
TIME = {
    "sqlite": (
        f"strftime('%Y-%m-%dT%H:%M:%S', {SECONDS}, 'unixepoch') || printf('.%09dZ', {NANOSECONDS})"
    ),
    "postgresql": (
        f"to_char(to_timestamp({SECONDS}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')"
        f" || '.' || lpad({NANOSECONDS}::text, 9, '0') || 'Z'"
    ),
}
RULE = "(SELECT {0} FROM attribution_rules WHERE rule_id = c.{1}_rule)"
OBSERVATION = "FROM observations o WHERE o.job_key = c.job_key AND o.document_id = c.document_id"
SPEC = "FROM job_versions v WHERE v.job_key = c.job_key AND v.version_no = c.version_no"

# name: (meaning, ((column, expression, meaning), ...), FROM ...)
VIEWS = {
    "v_jobs": (
        "A row per job: its newest version, in its newest state. A spec never hides what an "
        "orchestrator says, and of equal times the greater hash counts, not the order of arrival.",
        (
            ("job_id", "j.job_id", "ID of the job"),
            ("namespace", "c.namespace", "namespace of the job"),
            ("name", "n.term", "name"),
            ("type", "c.type", "batch, service, ops, daemon"),
            ("state", "c.state", "newest state that was seen"),
            (
                "state_message",
                f"(SELECT t.term {OBSERVATION.replace(' WHERE', ' JOIN terms t ON t.term_id = o.message_id WHERE')})",
                "message of that state",
            ),
            ("client", "x.value", "client that sent it: the best known"),
            ("client_trust", RULE.format("trust", "client"), "trust in that client"),
            ("client_verdict", RULE.format("verdict", "client"), "verdict on that client"),
            ("requester", "y.value", "node that accepted the job: the best known"),
            ("requester_trust", RULE.format("trust", "requester"), "trust in that node"),
            ("requester_verdict", RULE.format("verdict", "requester"), "verdict on that node"),
            ("created_at", "TIME(c.created_at)", "creation, RFC 3339 UTC"),
            ("modified_at", "TIME(c.modified_at)", "last change seen, RFC 3339 UTC"),
            (
                "first_seen",
                "(SELECT TIME(m.started_at) FROM imports m WHERE m.import_id = c.first_import)",
                "when the import began that first showed it, RFC 3339 UTC",
            ),
            (
                "last_seen",
                "(SELECT TIME(m.started_at) FROM imports m WHERE m.import_id = c.last_import)",
                "when the import began that last brought something of it, RFC 3339 UTC",
            ),
            ("version", "c.version", "Version as Bacalhau counts it"),
            ("revision", "c.revision", "Revision as Bacalhau counts it"),
            ("version_no", "c.version_no", "newest version in this store, from 1"),
            ("versions", "c.versions", "number of its versions in this store"),
            ("origin", "c.origin", "orchestrator, submission, spec or event"),
            (
                "layout",
                f"(SELECT t.term {SPEC.replace(' WHERE', ' JOIN terms t ON t.term_id = v.layout_id WHERE')})",
                "Bacalhau version that first wrote this layout",
            ),
            ("priority", f"(SELECT v.priority {SPEC})", "priority"),
            ("count", f'(SELECT v."count" {SPEC})', "number of executions asked for"),
            ("created_ns", "c.created_at", "creation, ns since 1970 UTC"),
            ("modified_ns", "c.modified_at", "last change seen, ns since 1970 UTC"),
            ("entry_index", "c.document_id", "ledger index of its newest document"),
            ("first_import", "c.first_import", "import that first showed it"),
            ("last_import", "c.last_import", "import that last brought something of it"),
            ("job_key", "c.job_key", "number of the job in this store"),
        ),
        """
    FROM current_jobs c
    JOIN jobs j ON j.job_key = c.job_key
    LEFT JOIN terms n ON n.term_id = c.name_id
    LEFT JOIN identities x ON x.identity_id = c.client_id
    LEFT JOIN identities y ON y.identity_id = c.requester_id
    WHERE c.version_no > 0""",
    ),
}


def _sql(text: str, dialect: str) -> str:
    """Write out `TIME(column)`."""
    before, _, rest = text.partition("TIME(")
    if not rest:
        return text
    column, _, after = rest.partition(")")
    return before + TIME[dialect].format(column) + after


def _make_views(dialect: str) -> None:
    for name, (_, columns, source) in VIEWS.items():
        selected = ",\n    ".join(f'{_sql(e, dialect)} AS "{c}"' for c, e, _ in columns)
        statement = f"CREATE VIEW {name} AS SELECT\n    {selected}{source}"
        op.execute(sa.text(statement.replace(":", r"\:")))


def _comment(dialect: str, views: dict, rows: list[tuple[str, str, str]]) -> None:
    for name, (meaning, columns, _) in views.items():
        rows.append((name, "", meaning))
        rows += [(name, column, text) for column, _, text in columns]
    comments = sa.table(
        "schema_comments", *(sa.column(c) for c in ("relation", "column", "comment"))
    )
    op.execute(comments.delete().where(comments.c.relation.in_([*views, *LIKE])))
    op.bulk_insert(
        comments,
        [dict(zip(("relation", "column", "comment"), row, strict=True)) for row in rows],
    )
    if dialect == "postgresql":
        for relation, column, text in rows:
            kind = "VIEW" if relation in views else "TABLE"
            target = f'COLUMN {relation}."{column}"' if column else f"{kind} {relation}"
            literal = text.replace("'", "''").replace(":", r"\:")
            op.execute(sa.text(f"COMMENT ON {target} IS '{literal}'"))


LIKE = {"current_jobs": "jobs"}
"""Tables that are new, and those whose owner and readers they get."""
OWNERS = """
    SELECT c.relname, pg_get_userbyid(c.relowner) FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%s)
        AND c.relowner <> current_user::regrole"""
RIGHTS = """
    SELECT c.relname, a.privilege_type,
        CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee) END
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%s)
        AND a.grantee <> c.relowner"""


def _rights(dialect: str) -> list[str]:
    """Return SQL that gives owners and rights again, after views and tables were made."""
    if dialect != "postgresql":
        return []
    new = {old: table for table, old in LIKE.items()}
    names = ([*VIEWS, *new],)
    query, quote = op.get_bind().exec_driver_sql, op.get_bind().dialect.identifier_preparer.quote
    given = []
    for relation, right, grantee in query(RIGHTS, names):
        who = quote(grantee) if grantee else "PUBLIC"
        if relation in VIEWS:
            given.append(f"GRANT {right} ON {relation} TO {who}")
        elif right in ("SELECT", "INSERT"):
            replace = ", DELETE" if right == "INSERT" else ""
            given.append(f"GRANT {right}{replace} ON {new[relation]} TO {who}")
    for relation, owner in query(OWNERS, names):
        given.append(f"ALTER TABLE {new.get(relation, relation)} OWNER TO {quote(owner)}")
    return given


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    rights = _rights(dialect)
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
    op.create_table(
        "current_jobs",
        *(
            sa.Column(name, type_, nullable=name in NULLABLE, autoincrement=False, comment=text)
            for name, type_, text in COLUMNS
        ),
        sa.PrimaryKeyConstraint("job_key", name="pk_current_jobs"),
        comment=CURRENT_JOBS,
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    op.execute(FILL)
    for columns in INDEXES:
        name = "_".join(("ix_current_jobs", *columns))
        op.create_index(name, "current_jobs", list(columns))
    _make_views(dialect)
    rows = [("current_jobs", "", CURRENT_JOBS)]
    _comment(dialect, VIEWS, rows + [("current_jobs", name, text) for name, _, text in COLUMNS])
    for statement in rights:
        op.execute(statement)


def downgrade() -> None:
    dialect = op.get_context().dialect.name
    older = op.get_context().environment_context.script.get_revision("0002").module
    rights = _rights(dialect)
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
    op.drop_table("current_jobs")
    views = {name: older.VIEWS[name] for name in VIEWS}
    older._make_views(dialect, views, older.TIME, "CREATE")
    _comment(dialect, views, [])
    for statement in rights:
        if "current_jobs" not in statement:
            op.execute(statement)
