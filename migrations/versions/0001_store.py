"""The store: evidence, normalised tables, ledger, views, and triggers that keep facts.

Revision ID: 0001
Revises: none
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BLOB = sa.LargeBinary()

TABLES = (
    "imports",
    "import_results",
    "sources",
    "source_results",
    "compression_dictionaries",
    "documents",
    "terms",
    "jobs",
    "job_versions",
    "tasks",
    "meta_keys",
    "meta_pairs",
    "meta_entries",
    "label_entries",
    "pair_jobs",
    "identities",
    "attribution_rules",
    "attribution_sets",
    "attribution_members",
    "observations",
    "executions",
    "job_events",
    "findings",
    "rejections",
    "rejection_resolutions",
    "ledger_entries",
    "ledger_keys",
    "checkpoints",
    "schema_comments",
)
FACTS = tuple(name for name in TABLES if name != "schema_comments")

TIME = {
    "sqlite": (
        "strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000000000, 'unixepoch')"
        " || printf('.%09dZ', {0} % 1000000000)"
    ),
    "postgresql": (
        "to_char(to_timestamp({0} / 1000000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')"
        " || '.' || lpad(({0} % 1000000000)::text, 9, '0') || 'Z'"
    ),
}

BEST_IDENTITY = """(
    SELECT i.value FROM attribution_members a
    JOIN attribution_rules r ON r.rule_id = a.rule_id
    JOIN identities i ON i.identity_id = a.identity_id
    WHERE a.set_id = v.attribution_set AND r.role = '{0}'
    ORDER BY CASE r.trust WHEN 'proven' THEN 0 WHEN 'server' THEN 1 WHEN 'claimed' THEN 2
        WHEN 'inferred' THEN 3 ELSE 4 END, r.basis, i.value
    LIMIT 1)"""

FROM_VERSION = """
    FROM job_versions v JOIN jobs j ON j.job_key = v.job_key"""

JOB = (
    ("job_id", "j.job_id", "ID of the job"),
    ("namespace", "TERM(j.namespace_id)", "namespace of the job"),
)
VERSION_NO = ("version_no", "v.version_no", "version of the job in this store, from 1")

# name: (meaning, ((column, expression, meaning), ...), FROM ...)
VIEWS = {
    "v_jobs": (
        "A row per job: its newest version, in its newest state.",
        (
            *JOB,
            ("name", "TERM(v.name_id)", "name"),
            ("type", "TERM(v.type_id)", "batch, service, ops, daemon"),
            ("state", "TERM(o.state_id)", "newest state that was seen"),
            ("state_message", "TERM(o.message_id)", "message of that state"),
            ("requester", BEST_IDENTITY.format("requester"), "node that accepted the job"),
            ("client", BEST_IDENTITY.format("client"), "client that sent it"),
            ("created_at", "TIME(v.created_at)", "creation, RFC 3339 UTC"),
            ("modified_at", "TIME(o.modified_at)", "last change seen, RFC 3339 UTC"),
            ("version", "v.version", "Version as Bacalhau counts it"),
            ("revision", "o.revision", "Revision as Bacalhau counts it"),
            ("version_no", "v.version_no", "newest version in this store, from 1"),
            ("origin", "TERM(v.origin_id)", "orchestrator, submission, spec or event"),
            ("layout", "TERM(v.layout_id)", "Bacalhau version that first wrote this layout"),
            ("priority", "v.priority", "priority"),
            ("count", "v.count", "number of executions asked for"),
            ("created_ns", "v.created_at", "creation, ns since 1970 UTC"),
            ("job_key", "j.job_key", "number of the job in this store"),
        ),
        """
    FROM jobs j
    JOIN observations o ON o.job_key = j.job_key AND o.document_id = (
        SELECT n.document_id FROM observations n
        WHERE n.job_key = j.job_key AND n.version_no > 0
        ORDER BY coalesce(n.modified_at, 0) DESC, n.revision DESC, n.document_id DESC
        LIMIT 1)
    JOIN job_versions v ON v.job_key = o.job_key AND v.version_no = o.version_no""",
    ),
    "v_meta": (
        "A row per Meta pair of every job version.",
        (
            *JOB,
            ("version_no", "e.version_no", "version of the job in this store, from 1"),
            ("level", "CASE e.task_no WHEN 0 THEN 'job' ELSE 'task' END", "job or task"),
            ("task_no", "e.task_no", "number of the task, 0 for the job"),
            ("task", "TERM(t.name_id)", "name of the task, NULL for the job"),
            ("key", "k.key", "key"),
            ("value", "p.value", "value"),
        ),
        """
    FROM meta_entries e
    JOIN jobs j ON j.job_key = e.job_key
    JOIN meta_pairs p ON p.pair_id = e.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id
    LEFT JOIN tasks t
        ON t.job_key = e.job_key AND t.version_no = e.version_no AND t.task_no = e.task_no""",
    ),
    "v_pair_jobs": (
        "The jobs of a Meta pair, found fast. Pairs that gave an attribution are left out: "
        "v_attributions has those.",
        (
            ("key", "k.key", "key"),
            ("value", "p.value", "value"),
            *JOB,
            ("created_hour", "x.created_hour", "creation of the job, hours since 1970 UTC"),
            ("job_key", "j.job_key", "number of the job in this store"),
        ),
        """
    FROM meta_keys k
    CROSS JOIN meta_pairs p  -- CROSS keeps SQLite to this order
    CROSS JOIN pair_jobs x
    JOIN jobs j ON j.job_key = x.job_key
    WHERE p.key_id = k.key_id AND x.pair_id = p.pair_id""",
    ),
    "v_labels": (
        "A row per label of every job version.",
        (*JOB, VERSION_NO, ("key", "k.key", "key"), ("value", "p.value", "value")),
        """
    FROM label_entries v
    JOIN jobs j ON j.job_key = v.job_key
    JOIN meta_pairs p ON p.pair_id = v.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id""",
    ),
    "v_tasks": (
        "A row per task of every job version.",
        (
            *JOB,
            VERSION_NO,
            ("task_no", "v.task_no", "place in the job, from 1"),
            ("task", "TERM(v.name_id)", "name of the task"),
            ("engine", "TERM(v.engine_id)", "engine type"),
            ("publisher", "TERM(v.publisher_id)", "publisher type"),
        ),
        """
    FROM tasks v JOIN jobs j ON j.job_key = v.job_key""",
    ),
    "v_versions": (
        "A row per version of every job.",
        (
            *JOB,
            VERSION_NO,
            ("name", "TERM(v.name_id)", "name"),
            ("version", "v.version", "Version as Bacalhau counts it"),
            ("origin", "TERM(v.origin_id)", "orchestrator, submission, spec or event"),
            ("layout", "TERM(v.layout_id)", "Bacalhau version that first wrote this layout"),
            ("created_at", "TIME(v.created_at)", "creation, RFC 3339 UTC"),
            ("spec_sha256", "HEX(v.spec_sha256)", "identity of the version"),
        ),
        FROM_VERSION,
    ),
    "v_attributions": (
        "Who, in which role, and how we know: a row per job version, role and basis.",
        (
            *JOB,
            VERSION_NO,
            ("role", "r.role", "requester, client, requester_key ..."),
            ("value", "i.value", "the ID or key"),
            ("basis", "r.basis", "the field that says so"),
            ("trust", "r.trust", "proven, server, claimed, inferred or unsubmitted"),
            ("verdict", "r.verdict", "match, mismatch, no_key, not_a_peer_id or undecodable"),
        ),
        """
    FROM job_versions v
    JOIN jobs j ON j.job_key = v.job_key
    JOIN attribution_members a ON a.set_id = v.attribution_set
    JOIN attribution_rules r ON r.rule_id = a.rule_id
    JOIN identities i ON i.identity_id = a.identity_id""",
    ),
    "v_observations": (
        "A row per document that showed a job: the state at that time, and the evidence.",
        (
            *JOB,
            ("version_no", "o.version_no", "version seen; 0: executions or events only"),
            ("state", "TERM(o.state_id)", "state"),
            ("state_message", "TERM(o.message_id)", "message of the state"),
            ("revision", "o.revision", "Revision as Bacalhau counts it"),
            ("modified_at", "TIME(o.modified_at)", "last change, RFC 3339 UTC"),
            ("document_sha256", "HEX(d.sha256)", "SHA-256 of the document"),
            ("entry_index", "o.document_id", "its index in the ledger"),
            ("source", "s.uri", "where the document was first seen"),
            ("ordinal", "o.ordinal", "number of the document in the source, from 1"),
            ("line", "o.line", "line of the source, from 1"),
            ("import_id", "s.import_id", "import that took it"),
            ("observed_at", "TIME(m.started_at)", "when that import began, RFC 3339 UTC"),
        ),
        """
    FROM observations o
    JOIN jobs j ON j.job_key = o.job_key
    JOIN documents d ON d.document_id = o.document_id
    JOIN sources s ON s.source_id = o.source_id
    JOIN imports m ON m.import_id = s.import_id""",
    ),
    "v_executions": (
        "A row per execution in every document that carries it: job, node, state.",
        (
            *JOB,
            ("execution_id", "e.execution_id", "ID of the execution"),
            ("node", "i.value", "ID of the node"),
            ("state", "e.state", "compute state"),
            ("desired_state", "e.desired_state", "desired state"),
            ("message", "e.message", "message of the state"),
            ("created_at", "TIME(e.created_at)", "creation, RFC 3339 UTC"),
            ("modified_at", "TIME(e.modified_at)", "last change, RFC 3339 UTC"),
            ("entry_index", "e.document_id", "ledger index of the document"),
        ),
        """
    FROM executions e
    JOIN jobs j ON j.job_key = e.job_key
    JOIN identities i ON i.identity_id = e.node_id""",
    ),
    "v_events": (
        "A row per history event in every document that carries it.",
        (
            *JOB,
            ("time", "TIME(e.time)", "when, RFC 3339 UTC"),
            ("kind", "e.kind", "JobLevel, ExecutionLevel, or the event name of v0.x"),
            ("execution_id", "e.execution_id", "ID of the execution, or empty"),
            ("node", "i.value", "ID of the node, or empty"),
            ("state", "e.state", "new state, or empty"),
            ("message", "e.message", "comment or message"),
            ("entry_index", "e.document_id", "ledger index of the document"),
        ),
        """
    FROM job_events e
    JOIN jobs j ON j.job_key = e.job_key
    JOIN identities i ON i.identity_id = e.node_id""",
    ),
    "v_findings": (
        "What an auditor should look at.",
        (
            *JOB,
            ("code", "f.code", "name from the catalogue"),
            ("severity", "f.severity", "info, warning or critical"),
            ("detail", "f.detail", "what was found"),
            ("entry_index", "f.document_id", "ledger index of the document"),
        ),
        """
    FROM findings f JOIN jobs j ON j.job_key = f.job_key""",
    ),
    "v_rejections": (
        "Documents that were not taken, and why.",
        (
            ("rejection_id", "r.rejection_id", "number of the rejection: its ledger index"),
            ("reason", "r.reason", "name from the catalogue"),
            ("message", "r.message", "what, where in the document, why"),
            ("source", "s.uri", "where it was first seen"),
            ("ordinal", "r.ordinal", "number of the document in the source, from 1"),
            ("line", "r.line", "line of the source, from 1"),
            ("size", "r.size", "bytes of the document"),
            ("document_sha256", "HEX(r.sha256)", "SHA-256 of the document"),
            ("import_id", "s.import_id", "import that met it"),
            ("resolved_by", "x.import_id", "import that accepted the same bytes later, or NULL"),
        ),
        """
    FROM rejections r
    JOIN sources s ON s.source_id = r.source_id
    LEFT JOIN rejection_resolutions x ON x.rejection_id = r.rejection_id""",
    ),
    "v_imports": (
        "A row per run of ingest or retry.",
        (
            ("import_id", "m.import_id", "number of the import"),
            (
                "status",
                "coalesce(x.status, 'unfinished')",
                "complete, interrupted, failed, unfinished",
            ),
            ("started_at", "TIME(m.started_at)", "when it began, RFC 3339 UTC"),
            ("finished_at", "TIME(x.finished_at)", "when it ended, RFC 3339 UTC"),
            ("actor", "m.actor", "user@host that ran it"),
            ("tool_version", "m.tool_version", "version of meta-audit"),
            ("arguments", "m.arguments", "its arguments, as JSON"),
            ("sources", "x.sources", "sources read"),
            ("documents", "x.documents", "documents offered"),
            ("new", "x.new", "documents that brought a new job"),
            ("changed", "x.changed", "documents that brought a new version or state"),
            ("unchanged", "x.unchanged", "documents that brought nothing new"),
            ("rejected", "x.rejected", "documents rejected"),
        ),
        """
    FROM imports m LEFT JOIN import_results x ON x.import_id = m.import_id""",
    ),
    "v_sources": (
        "A row per file or stream of an import.",
        (
            ("source_id", "s.source_id", "number of the source"),
            ("import_id", "s.import_id", "import that read it"),
            ("source", "s.uri", "path or name, as it was given"),
            ("status", "coalesce(x.status, 'unfinished')", "complete, known, refused, unfinished"),
            ("message", "x.message", "why it was refused"),
            ("size", "x.size", "bytes as stored"),
            ("sha256", "HEX(x.sha256)", "SHA-256 of those bytes"),
            ("documents", "x.documents", "documents it offered"),
            ("rejected", "x.rejected", "documents of it that were rejected"),
        ),
        """
    FROM sources s LEFT JOIN source_results x ON x.source_id = s.source_id""",
    ),
}


def _expression(text: str, dialect: str) -> str:
    if text.startswith("TIME("):
        return TIME[dialect].format(text[5:-1])
    if text.startswith("TERM("):
        return f"(SELECT term FROM terms WHERE term_id = {text[5:-1]})"
    if text.startswith("HEX("):
        column = text[4:-1]
        if dialect == "sqlite":  # hex(NULL) is the empty text there
            return f"CASE WHEN {column} IS NOT NULL THEN lower(hex({column})) END"
        return f"encode({column}, 'hex')"
    return text


def _create_views(dialect: str) -> None:
    for name, (_, columns, source) in VIEWS.items():
        selected = ",\n    ".join(f'{_expression(e, dialect)} AS "{c}"' for c, e, _ in columns)
        op.execute(
            sa.text(f"CREATE VIEW {name} AS SELECT\n    {selected}{source}".replace(":", r"\:"))
        )


def _create_triggers(dialect: str) -> None:
    if dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION meta_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'meta-audit: % is append-only', TG_TABLE_NAME; END $$"
        )
    for table in FACTS:
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


def _comment(dialect: str) -> None:
    rows = []
    for name, (meaning, columns, _) in VIEWS.items():
        rows.append((name, "", meaning))
        rows.extend((name, column, text) for column, _, text in columns)
    if dialect == "postgresql":
        for relation, column, text in rows:
            target = f'COLUMN {relation}."{column}"' if column else f"VIEW {relation}"
            literal = text.replace("'", "''").replace(":", r"\:")
            op.execute(sa.text(f"COMMENT ON {target} IS '{literal}'"))
    rows.extend(COMMENTS)
    op.bulk_insert(
        sa.table("schema_comments", *(sa.column(c) for c in ("relation", "column", "comment"))),
        [dict(zip(("relation", "column", "comment"), row, strict=True)) for row in rows],
    )


COMMENTS: list[tuple[str, str, str]] = []


def create_table(name: str, *items: sa.schema.SchemaItem, comment: str, **options: bool) -> None:
    """Create a table, and remember its comments for engines that keep none."""
    op.create_table(name, *items, comment=comment, **options)
    COMMENTS.append((name, "", comment))
    COMMENTS.extend((name, i.name, i.comment) for i in items if isinstance(i, sa.Column))


def upgrade() -> None:
    COMMENTS.clear()
    create_table(
        "imports",
        sa.Column("import_id", INT, nullable=False, comment="number of the import, from 1"),
        sa.Column("started_at", INT, nullable=False, comment="when it began, ns"),
        sa.Column("actor", TEXT, nullable=False, comment="user@host that ran it"),
        sa.Column("tool_version", TEXT, nullable=False, comment="version of meta-audit"),
        sa.Column("arguments", TEXT, nullable=False, comment="its arguments, as JSON"),
        sa.PrimaryKeyConstraint("import_id", name="pk_imports"),
        comment="One run of ingest or retry: who, when, with what. Without a row in import_results it is running, or was killed.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "import_results",
        sa.Column("import_id", INT, nullable=False, comment="the import"),
        sa.Column("finished_at", INT, nullable=False, comment="when it ended, ns"),
        sa.Column(
            "status",
            TEXT,
            nullable=False,
            comment="complete, interrupted (signal) or failed (error)",
        ),
        sa.Column("sources", INT, nullable=False, comment="sources read"),
        sa.Column("documents", INT, nullable=False, comment="documents offered"),
        sa.Column("new", INT, nullable=False, comment="documents that brought a new job"),
        sa.Column(
            "changed",
            INT,
            nullable=False,
            comment="documents that brought a new version or state of a known job",
        ),
        sa.Column("unchanged", INT, nullable=False, comment="documents that brought nothing new"),
        sa.Column("rejected", INT, nullable=False, comment="documents rejected"),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.import_id"], name="fk_import_results_import_id"
        ),
        sa.PrimaryKeyConstraint("import_id", name="pk_import_results"),
        comment="How an import ended, and what it counted.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "sources",
        sa.Column("source_id", INT, nullable=False, comment="number of the source, from 1"),
        sa.Column("import_id", INT, nullable=False, comment="the import that read it"),
        sa.Column("uri", TEXT, nullable=False, comment="path or name, as it was given"),
        sa.ForeignKeyConstraint(["import_id"], ["imports.import_id"], name="fk_sources_import_id"),
        sa.PrimaryKeyConstraint("source_id", name="pk_sources"),
        comment="Each file or stream of an import.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    op.create_index("ix_sources_import_id", "sources", ["import_id"], unique=False)
    create_table(
        "source_results",
        sa.Column(
            "result_no",
            INT,
            nullable=False,
            comment="number of the result, from 1 in order of arrival",
        ),
        sa.Column("source_id", INT, nullable=False, comment="the source"),
        sa.Column(
            "status",
            TEXT,
            nullable=False,
            comment="complete, known (its bytes were taken before) or refused",
        ),
        sa.Column("message", TEXT, nullable=False, comment="why it was refused, else empty"),
        sa.Column("size", INT, nullable=False, comment="bytes read, as stored (compressed)"),
        sa.Column(
            "sha256", BLOB, nullable=False, comment="SHA-256 of those bytes; empty when refused"
        ),
        sa.Column("documents", INT, nullable=False, comment="documents it offered"),
        sa.Column("rejected", INT, nullable=False, comment="documents of it that were rejected"),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.source_id"], name="fk_source_results_source_id"
        ),
        sa.PrimaryKeyConstraint("result_no", name="pk_source_results"),
        sa.UniqueConstraint("source_id", name="uq_source_results_source_id"),
        comment="How the reading of a source ended.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    op.create_index("ix_source_results_size", "source_results", ["size"], unique=False)
    create_table(
        "compression_dictionaries",
        sa.Column("dictionary_id", INT, nullable=False, comment="number of the dictionary, from 1"),
        sa.Column("content", BLOB, nullable=False, comment="the dictionary, as zstd takes it"),
        sa.PrimaryKeyConstraint("dictionary_id", name="pk_compression_dictionaries"),
        comment="zstd dictionaries, trained on the store's own documents.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "documents",
        sa.Column(
            "document_id",
            INT,
            nullable=False,
            comment="its index in the ledger, from 0; rejections take numbers too",
        ),
        sa.Column("sha256", BLOB, nullable=False, comment="SHA-256 of the bytes"),
        sa.Column("size", INT, nullable=False, comment="bytes before compression"),
        sa.Column(
            "dictionary_id",
            INT,
            nullable=False,
            comment="zstd dictionary (compression_dictionaries), 0 for none",
        ),
        sa.Column("content", BLOB, nullable=False, comment="the bytes as one zstd frame"),
        sa.PrimaryKeyConstraint("document_id", name="pk_documents"),
        comment="The evidence: the original bytes of each accepted record, once.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "terms",
        sa.Column("term_id", INT, nullable=False, comment="number of the term, from 1"),
        sa.Column(
            "digest", BLOB, nullable=False, comment="first 16 bytes of the SHA-256 of the term"
        ),
        sa.Column("term", TEXT, nullable=False, comment="the text, exactly"),
        sa.PrimaryKeyConstraint("term_id", name="pk_terms"),
        sa.UniqueConstraint("digest", name="uq_terms_digest"),
        comment="Each distinct text that repeats from job to job, once: names, namespaces, types, states.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "jobs",
        sa.Column("job_key", INT, nullable=False, comment="number of the job, from 1"),
        sa.Column(
            "job_id",
            TEXT,
            nullable=False,
            comment="ID; of an unsubmitted spec sha256: and the digest of its content",
        ),
        sa.Column(
            "namespace_id",
            INT,
            nullable=False,
            comment="namespace; the empty text where only an ID was given (terms.term_id)",
        ),
        sa.PrimaryKeyConstraint("job_key", name="pk_jobs"),
        sa.UniqueConstraint("job_id", "namespace_id", name="uq_jobs_job_id_namespace_id"),
        comment="Every job that a document named.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "job_versions",
        sa.Column("job_key", INT, nullable=False, comment="the job (jobs.job_key)"),
        sa.Column(
            "version_no",
            INT,
            nullable=False,
            comment="version of the job in this store, from 1 in order of arrival",
        ),
        sa.Column(
            "spec_sha256",
            BLOB,
            nullable=False,
            comment="SHA-256 of the canonical spec: identity of the version",
        ),
        sa.Column(
            "origin_id",
            INT,
            nullable=False,
            comment="orchestrator, submission, spec or event (terms.term_id)",
        ),
        sa.Column(
            "layout_id",
            INT,
            nullable=False,
            comment="Bacalhau version that first wrote this layout (terms.term_id)",
        ),
        sa.Column("name_id", INT, nullable=False, comment="name (terms.term_id)"),
        sa.Column(
            "type_id", INT, nullable=False, comment="batch, service, ops, daemon (terms.term_id)"
        ),
        sa.Column("priority", INT, nullable=False, comment="priority"),
        sa.Column("count", INT, nullable=False, comment="number of executions asked for"),
        sa.Column("version", INT, nullable=False, comment="Version as Bacalhau counts it"),
        sa.Column("created_at", INT, nullable=True, comment="CreateTime, ns"),
        sa.Column(
            "attribution_set",
            INT,
            nullable=False,
            comment="who, and how we know (attribution_members.set_id), 0 for no one",
        ),
        sa.PrimaryKeyConstraint("job_key", "version_no", name="pk_job_versions"),
        comment="Each distinct spec of a job. Never overwritten.",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_job_versions_attribution_set_created_at",
        "job_versions",
        ["attribution_set", "created_at"],
        unique=False,
    )
    op.create_index("ix_job_versions_name_id", "job_versions", ["name_id"], unique=False)
    create_table(
        "tasks",
        sa.Column("job_key", INT, nullable=False, comment="the job (jobs.job_key)"),
        sa.Column(
            "version_no",
            INT,
            nullable=False,
            comment="version of the job in this store, from 1 in order of arrival",
        ),
        sa.Column("task_no", INT, nullable=False, comment="place in the job, from 1"),
        sa.Column("name_id", INT, nullable=False, comment="name (terms.term_id)"),
        sa.Column("engine_id", INT, nullable=False, comment="engine type (terms.term_id)"),
        sa.Column("publisher_id", INT, nullable=False, comment="publisher type (terms.term_id)"),
        sa.PrimaryKeyConstraint("job_key", "version_no", "task_no", name="pk_tasks"),
        comment="The tasks of a job version.",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    create_table(
        "meta_keys",
        sa.Column("key_id", INT, nullable=False, comment="number of the key, from 1"),
        sa.Column(
            "digest", BLOB, nullable=False, comment="first 16 bytes of the SHA-256 of the key"
        ),
        sa.Column("key", TEXT, nullable=False, comment="the key, exactly"),
        sa.PrimaryKeyConstraint("key_id", name="pk_meta_keys"),
        sa.UniqueConstraint("digest", name="uq_meta_keys_digest"),
        comment="Each distinct key of Meta and labels, once.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "meta_pairs",
        sa.Column("pair_id", INT, nullable=False, comment="number of the pair, from 1"),
        sa.Column("key_id", INT, nullable=False, comment="the key"),
        sa.Column(
            "digest",
            BLOB,
            nullable=False,
            comment="first 16 bytes of the SHA-256 of key, NUL, value",
        ),
        sa.Column("value", TEXT, nullable=False, comment="the value, exactly"),
        sa.ForeignKeyConstraint(["key_id"], ["meta_keys.key_id"], name="fk_meta_pairs_key_id"),
        sa.PrimaryKeyConstraint("pair_id", name="pk_meta_pairs"),
        sa.UniqueConstraint("digest", name="uq_meta_pairs_digest"),
        comment="Each distinct key and value of Meta and labels, once.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "meta_entries",
        sa.Column("job_key", INT, nullable=False, comment="the job (jobs.job_key)"),
        sa.Column(
            "version_no",
            INT,
            nullable=False,
            comment="version of the job in this store, from 1 in order of arrival",
        ),
        sa.Column(
            "task_no",
            INT,
            nullable=False,
            comment="the task (tasks.task_no), 0 for the job's own Meta",
        ),
        sa.Column("pair_id", INT, nullable=False, comment="the pair (meta_pairs.pair_id)"),
        sa.PrimaryKeyConstraint(
            "job_key", "version_no", "task_no", "pair_id", name="pk_meta_entries"
        ),
        comment="The Meta pairs of a job version.",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    create_table(
        "label_entries",
        sa.Column("job_key", INT, nullable=False, comment="the job (jobs.job_key)"),
        sa.Column(
            "version_no",
            INT,
            nullable=False,
            comment="version of the job in this store, from 1 in order of arrival",
        ),
        sa.Column("pair_id", INT, nullable=False, comment="the pair (meta_pairs.pair_id)"),
        sa.PrimaryKeyConstraint("job_key", "version_no", "pair_id", name="pk_label_entries"),
        comment="The labels of a job version.",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    create_table(
        "pair_jobs",
        sa.Column("pair_id", INT, nullable=False, comment="the pair (meta_pairs.pair_id)"),
        sa.Column(
            "created_hour",
            INT,
            nullable=False,
            comment="creation of the job, hours since 1970 UTC, 0 when not known",
        ),
        sa.Column("job_key", INT, nullable=False, comment="the job (jobs.job_key)"),
        sa.PrimaryKeyConstraint("pair_id", "created_hour", "job_key", name="pk_pair_jobs"),
        comment="Reverse index: the jobs of a Meta pair by time. Pairs that gave an attribution are left out: attribution_members finds those.",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    create_table(
        "identities",
        sa.Column("identity_id", INT, nullable=False, comment="number of the identity, from 1"),
        sa.Column(
            "digest", BLOB, nullable=False, comment="first 16 bytes of the SHA-256 of the value"
        ),
        sa.Column("value", TEXT, nullable=False, comment="the ID or key, exactly"),
        sa.PrimaryKeyConstraint("identity_id", name="pk_identities"),
        sa.UniqueConstraint("digest", name="uq_identities_digest"),
        comment="Each distinct node ID, client ID, key or installation ID, once.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "attribution_rules",
        sa.Column("rule_id", INT, nullable=False, comment="number of the rule, from 1"),
        sa.Column(
            "role",
            TEXT,
            nullable=False,
            comment="requester, requester_key, client, client_key, server_installation ...",
        ),
        sa.Column("basis", TEXT, nullable=False, comment="the field that says so"),
        sa.Column(
            "trust",
            TEXT,
            nullable=False,
            comment="proven, server, claimed, inferred or unsubmitted",
        ),
        sa.Column(
            "verdict",
            TEXT,
            nullable=False,
            comment="match, mismatch, no_key, not_a_peer_id or undecodable",
        ),
        sa.PrimaryKeyConstraint("rule_id", name="pk_attribution_rules"),
        sa.UniqueConstraint(
            "role",
            "basis",
            "trust",
            "verdict",
            name="uq_attribution_rules_role_basis_trust_verdict",
        ),
        comment="Each distinct way in which an identity was attributed.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "attribution_sets",
        sa.Column("set_id", INT, nullable=False, comment="number of the set, from 1"),
        sa.Column(
            "digest",
            BLOB,
            nullable=False,
            comment="first 16 bytes of the SHA-256 of its members, as rule_id:identity_id, sorted, joined by commas",
        ),
        sa.PrimaryKeyConstraint("set_id", name="pk_attribution_sets"),
        sa.UniqueConstraint("digest", name="uq_attribution_sets_digest"),
        comment="Each distinct set of attributions that a job version has, once.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "attribution_members",
        sa.Column("set_id", INT, nullable=False, comment="the set (attribution_sets.set_id)"),
        sa.Column(
            "rule_id",
            INT,
            nullable=False,
            comment="role, basis, trust and verdict (attribution_rules.rule_id)",
        ),
        sa.Column("identity_id", INT, nullable=False, comment="who (identities.identity_id)"),
        sa.PrimaryKeyConstraint("set_id", "rule_id", "identity_id", name="pk_attribution_members"),
        comment="Who, in which role, and how we know: the members of each set.",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_attribution_members_identity_id", "attribution_members", ["identity_id"], unique=False
    )
    create_table(
        "observations",
        sa.Column("job_key", INT, nullable=False, comment="the job (jobs.job_key)"),
        sa.Column(
            "document_id", INT, nullable=False, comment="the document (documents.document_id)"
        ),
        sa.Column(
            "version_no",
            INT,
            nullable=False,
            comment="version seen; 0 for executions or events without the job",
        ),
        sa.Column("state_id", INT, nullable=False, comment="StateType (terms.term_id)"),
        sa.Column(
            "message_id", INT, nullable=False, comment="message of the state (terms.term_id)"
        ),
        sa.Column("revision", INT, nullable=False, comment="Revision"),
        sa.Column("modified_at", INT, nullable=True, comment="ModifyTime, ns"),
        sa.Column(
            "source_id", INT, nullable=False, comment="where it was first seen (sources.source_id)"
        ),
        sa.Column(
            "ordinal", INT, nullable=False, comment="number of the document in the source, from 1"
        ),
        sa.Column("line", INT, nullable=False, comment="line of the source, from 1"),
        sa.PrimaryKeyConstraint("job_key", "document_id", name="pk_observations"),
        comment="Each document's sight of a job: its version, its state, and where that stood.",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    create_table(
        "executions",
        sa.Column("job_key", INT, nullable=False, comment="the job (jobs.job_key)"),
        sa.Column(
            "document_id",
            INT,
            nullable=False,
            comment="the document it was read from (documents.document_id)",
        ),
        sa.Column("position", INT, nullable=False, comment="place in the document, from 1"),
        sa.Column("execution_id", TEXT, nullable=False, comment="ID of the execution"),
        sa.Column("node_id", INT, nullable=False, comment="the node (identities.identity_id)"),
        sa.Column("state", TEXT, nullable=False, comment="compute state"),
        sa.Column("desired_state", TEXT, nullable=False, comment="desired state"),
        sa.Column("message", TEXT, nullable=False, comment="message of the state"),
        sa.Column("created_at", INT, nullable=True, comment="CreateTime, ns"),
        sa.Column("modified_at", INT, nullable=True, comment="ModifyTime, ns"),
        sa.PrimaryKeyConstraint("job_key", "document_id", "position", name="pk_executions"),
        comment="Executions as a document tells them: they connect a job to its nodes.",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    create_table(
        "job_events",
        sa.Column("job_key", INT, nullable=False, comment="the job (jobs.job_key)"),
        sa.Column(
            "document_id",
            INT,
            nullable=False,
            comment="the document it was read from (documents.document_id)",
        ),
        sa.Column("position", INT, nullable=False, comment="place in the document, from 1"),
        sa.Column("time", INT, nullable=True, comment="when, ns"),
        sa.Column(
            "kind",
            TEXT,
            nullable=False,
            comment="JobLevel, ExecutionLevel, or the event name of v0.x",
        ),
        sa.Column("execution_id", TEXT, nullable=False, comment="ID of the execution, or empty"),
        sa.Column(
            "node_id",
            INT,
            nullable=False,
            comment="the node (identities.identity_id); of the empty text where none",
        ),
        sa.Column("state", TEXT, nullable=False, comment="new state, or empty"),
        sa.Column("message", TEXT, nullable=False, comment="comment or message"),
        sa.PrimaryKeyConstraint("job_key", "document_id", "position", name="pk_job_events"),
        comment="History as a document tells it.",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    create_table(
        "findings",
        sa.Column("job_key", INT, nullable=False, comment="the job (jobs.job_key)"),
        sa.Column(
            "document_id",
            INT,
            nullable=False,
            comment="the document it was read from (documents.document_id)",
        ),
        sa.Column("position", INT, nullable=False, comment="place in the document, from 1"),
        sa.Column("code", TEXT, nullable=False, comment="name from the catalogue"),
        sa.Column("severity", TEXT, nullable=False, comment="info, warning or critical"),
        sa.Column("detail", TEXT, nullable=False, comment="what was found"),
        sa.PrimaryKeyConstraint("job_key", "document_id", "position", name="pk_findings"),
        comment="What an auditor should look at. docs/catalogue.md explains each code.",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    create_table(
        "rejections",
        sa.Column(
            "rejection_id",
            INT,
            nullable=False,
            comment="its index in the ledger, from 0; documents take numbers too",
        ),
        sa.Column("source_id", INT, nullable=False, comment="where it was first seen"),
        sa.Column(
            "ordinal", INT, nullable=False, comment="number of the document in the source, from 1"
        ),
        sa.Column("line", INT, nullable=False, comment="line of the source, from 1"),
        sa.Column("reason", TEXT, nullable=False, comment="name from the catalogue"),
        sa.Column("message", TEXT, nullable=False, comment="what, where in the document, why"),
        sa.Column("format", TEXT, nullable=False, comment="json or yaml"),
        sa.Column("sha256", BLOB, nullable=False, comment="SHA-256 of the whole document"),
        sa.Column("size", INT, nullable=False, comment="bytes of the whole document"),
        sa.Column(
            "content",
            BLOB,
            nullable=False,
            comment="its bytes as one zstd frame; of one too large, the beginning",
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.source_id"], name="fk_rejections_source_id"
        ),
        sa.PrimaryKeyConstraint("rejection_id", name="pk_rejections"),
        sa.UniqueConstraint("sha256", "reason", name="uq_rejections_sha256_reason"),
        comment="Quarantine: documents that were not taken, with their bytes.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "rejection_resolutions",
        sa.Column("rejection_id", INT, nullable=False, comment="the rejection"),
        sa.Column("import_id", INT, nullable=False, comment="the import that accepted it"),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.import_id"], name="fk_rejection_resolutions_import_id"
        ),
        sa.ForeignKeyConstraint(
            ["rejection_id"],
            ["rejections.rejection_id"],
            name="fk_rejection_resolutions_rejection_id",
        ),
        sa.PrimaryKeyConstraint("rejection_id", name="pk_rejection_resolutions"),
        comment="Rejections whose bytes were accepted later.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "ledger_entries",
        sa.Column(
            "entry_index",
            INT,
            nullable=False,
            comment="index of the leaf: the number of the document or rejection",
        ),
        sa.Column(
            "leaf_hash",
            BLOB,
            nullable=False,
            comment="SHA-256(0x00, canonical entry), docs/ledger.md",
        ),
        sa.Column(
            "source_id",
            INT,
            nullable=False,
            comment="where it was first seen (sources.source_id)",
        ),
        sa.PrimaryKeyConstraint("entry_index", name="pk_ledger_entries"),
        comment="The leaves of the Merkle tree (RFC 9162): one for every accepted document and rejection.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "ledger_keys",
        sa.Column("key_no", INT, nullable=False, comment="number of the key, from 1"),
        sa.Column(
            "verifier",
            TEXT,
            nullable=False,
            comment="the key, as name+hash+key (C2SP signed-note)",
        ),
        sa.Column(
            "import_id",
            INT,
            nullable=False,
            comment="the import whose checkpoint it signed first",
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.import_id"], name="fk_ledger_keys_import_id"
        ),
        sa.PrimaryKeyConstraint("key_no", name="pk_ledger_keys"),
        comment="The public keys whose signatures are on the checkpoints. A claim of the store: compare them with what you got from elsewhere.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "checkpoints",
        sa.Column("checkpoint_id", INT, nullable=False, comment="number of the checkpoint, from 1"),
        sa.Column("import_id", INT, nullable=False, comment="the import that made it"),
        sa.Column("tree_size", INT, nullable=False, comment="number of leaves it covers"),
        sa.Column(
            "frontier",
            BLOB,
            nullable=False,
            comment="roots of the tree's perfect subtrees, largest first, 32 bytes each",
        ),
        sa.Column("note", TEXT, nullable=False, comment="the signed note, exactly"),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.import_id"], name="fk_checkpoints_import_id"
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", name="pk_checkpoints"),
        comment="Signed tree heads (C2SP tlog-checkpoint), one per import.",
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    create_table(
        "schema_comments",
        sa.Column("relation", TEXT, nullable=False, comment="table or view"),
        sa.Column("column", TEXT, nullable=False, comment="column, empty for the relation"),
        sa.Column("comment", TEXT, nullable=False, comment="its meaning"),
        sa.PrimaryKeyConstraint("relation", "column", name="pk_schema_comments"),
        comment="What every table, view and column means, for engines that keep no comments.",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_documents_sha256", "documents", [sa.text("substr(sha256, 1, 8)")])
    dialect = op.get_context().dialect.name
    _create_views(dialect)
    _create_triggers(dialect)
    _comment(dialect)


def downgrade() -> None:
    for view in reversed(VIEWS):
        op.execute(f"DROP VIEW {view}")
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION meta_audit_append_only()")
