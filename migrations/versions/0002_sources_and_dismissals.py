"""What is wrong with a source belongs to it; dismissals; readings; what is known leaves a count.

Views: ties of time are broken by content, and times before 1970 are right.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BLOB = sa.LargeBinary()

MADE_ANEW = ("import_results", "rejections", "rejection_resolutions")
"""On SQLite, which cannot alter them."""
NEW = ("rejection_dismissals", "readings")

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

OLD_TIME = {
    "sqlite": (
        "strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000000000, 'unixepoch')"
        " || printf('.%09dZ', {0} % 1000000000)"
    ),
    "postgresql": (
        "to_char(to_timestamp({0} / 1000000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')"
        " || '.' || lpad(({0} % 1000000000)::text, 9, '0') || 'Z'"
    ),
}

LIVE = "NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = {0}.document_id)"
"""Whether an entry is not superseded by a better reading."""
LIVE_VERSION = """(
        NOT EXISTS (SELECT 1 FROM readings) OR EXISTS (
            SELECT 1 FROM observations o
            WHERE o.job_key = {0}.job_key AND o.version_no = {0}.version_no
                AND NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = o.document_id)))"""
"""Whether a live entry shows a version. Where there are no readings, that is not asked."""

BEST_IDENTITY = """(
    SELECT i.value FROM attribution_members a
    JOIN attribution_rules r ON r.rule_id = a.rule_id
    JOIN identities i ON i.identity_id = a.identity_id
    WHERE a.set_id = v.attribution_set AND r.role = '{0}'
    ORDER BY CASE r.trust WHEN 'proven' THEN 0 WHEN 'server' THEN 1 WHEN 'claimed' THEN 2
        WHEN 'inferred' THEN 3 ELSE 4 END, r.basis, i.value
    LIMIT 1)"""

# What came without a namespace belongs to the job of its ID that has one: executions, events, and
# what the legacy API says of a job that an orchestrator told of. (An ID may be in several
# namespaces: then it is in each.)
TOLD_ELSEWHERE = """EXISTS (
            SELECT 1 FROM jobs b
            JOIN job_versions w ON w.job_key = b.job_key
            JOIN terms g ON g.term_id = w.origin_id AND g.term = 'orchestrator'
            WHERE b.job_id = {0}.job_id AND b.job_key <> {0}.job_key)"""
OF_JOB = f"""
    JOIN jobs a ON a.job_key = e.job_key
    JOIN jobs j ON j.job_id = a.job_id AND (j.job_key = a.job_key) = NOT (
        (SELECT term FROM terms WHERE term_id = a.namespace_id) = ''
        AND ({TOLD_ELSEWHERE.format("a")} OR (
            NOT EXISTS (SELECT 1 FROM job_versions b WHERE b.job_key = a.job_key)
            AND EXISTS (
                SELECT 1 FROM jobs b WHERE b.job_id = a.job_id AND b.job_key <> a.job_key))))"""

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
        "A row per job: its newest version, in its newest state. A spec never hides what an "
        "orchestrator says, and of equal times the greater hash counts, not the order of arrival.",
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
        f"""
    FROM jobs j
    JOIN observations o ON o.job_key = j.job_key AND o.document_id = (
        SELECT n.document_id FROM observations n
        JOIN job_versions w ON w.job_key = n.job_key AND w.version_no = n.version_no
        JOIN terms g ON g.term_id = w.origin_id
        JOIN terms y ON y.term_id = w.layout_id
        JOIN documents d ON d.document_id = n.document_id
        WHERE n.job_key = j.job_key AND n.version_no > 0 AND NOT EXISTS (
            SELECT 1 FROM readings q WHERE q.supersedes = n.document_id)
        ORDER BY CASE g.term WHEN 'orchestrator' THEN 4 WHEN 'event' THEN 3
                WHEN 'submission' THEN 2 WHEN 'spec' THEN 1 ELSE 0 END DESC,
            w.version DESC, coalesce(n.modified_at, 0) DESC, n.revision DESC, y.term DESC,
            w.spec_sha256 DESC, d.sha256 DESC
        LIMIT 1)
    JOIN job_versions v ON v.job_key = o.job_key AND v.version_no = o.version_no
    WHERE NOT (
        (SELECT term FROM terms WHERE term_id = j.namespace_id) = ''
        AND {TOLD_ELSEWHERE.format("j")})""",
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
        f"""
    FROM meta_entries e
    JOIN jobs j ON j.job_key = e.job_key
    JOIN meta_pairs p ON p.pair_id = e.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id
    LEFT JOIN tasks t
        ON t.job_key = e.job_key AND t.version_no = e.version_no AND t.task_no = e.task_no
    WHERE {LIVE_VERSION.format("e")}""",
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
    WHERE p.key_id = k.key_id AND x.pair_id = p.pair_id AND (
        NOT EXISTS (SELECT 1 FROM readings) OR EXISTS (
            SELECT 1 FROM meta_entries e
            JOIN observations o ON o.job_key = e.job_key AND o.version_no = e.version_no
            WHERE e.job_key = x.job_key AND e.pair_id = x.pair_id
                AND NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = o.document_id)))""",
    ),
    "v_labels": (
        "A row per label of every job version.",
        (*JOB, VERSION_NO, ("key", "k.key", "key"), ("value", "p.value", "value")),
        f"""
    FROM label_entries v
    JOIN jobs j ON j.job_key = v.job_key
    JOIN meta_pairs p ON p.pair_id = v.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id
    WHERE {LIVE_VERSION.format("v")}""",
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
        f"""
    FROM tasks v JOIN jobs j ON j.job_key = v.job_key
    WHERE {LIVE_VERSION.format("v")}""",
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
        f"{FROM_VERSION}\n    WHERE {LIVE_VERSION.format('v')}",
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
        f"""
    FROM job_versions v
    JOIN jobs j ON j.job_key = v.job_key
    JOIN attribution_members a ON a.set_id = v.attribution_set
    JOIN attribution_rules r ON r.rule_id = a.rule_id
    JOIN identities i ON i.identity_id = a.identity_id
    WHERE {LIVE_VERSION.format("v")}""",
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
        f"""
    FROM observations o
    JOIN jobs j ON j.job_key = o.job_key
    JOIN documents d ON d.document_id = o.document_id
    JOIN sources s ON s.source_id = o.source_id
    JOIN imports m ON m.import_id = s.import_id
    WHERE {LIVE.format("o")}""",
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
        f"""
    FROM executions e{OF_JOB}
    JOIN identities i ON i.identity_id = e.node_id
    WHERE {LIVE.format("e")}""",
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
        f"""
    FROM job_events e{OF_JOB}
    JOIN identities i ON i.identity_id = e.node_id
    WHERE {LIVE.format("e")}""",
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
        f"""
    FROM findings f JOIN jobs j ON j.job_key = f.job_key
    WHERE {LIVE.format("f")}""",
    ),
    "v_readings": (
        "Documents that were read again: what each reading took the place of.",
        (
            ("entry_index", "r.reading_id", "ledger index of the reading"),
            ("supersedes", "r.supersedes", "ledger index of the entry whose place it took"),
            ("document_sha256", "HEX(d.sha256)", "SHA-256 of the document"),
            ("import_id", "s.import_id", "the run that read it again"),
            ("tool_version", "m.tool_version", "version of meta-audit that read it"),
            ("read_at", "TIME(m.started_at)", "when that run began, RFC 3339 UTC"),
        ),
        """
    FROM readings r
    JOIN documents d ON d.document_id = r.reading_id
    JOIN ledger_entries e ON e.entry_index = r.reading_id
    JOIN sources s ON s.source_id = e.source_id
    JOIN imports m ON m.import_id = s.import_id""",
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
            (
                "resolved_by",
                "x.import_id",
                "import that accepted the same bytes, or the whole of a torn record, or NULL",
            ),
            ("dismissed_by", "y.import_id", "run that dismissed it, or NULL"),
            ("dismissed_because", "y.reason", "why it was dismissed, or NULL"),
        ),
        """
    FROM rejections r
    JOIN sources s ON s.source_id = r.source_id
    LEFT JOIN rejection_resolutions x ON x.rejection_id = r.rejection_id
    LEFT JOIN rejection_dismissals y ON y.rejection_id = r.rejection_id""",
    ),
    "v_imports": (
        "A row per run of ingest, retry or dismiss.",
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
            ("rejected", "x.rejected", "documents rejected that are new to look at"),
            ("known_rejected", "x.known_rejected", "documents rejected before in the same way"),
            ("known_sources", "x.known_sources", "sources read before, which have no row here"),
        ),
        """
    FROM imports m LEFT JOIN import_results x ON x.import_id = m.import_id""",
    ),
    "v_sources": (
        "A row per file or stream of an import that brought something new.",
        (
            ("source_id", "s.source_id", "number of the source"),
            ("import_id", "s.import_id", "import that read it"),
            ("source", "s.uri", "path or name, as it was given"),
            (
                "status",
                "coalesce(x.status, 'unfinished')",
                "complete, known, truncated, partial, reread, refused, unfinished",
            ),
            ("message", "x.message", "why it was refused, or is not complete"),
            ("size", "x.size", "bytes as stored"),
            ("sha256", "HEX(x.sha256)", "SHA-256 of those bytes"),
            ("documents", "x.documents", "documents it offered"),
            ("rejected", "x.rejected", "documents of it that were rejected"),
        ),
        """
    FROM sources s LEFT JOIN source_results x ON x.source_id = s.source_id""",
    ),
}


def _expression(text: str, dialect: str, time: dict[str, str]) -> str:
    if text.startswith("TIME("):
        return time[dialect].format(text[5:-1])
    if text.startswith("TERM("):
        return f"(SELECT term FROM terms WHERE term_id = {text[5:-1]})"
    if text.startswith("HEX("):
        column = text[4:-1]
        if dialect == "sqlite":  # hex(NULL) is the empty text there
            return f"CASE WHEN {column} IS NOT NULL THEN lower(hex({column})) END"
        return f"encode({column}, 'hex')"
    return text


# What the views of 0001 have otherwise: name: (meaning, columns by name or None, end of FROM ...)
OLD = {
    "v_meta": (
        "A row per Meta pair of every job version.",
        {},
        """
    FROM meta_entries e
    JOIN jobs j ON j.job_key = e.job_key
    JOIN meta_pairs p ON p.pair_id = e.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id
    LEFT JOIN tasks t
        ON t.job_key = e.job_key AND t.version_no = e.version_no AND t.task_no = e.task_no""",
    ),
    "v_pair_jobs": (
        "The jobs of a Meta pair, found fast. Pairs that gave an attribution are left out: v_attributions has those.",
        {},
        """
    FROM meta_keys k
    CROSS JOIN meta_pairs p  -- CROSS keeps SQLite to this order
    CROSS JOIN pair_jobs x
    JOIN jobs j ON j.job_key = x.job_key
    WHERE p.key_id = k.key_id AND x.pair_id = p.pair_id""",
    ),
    "v_labels": (
        "A row per label of every job version.",
        {},
        """
    FROM label_entries v
    JOIN jobs j ON j.job_key = v.job_key
    JOIN meta_pairs p ON p.pair_id = v.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id""",
    ),
    "v_tasks": (
        "A row per task of every job version.",
        {},
        """
    FROM tasks v JOIN jobs j ON j.job_key = v.job_key""",
    ),
    "v_versions": (
        "A row per version of every job.",
        {},
        """
    FROM job_versions v JOIN jobs j ON j.job_key = v.job_key""",
    ),
    "v_attributions": (
        "Who, in which role, and how we know: a row per job version, role and basis.",
        {},
        """
    FROM job_versions v
    JOIN jobs j ON j.job_key = v.job_key
    JOIN attribution_members a ON a.set_id = v.attribution_set
    JOIN attribution_rules r ON r.rule_id = a.rule_id
    JOIN identities i ON i.identity_id = a.identity_id""",
    ),
    "v_observations": (
        "A row per document that showed a job: the state at that time, and the evidence.",
        {},
        """
    FROM observations o
    JOIN jobs j ON j.job_key = o.job_key
    JOIN documents d ON d.document_id = o.document_id
    JOIN sources s ON s.source_id = o.source_id
    JOIN imports m ON m.import_id = s.import_id""",
    ),
    "v_findings": (
        "What an auditor should look at.",
        {},
        """
    FROM findings f JOIN jobs j ON j.job_key = f.job_key""",
    ),
    "v_jobs": (
        "A row per job: its newest version, in its newest state.",
        {},
        """
    FROM jobs j
    JOIN observations o ON o.job_key = j.job_key AND o.document_id = (
        SELECT n.document_id FROM observations n
        WHERE n.job_key = j.job_key AND n.version_no > 0
        ORDER BY coalesce(n.modified_at, 0) DESC, n.revision DESC, n.document_id DESC
        LIMIT 1)
    JOIN job_versions v ON v.job_key = o.job_key AND v.version_no = o.version_no""",
    ),
    "v_executions": (
        "A row per execution in every document that carries it: job, node, state.",
        {},
        """
    FROM executions e
    JOIN jobs j ON j.job_key = e.job_key
    JOIN identities i ON i.identity_id = e.node_id""",
    ),
    "v_events": (
        "A row per history event in every document that carries it.",
        {},
        """
    FROM job_events e
    JOIN jobs j ON j.job_key = e.job_key
    JOIN identities i ON i.identity_id = e.node_id""",
    ),
    "v_rejections": (
        "Documents that were not taken, and why.",
        {
            "resolved_by": "import that accepted the same bytes later, or NULL",
            "dismissed_by": None,
            "dismissed_because": None,
        },
        """
    FROM rejections r
    JOIN sources s ON s.source_id = r.source_id
    LEFT JOIN rejection_resolutions x ON x.rejection_id = r.rejection_id""",
    ),
    "v_imports": (
        "A row per run of ingest or retry.",
        {
            "rejected": "documents rejected",
            "known_rejected": None,
            "known_sources": None,
        },
        """
    FROM imports m LEFT JOIN import_results x ON x.import_id = m.import_id""",
    ),
    "v_sources": (
        "A row per file or stream of an import.",
        {
            "status": "complete, known, refused, unfinished",
            "message": "why it was refused",
        },
        """
    FROM sources s LEFT JOIN source_results x ON x.source_id = s.source_id""",
    ),
}


ADDED = ("v_readings",)
"""Views that 0001 does not have."""


def _old_views() -> dict[str, tuple[str, tuple[tuple[str, str, str], ...], str]]:
    views = {name: view for name, view in VIEWS.items() if name not in ADDED}
    for name, (meaning, changed, source) in OLD.items():
        columns = tuple(
            (column, expression, changed.get(column, text))
            for column, expression, text in VIEWS[name][1]
            if changed.get(column, text) is not None
        )
        views[name] = (meaning, columns, source)
    return views


def _make_views(dialect: str, views: dict, time: dict[str, str], verb: str) -> None:
    for name, (_, columns, source) in views.items():
        selected = ",\n    ".join(
            f'{_expression(e, dialect, time)} AS "{c}"' for c, e, _ in columns
        )
        statement = f"{verb} VIEW {name} AS SELECT\n    {selected}{source}"
        op.execute(sa.text(statement.replace(":", r"\:")))


def _drop_views(views: dict) -> None:
    for view in reversed(views):
        op.execute(f"DROP VIEW {view}")


def _comment(dialect: str, views: dict, others: list[tuple[str, str, str]]) -> None:
    rows = []
    for name, (meaning, columns, _) in views.items():
        rows.append((name, "", meaning))
        rows.extend((name, column, text) for column, _, text in columns)
    comments = sa.table(
        "schema_comments", *(sa.column(c) for c in ("relation", "column", "comment"))
    )
    for relation, column, text in [*rows, *others]:
        if dialect == "postgresql":
            kind = "VIEW" if relation in views else "TABLE"
            target = f'COLUMN {relation}."{column}"' if column else f"{kind} {relation}"
            literal = text.replace("'", "''").replace(":", r"\:")
            op.execute(sa.text(f"COMMENT ON {target} IS '{literal}'"))
    whole = [*VIEWS, *CHANGED, *NEW]
    op.execute(comments.delete().where(comments.c.relation.in_(whole)))
    for relation, column, _ in others:
        here = sa.and_(comments.c.relation == relation, comments.c.column == column)
        op.execute(comments.delete().where(here))
    op.bulk_insert(
        comments,
        [
            dict(zip(("relation", "column", "comment"), row, strict=True))
            for row in [*rows, *others]
        ],
    )


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


def import_results(*, old: bool) -> list[sa.schema.SchemaItem]:
    """Columns and constraints of import_results."""
    rejected = "documents rejected" if old else "documents rejected that are new to look at"
    added = [
        sa.Column(
            "known_rejected",
            INT,
            nullable=False,
            comment="documents rejected before in the same way",
        ),
        sa.Column(
            "known_sources",
            INT,
            nullable=False,
            comment="sources read before, which have no row of their own here",
        ),
    ]
    return [
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
        sa.Column("rejected", INT, nullable=False, comment=rejected),
        *([] if old else added),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.import_id"], name="fk_import_results_import_id"
        ),
        sa.PrimaryKeyConstraint("import_id", name="pk_import_results"),
    ]


def rejections(*, old: bool) -> list[sa.schema.SchemaItem]:
    """Columns and constraints of rejections."""
    unique = ["sha256", "reason"] if old else ["sha256", "reason", "source_id"]
    return [
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
        sa.UniqueConstraint(*unique, name=f"uq_rejections_{'_'.join(unique)}"),
    ]


def rejection_resolutions(*, old: bool) -> list[sa.schema.SchemaItem]:
    """Columns and constraints of rejection_resolutions."""
    added = sa.Column(
        "entry_index",
        INT,
        nullable=True,
        comment="of a torn record: the entry that begins with its bytes; NULL where a document has "
        "the same bytes",
    )
    return [
        sa.Column("rejection_id", INT, nullable=False, comment="the rejection"),
        sa.Column("import_id", INT, nullable=False, comment="the import that accepted it"),
        *([] if old else [added]),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.import_id"], name="fk_rejection_resolutions_import_id"
        ),
        sa.ForeignKeyConstraint(
            ["rejection_id"],
            ["rejections.rejection_id"],
            name="fk_rejection_resolutions_rejection_id",
        ),
        sa.PrimaryKeyConstraint("rejection_id", name="pk_rejection_resolutions"),
    ]


CHANGED = {
    "import_results": (import_results, "How an import ended, and what it counted."),
    "rejections": (rejections, "Quarantine: documents that were not taken, with their bytes."),
    "rejection_resolutions": (rejection_resolutions, ""),
}
RESOLUTIONS = "Rejections that were made good: their bytes, or the whole of a torn record, came in."
OLD_RESOLUTIONS = "Rejections whose bytes were accepted later."
DISMISSALS = "Rejections that somebody has looked at and put aside: by which run, and why."
READINGS = "Documents that were read again, by a better program: the newest reading counts."
STATUS = "complete, known (its bytes were taken before), truncated, partial, reread or refused"
OLD_STATUS = "complete, known (its bytes were taken before) or refused"
MESSAGE = "why it was refused, or is not complete; else empty"
OLD_MESSAGE = "why it was refused, else empty"
IMPORTS = (
    "One run of ingest, retry or dismiss: who, when, with what. Without a row in import_results "
    "it is running, or was killed."
)
OLD_IMPORTS = (
    "One run of ingest or retry: who, when, with what. Without a row in import_results it is "
    "running, or was killed."
)


def dismissals() -> list[sa.schema.SchemaItem]:
    """Columns and constraints of rejection_dismissals."""
    return [
        sa.Column("dismissal_no", INT, nullable=False, comment="number of the dismissal, from 1"),
        sa.Column("rejection_id", INT, nullable=False, comment="the rejection"),
        sa.Column("import_id", INT, nullable=False, comment="the run that dismissed it: by whom"),
        sa.Column("reason", TEXT, nullable=False, comment="why, as it was given"),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.import_id"], name="fk_rejection_dismissals_import_id"
        ),
        sa.ForeignKeyConstraint(
            ["rejection_id"],
            ["rejections.rejection_id"],
            name="fk_rejection_dismissals_rejection_id",
        ),
        sa.PrimaryKeyConstraint("dismissal_no", name="pk_rejection_dismissals"),
        sa.UniqueConstraint("rejection_id", name="uq_rejection_dismissals_rejection_id"),
    ]


def readings() -> list[sa.schema.SchemaItem]:
    """Columns and constraints of readings."""
    return [
        sa.Column(
            "reading_id",
            INT,
            nullable=False,
            comment="the reading: its index in the ledger (documents.document_id)",
        ),
        sa.Column(
            "supersedes",
            INT,
            nullable=False,
            comment="the older entry of the same bytes that it takes the place of",
        ),
        sa.PrimaryKeyConstraint("reading_id", name="pk_readings"),
        sa.UniqueConstraint("supersedes", name="uq_readings_supersedes"),
    ]


def _rebuild(name: str, items: list[sa.schema.SchemaItem], comment: str, *, old: bool) -> None:
    """Make a table of SQLite anew: its rows wait beside it. Its name in the schema stays as is."""
    names = [i.name for i in items if isinstance(i, sa.Column)]
    added = {"known_rejected": "0", "known_sources": "0", "entry_index": "NULL"}
    values = [name if old else added.get(name, name) for name in names]
    quoted = ", ".join(f'"{name}"' for name in names)
    selected = ", ".join(v if v in ("0", "NULL") else f'"{v}"' for v in values)
    op.execute(f"CREATE TEMPORARY TABLE kept AS SELECT {selected} FROM {name}")
    op.drop_table(name)
    op.create_table(name, *items, comment=comment, sqlite_strict=True, sqlite_with_rowid=True)
    op.execute(f"INSERT INTO {name} ({quoted}) SELECT * FROM kept")
    op.execute("DROP TABLE kept")


def _comments(*, old: bool) -> list[tuple[str, str, str]]:
    rows = [
        ("imports", "", OLD_IMPORTS if old else IMPORTS),
        ("source_results", "status", OLD_STATUS if old else STATUS),
        ("source_results", "message", OLD_MESSAGE if old else MESSAGE),
    ]
    tables = {name: (make(old=old), comment) for name, (make, comment) in CHANGED.items()}
    tables["rejection_resolutions"] = (
        tables["rejection_resolutions"][0],
        OLD_RESOLUTIONS if old else RESOLUTIONS,
    )
    if not old:
        tables["rejection_dismissals"] = (dismissals(), DISMISSALS)
        tables["readings"] = (readings(), READINGS)
    for name, (items, comment) in tables.items():
        rows.append((name, "", comment))
        rows.extend((name, i.name, i.comment) for i in items if isinstance(i, sa.Column))
    return rows


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    if dialect == "postgresql":
        for name in ("known_rejected", "known_sources"):
            column = next(c for c in import_results(old=False) if c.name == name)
            column.server_default = sa.DefaultClause("0")
            op.add_column("import_results", column)
            op.alter_column("import_results", name, server_default=None)
        op.add_column("rejection_resolutions", rejection_resolutions(old=False)[2])
        op.drop_constraint("uq_rejections_sha256_reason", "rejections")
        op.create_unique_constraint(
            "uq_rejections_sha256_reason_source_id", "rejections", ["sha256", "reason", "source_id"]
        )
    else:
        _drop_views(_old_views())
        op.execute("PRAGMA defer_foreign_keys = ON")
        for name, (make, comment) in CHANGED.items():
            _rebuild(name, make(old=False), comment or RESOLUTIONS, old=False)
    op.create_table(
        "readings",
        *readings(),
        comment=READINGS,
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    op.create_table(
        "rejection_dismissals",
        *dismissals(),
        comment=DISMISSALS,
        sqlite_strict=True,
        sqlite_with_rowid=True,
    )
    _make_triggers(dialect, (*MADE_ANEW, *NEW) if dialect == "sqlite" else NEW)
    # OR REPLACE keeps the rights that were granted on a view.
    verb = "CREATE OR REPLACE" if dialect == "postgresql" else "CREATE"
    _make_views(dialect, VIEWS, TIME, verb)
    _comment(dialect, VIEWS, _comments(old=False))


LOST = {
    "SELECT 1 FROM readings": "readings",
    "SELECT 1 FROM rejection_dismissals": "dismissed rejections",
    "SELECT 1 FROM rejection_resolutions WHERE entry_index IS NOT NULL": "torn records made whole",
    "SELECT 1 FROM import_results WHERE known_rejected > 0 OR known_sources > 0": "counts",
    "SELECT 1 FROM rejections GROUP BY sha256, reason HAVING count(*) > 1": "rejections",
    "SELECT 1 FROM source_results WHERE status IN ('truncated', 'partial')": "states of sources",
}


def downgrade() -> None:
    dialect = op.get_context().dialect.name
    for query, what in LOST.items():
        if op.get_bind().execute(sa.text(f"{query} LIMIT 1")).first():
            raise RuntimeError(f"schema 0001 cannot hold the {what} of this store: nothing changed")
    _drop_views(VIEWS)
    for name in NEW:
        op.drop_table(name)
    if dialect == "postgresql":
        op.drop_column("import_results", "known_rejected")
        op.drop_column("import_results", "known_sources")
        op.drop_column("rejection_resolutions", "entry_index")
        op.drop_constraint("uq_rejections_sha256_reason_source_id", "rejections")
        op.create_unique_constraint(
            "uq_rejections_sha256_reason", "rejections", ["sha256", "reason"]
        )
    else:
        op.execute("PRAGMA defer_foreign_keys = ON")
        for name, (make, comment) in CHANGED.items():
            _rebuild(name, make(old=True), comment or OLD_RESOLUTIONS, old=True)
        _make_triggers(dialect, MADE_ANEW)
    _make_views(dialect, _old_views(), OLD_TIME, "CREATE")
    _comment(dialect, _old_views(), _comments(old=True))
