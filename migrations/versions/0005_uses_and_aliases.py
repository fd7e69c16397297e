"""What jobs use (images, modules, inputs, outputs, results, resources), and names of identities.

Documents of older stores get their uses by `meta-audit reread`.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# name: (comment, clustered, ((column, type, comment), ...), columns of the primary key)
TABLES = {
    "uses": (
        "Each distinct thing that a job runs, reads, writes or asks for, or that an execution "
        "published, once.",
        False,
        (
            ("use_id", INT, "number of the use, from 1"),
            (
                "digest",
                sa.LargeBinary(),
                "first 16 bytes of the SHA-256 of kind:type_id:value_id:target_id",
            ),
            ("kind", TEXT, "image, module, input, output, result or resource"),
            (
                "type_id",
                INT,
                "type of storage, or CPU, Memory, Disk, GPU (terms.term_id)",
            ),
            ("value_id", INT, "image, CID, URL, s3://bucket/key, path, amount (terms.term_id)"),
            (
                "target_id",
                INT,
                "path in the task, or name; of a result its execution (terms.term_id)",
            ),
        ),
        1,
    ),
    "use_sets": (
        "Each distinct list of uses that a document has, once.",
        False,
        (
            ("set_id", INT, "number of the list, from 1"),
            (
                "digest",
                sa.LargeBinary(),
                "first 16 bytes of the SHA-256 of its members, as task_no:use_id, in their order, "
                "joined by commas",
            ),
        ),
        1,
    ),
    "use_members": (
        "The uses of each list.",
        True,
        (
            ("set_id", INT, "the list (use_sets.set_id)"),
            ("position", INT, "place in the list, from 1"),
            ("task_no", INT, "the task (tasks.task_no), 0 for a result"),
            ("use_id", INT, "the use (uses.use_id)"),
        ),
        2,
    ),
    "identity_aliases": (
        "Names that people gave to identities, for a time. A row may take back an older one.",
        False,
        (
            ("alias_no", INT, "number of the row, from 1 in order of arrival"),
            ("import_id", INT, "the run that said so: who and when"),
            ("identity", TEXT, "the ID or key, exactly"),
            ("name", TEXT, "name of the person or team"),
            ("valid_from", INT, "from when on, ns"),
            ("valid_until", INT, "until before when, ns"),
            ("reason", TEXT, "how it is known, or empty"),
            ("withdraws", INT, "alias_no of the row that this one takes back, 0 for none"),
        ),
        1,
    ),
}
NULLABLE = ("valid_from", "valid_until")
INDEXES = {
    "observations": ("use_set", "job_key"),
    "uses": ("value_id",),
    "use_members": ("use_id",),
    "identity_aliases": ("identity",),
}
UNIQUE = {"uses": "digest", "use_sets": "digest"}
USE_SET = "uses that the document tells of (use_members.set_id), 0 for none"

SECONDS = "({0} / 1000000000 - CASE WHEN {0} % 1000000000 < 0 THEN 1 ELSE 0 END)"
NANOSECONDS = "(({0} % 1000000000 + 1000000000) % 1000000000)"
TIME = {
    "sqlite": (
        f"strftime('%Y-%m-%dT%H:%M:%S', {SECONDS}, 'unixepoch') || printf('.%09dZ', {NANOSECONDS})"
    ),
    "postgresql": "to_timestamp(({0} / 1000)::double precision / 1000000)",
}
TASK = """(SELECT x.term FROM tasks t JOIN terms x ON x.term_id = t.name_id
        WHERE t.job_key = e.job_key AND t.version_no = e.version_no AND t.task_no = m.task_no)"""
# name: (meaning, ((column, expression, meaning, type, unit, example, fast by), ...), FROM ...)
VIEWS = {
    "v_uses": (
        "A row per image, module, input, output, result and resource in every document that "
        "names one.",
        (
            (
                "job_id",
                "j.job_id",
                "ID of the job",
                "text",
                "",
                "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e",
                "=",
            ),
            (
                "namespace",
                "(SELECT term FROM terms WHERE term_id = j.namespace_id)",
                "namespace of the job",
                "text",
                "",
                "default",
                "",
            ),
            ("task_no", "m.task_no", "place of the task, 0 for a result", "integer", "", "1", ""),
            ("task", TASK, "name of the task, or NULL", "text", "", "main", ""),
            (
                "kind",
                "u.kind",
                "image, module, input, output, result or resource",
                "text",
                "",
                "image",
                "",
            ),
            (
                "type",
                "y.term",
                "type of storage as it is written, or CPU, Memory, Disk, GPU",
                "text",
                "",
                "s3",
                "",
            ),
            (
                "value",
                "v.term",
                "image, CID, URL, s3://bucket/key, path, amount",
                "text",
                "",
                "ubuntu:22.04",
                "=",
            ),
            (
                "target",
                "g.term",
                "path in the task, or name; of a result the ID of its execution",
                "text",
                "",
                "/inputs",
                "",
            ),
            (
                "entry_index",
                "e.document_id",
                "ledger index of the document",
                "integer",
                "",
                "12",
                "",
            ),
            (
                "job_key",
                "j.job_key",
                "number of the job in this store; joins views fast",
                "integer",
                "",
                "7",
                "=",
            ),
        ),
        """
    FROM observations e
    JOIN jobs a ON a.job_key = e.job_key
    JOIN jobs j ON j.job_id = a.job_id AND (j.job_key = a.job_key) = EXISTS (
        SELECT 1 FROM current_jobs c WHERE c.job_key = a.job_key)
    JOIN use_members m ON m.set_id = e.use_set
    JOIN uses u ON u.use_id = m.use_id
    JOIN terms v ON v.term_id = u.value_id
    JOIN terms y ON y.term_id = u.type_id
    JOIN terms g ON g.term_id = u.target_id
    WHERE NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = e.document_id)""",
    ),
    "v_aliases": (
        "Names that people gave to identities, without those that were taken back.",
        (
            ("alias_no", "a.alias_no", "number of the alias", "integer", "", "1", ""),
            (
                "identity",
                "a.identity",
                "ID or key that it names",
                "text",
                "",
                "07bde6e8241b19d5...",
                "=",
            ),
            ("name", "a.name", "name of the person or team", "text", "", "Genomics team", ""),
            (
                "valid_from",
                "TIME(a.valid_from)",
                "from when on, or NULL",
                "time",
                "UTC",
                "2024-11-02T00:00:00.000000000Z",
                "",
            ),
            (
                "valid_from_ns",
                "a.valid_from",
                "from when on, or NULL",
                "integer",
                "ns since 1970",
                "1730505600000000000",
                "",
            ),
            (
                "valid_until",
                "TIME(a.valid_until)",
                "until before when, or NULL",
                "time",
                "UTC",
                "2025-01-01T00:00:00.000000000Z",
                "",
            ),
            (
                "valid_until_ns",
                "a.valid_until",
                "until before when, or NULL",
                "integer",
                "ns since 1970",
                "1735689600000000000",
                "",
            ),
            ("reason", "a.reason", "how it is known, or empty", "text", "", "ticket 42", ""),
            ("import_id", "a.import_id", "the run that said so", "integer", "", "1", ""),
            ("actor", "m.actor", "user@host that said so", "text", "", "ana@audit", ""),
            (
                "said_at",
                "TIME(m.started_at)",
                "when it was said",
                "time",
                "UTC",
                "2024-11-02T02:00:00.123456789Z",
                "",
            ),
            (
                "said_ns",
                "m.started_at",
                "when it was said",
                "integer",
                "ns since 1970",
                "1730512800123456789",
                "",
            ),
        ),
        """
    FROM identity_aliases a JOIN imports m ON m.import_id = a.import_id
    WHERE a.withdraws = 0
        AND NOT EXISTS (SELECT 1 FROM identity_aliases w WHERE w.withdraws = a.alias_no)""",
    ),
}
SINCE = 2
"""Version of the contract that first has these views."""
CONTRACT_VIEW = """VIEW v_contract AS SELECT
    p.relation AS "relation",
    p."column" AS "column",
    (SELECT s.comment FROM schema_comments s WHERE s.relation = p.relation AND s."column" = \
p."column") AS "meaning",
    p.type AS "type",
    p.unit AS "unit",
    p.example AS "example",
    p.since AS "since",
    p.deprecated AS "deprecated",
    p.fast_by AS "fast_by",
    {} AS "contract"
    FROM contract p"""
NEWEST = "CAST((SELECT max(since) FROM contract) AS INTEGER)"
"""The version of the contract: no migration needs to write it again."""
STATISTICS = {
    "uses": {"": "2000", "value_id": "2000 2"},
    "use_sets": {"": "200000"},
    "use_members": {"use_members": "800000 4 1", "use_id": "800000 400"},
    "observations": {"observations": "1500000 2 1", "use_set_job_key": "1500000 7 2 1"},
    "identity_aliases": {"": "100", "identity": "100 2"},
}
"""As in 0004: what ANALYZE would find in a store of a million jobs."""
LOST = {"uses": "uses", "identity_aliases": "aliases"}
OBSERVATIONS = "Each document's sight of a job: its version, its state, and where that stood."
TERM = " (terms.term_id)"
OLD_COLUMNS = (
    ("job_key", "the job (jobs.job_key)"),
    ("document_id", "the document (documents.document_id)"),
    ("version_no", "version seen; 0 for executions or events without the job"),
    ("state_id", "StateType" + TERM),
    ("message_id", "message of the state" + TERM),
    ("revision", "Revision"),
    ("modified_at", "ModifyTime, ns"),
    ("source_id", "where it was first seen (sources.source_id)"),
    ("ordinal", "number of the document in the source, from 1"),
    ("line", "line of the source, from 1"),
)


OWNERS = """
    SELECT pg_get_userbyid(c.relowner) FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = %s
        AND c.relowner <> current_user::regrole"""
RIGHTS = """
    SELECT a.privilege_type, CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee) END
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = %s
        AND a.grantee <> c.relowner"""


def _rights(dialect: str, new: dict[str, str]) -> list[str]:
    """Return SQL that gives new relations the owners and rights of those that they are like."""
    if dialect != "postgresql":
        return []
    query, quote = op.get_bind().exec_driver_sql, op.get_bind().dialect.identifier_preparer.quote
    given = []
    for name, model in new.items():
        for right, grantee in query(RIGHTS, (model,)):
            if right in ("SELECT", "INSERT"):
                who = quote(grantee) if grantee else "PUBLIC"
                given.append(f"GRANT {right} ON {name} TO {who}")
        given += [
            f"ALTER TABLE {name} OWNER TO {quote(owner)}" for (owner,) in query(OWNERS, (model,))
        ]
    return given


def _make_tables() -> None:
    for name, (comment, clustered, columns, key) in TABLES.items():
        items = [
            sa.Column(
                column,
                type_,
                *(
                    [sa.ForeignKey("imports.import_id", name=f"fk_{name}_import_id")]
                    * (column == "import_id")
                ),
                nullable=column in NULLABLE,
                autoincrement=False,
                comment=text,
            )
            for column, type_, text in columns
        ]
        items.append(sa.PrimaryKeyConstraint(*(c for c, _, _ in columns[:key]), name=f"pk_{name}"))
        if name in UNIQUE:
            items.append(sa.UniqueConstraint(UNIQUE[name], name=f"uq_{name}_{UNIQUE[name]}"))
        op.create_table(
            name, *items, comment=comment, sqlite_strict=True, sqlite_with_rowid=not clustered
        )
    for table, columns in INDEXES.items():
        op.create_index("_".join(("ix", table, *columns)), table, list(columns))


def _observations(*, old: bool) -> list[sa.schema.SchemaItem]:
    """Return columns and constraints of observations."""
    columns = OLD_COLUMNS if old else (*OLD_COLUMNS, ("use_set", USE_SET))
    items: list[sa.schema.SchemaItem] = [
        sa.Column(name, INT, nullable=name == "modified_at", autoincrement=False, comment=text)
        for name, text in columns
    ]
    return [*items, sa.PrimaryKeyConstraint("job_key", "document_id", name="pk_observations")]


def _rebuild_observations(*, old: bool) -> None:
    """Make the table of SQLite anew: its rows wait beside it. Views keep their text."""
    names = ", ".join(name for name, _ in OLD_COLUMNS)
    added = "" if old else ", 0 AS use_set"
    op.execute(f"CREATE TEMPORARY TABLE kept AS SELECT {names}{added} FROM observations")
    op.drop_table("observations")
    op.create_table(
        "observations",
        *_observations(old=old),
        comment=OBSERVATIONS,
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO observations SELECT * FROM kept ORDER BY 1, 2")
    op.execute("DROP TABLE kept")
    _make_triggers("sqlite", ("observations",))


def _make_triggers(dialect: str, tables: tuple[str, ...]) -> None:
    for table in tables:
        if dialect == "postgresql":
            op.execute(
                f"CREATE TRIGGER tr_{table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
                f" ON {table} FOR EACH STATEMENT EXECUTE FUNCTION meta_audit_append_only()"
            )
            continue
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER tr_{table}_{action.lower()} BEFORE {action} ON {table} BEGIN"
                f" SELECT RAISE(ABORT, 'meta-audit: {table} is append-only'); END"
            )


def _sql(expression: str, dialect: str) -> str:
    is_time = expression.startswith("TIME(")
    return TIME[dialect].format(expression[5:-1]) if is_time else expression


def _make_views(dialect: str) -> None:
    for view, (_, columns, source) in VIEWS.items():
        selected = [f'{_sql(expression, dialect)} AS "{name}"' for name, expression, *_ in columns]
        statement = f"CREATE VIEW {view} AS SELECT\n    " + ",\n    ".join(selected) + source
        op.execute(sa.text(statement.replace(":", r"\:")))


def _tell(dialect: str) -> None:
    """Write what tables, views and columns mean, and what the views promise."""
    comments, promises = [("observations", "use_set", USE_SET)], []
    for name, (comment, _, columns, _) in TABLES.items():
        comments.append((name, "", comment))
        comments += [(name, column, text) for column, _, text in columns]
    for name, (meaning, columns, _) in VIEWS.items():
        comments.append((name, "", meaning))
        promises.append((name, "", "view", "", "", ""))
        for column, _, text, type_, unit, example, fast_by in columns:
            comments.append((name, column, text))
            promises.append((name, column, type_, unit, example, fast_by))
    _insert("schema_comments", ("relation", "column", "comment"), comments)
    names = ("relation", "column", "type", "unit", "example", "fast_by", "since", "deprecated")
    _insert("contract", names, [(*row, SINCE, "") for row in promises])
    if dialect == "postgresql":
        for relation, column, text in comments:
            kind = "VIEW" if relation in VIEWS else "TABLE"
            target = f'COLUMN {relation}."{column}"' if column else f"{kind} {relation}"
            literal = text.replace("'", "''").replace(":", r"\:")
            op.execute(sa.text(f"COMMENT ON {target} IS '{literal}'"))


def _insert(table: str, names: tuple[str, ...], rows: list[tuple]) -> None:
    target = sa.table(table, *(sa.column(name) for name in names))
    op.bulk_insert(target, [dict(zip(names, row, strict=True)) for row in rows])


def _tell_statistics(statistics: dict[str, dict[str, str]]) -> None:
    for table, indexes in statistics.items():
        for index, numbers in indexes.items():
            name = index if index in ("", table) else f"ix_{table}_{index}"
            op.execute(
                sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:t, :i, :s)").bindparams(
                    t=table, i=name or None, s=numbers
                )
            )


def _make_contract_view(dialect: str, version: str) -> None:
    if dialect == "sqlite":
        op.execute("DROP VIEW v_contract")
    verb = "CREATE OR REPLACE" if dialect == "postgresql" else "CREATE"
    op.execute(f"{verb} {CONTRACT_VIEW.format(version)}")


def _add_use_set(dialect: str) -> None:
    if dialect == "sqlite":
        _rebuild_observations(old=False)
        return
    column = sa.Column("use_set", INT, nullable=False, comment=USE_SET, server_default="0")
    op.add_column("observations", column)
    op.alter_column("observations", "use_set", server_default=None)


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    new = dict.fromkeys(TABLES, "executions") | dict.fromkeys(VIEWS, "v_executions")
    rights = _rights(dialect, new)
    _add_use_set(dialect)
    _make_tables()
    _make_triggers(dialect, tuple(TABLES))
    _make_views(dialect)
    _make_contract_view(dialect, NEWEST)
    _tell(dialect)
    for statement in rights:
        op.execute(statement)
    if dialect == "sqlite":
        _tell_statistics(STATISTICS)


def downgrade() -> None:
    dialect = op.get_context().dialect.name
    for table, what in LOST.items():
        if op.get_bind().execute(sa.text(f"SELECT 1 FROM {table} LIMIT 1")).first():
            raise RuntimeError(f"schema 0004 cannot hold the {what} of this store: nothing changed")
    names = [*VIEWS, *TABLES]
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    for name in TABLES:
        op.drop_table(name)
    for table in ("schema_comments", "contract"):
        rows = sa.table(table, sa.column("relation"))
        op.execute(rows.delete().where(rows.c.relation.in_(names)))
    op.execute(
        "DELETE FROM schema_comments WHERE relation = 'observations' AND \"column\" = 'use_set'"
    )
    _make_contract_view(dialect, "1")
    if dialect == "sqlite":
        _rebuild_observations(old=True)
        _tell_statistics({"observations": {"observations": "1500000 2 1"}})
    else:
        op.drop_index("ix_observations_use_set_job_key", "observations")
        op.drop_column("observations", "use_set")
