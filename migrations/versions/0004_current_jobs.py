"""SQL that is fast when asked naturally: a row per job as it is now, pairs by text and by job.

The views change: times are of the engine's own type, and exact beside it; `v_pair_jobs` goes,
since `v_meta` is found by key and value.

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
FILLED_FROM = (
    "attribution_members",
    "attribution_rules",
    "documents",
    "identities",
    "job_versions",
    "jobs",
    "observations",
    "readings",
    "sources",
    "terms",
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
    "postgresql": "to_timestamp(({0} / 1000)::double precision / 1000000)",
}


def _replaced(text: str, codes: range) -> str:
    for code in codes:
        text = f"replace({text}, char({code}), '\\u{code:04x}')"
    return text


def _json_text(text: str) -> str:
    """Write SQL that writes a text as JSON. In views SQLite calls no function of JSON, unless it
    trusts the schema; and its parser takes no deeper nesting than this."""
    escaped = f"replace(replace({text}, '\\', '\\\\'), '\"', '\\\"')"
    low = f"SELECT {_replaced(escaped, range(1, 16))} AS low"
    slow = f"(SELECT {_replaced('low', range(16, 32))} FROM ({low}))"
    special = "'*[' || char(1) || '-' || char(31) || '\"\\]*'"
    return f"'\"' || CASE WHEN {text} GLOB {special} THEN {slow} ELSE {text} END || '\"'"


JSON = {
    "sqlite": "'{' || coalesce(group_concat("
    + _json_text('k."key"')
    + " || ':' || "
    + _json_text("p.value")
    + "), '') || '}'",
    "postgresql": """coalesce(jsonb_object_agg(k."key", p.value), '{}')""",
}

LIVE = "NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = {0}.document_id)"
"""Whether an entry is not superseded by a better reading."""
LIVE_VERSION = """(
        NOT EXISTS (SELECT 1 FROM readings) OR EXISTS (
            SELECT 1 FROM observations o
            WHERE o.job_key = {0}.job_key AND o.version_no = {0}.version_no
                AND NOT EXISTS (SELECT 1 FROM readings q WHERE q.supersedes = o.document_id)))"""
"""Whether a live entry shows a version. Where there are no readings, that is not asked."""
# What came without a namespace belongs to the job of its ID that has one: then it has no row in
# current_jobs. (An ID may be in several namespaces: then it is in each.)
OF_JOB = """
    JOIN jobs a ON a.job_key = e.job_key
    JOIN jobs j ON j.job_id = a.job_id AND (j.job_key = a.job_key) = EXISTS (
        SELECT 1 FROM current_jobs c WHERE c.job_key = a.job_key)"""
RULE = "(SELECT {0} FROM attribution_rules WHERE rule_id = c.{1}_rule)"
SPEC = "FROM job_versions v WHERE v.job_key = c.job_key AND v.version_no = c.version_no"
STATE = "FROM observations o WHERE o.job_key = c.job_key AND o.document_id = c.document_id"
STARTED = "(SELECT m.started_at FROM imports m WHERE m.import_id = c.{0}_import)"
PAIRS = """FROM {0} e JOIN meta_pairs p ON p.pair_id = e.pair_id
        JOIN meta_keys k ON k.key_id = p.key_id
        WHERE e.job_key = c.job_key AND e.version_no = c.version_no"""

JOB = (
    ("job_id", "j.job_id", "ID of the job"),
    ("namespace", "TERM(j.namespace_id)", "namespace of the job"),
)
JOB_KEY = ("job_key", "j.job_key", "number of the job in this store; joins views fast")
VERSION_NO = ("version_no", "v.version_no", "version of the job in this store, from 1")


def time(name: str, column: str, meaning: str) -> tuple[tuple[str, str, str], ...]:
    """Return two columns of one time: for people and their tools, and exactly."""
    exact = "time_ns" if name == "time" else f"{name.removesuffix('_at')}_ns"
    return (
        (name, f"TIME({column})", meaning),
        (exact, column, meaning),
    )


NAMED = """CASE WHEN {0} THEN coalesce((
        SELECT CASE WHEN y.term >= 'v1.5.2' THEN
            CASE e.state WHEN 'unknown (6)' THEN 'Running' WHEN 'unknown (7)' THEN 'Publishing'
                WHEN 'unknown (8)' THEN 'BidRejected' ELSE 'Completed' END
        ELSE
            CASE e.state WHEN 'unknown (6)' THEN 'BidRejected' WHEN 'unknown (7)' THEN 'Completed'
                WHEN 'unknown (8)' THEN 'Failed' ELSE 'Cancelled' END
        END
        FROM current_jobs c
        JOIN job_versions w ON w.job_key = c.job_key AND w.version_no = c.version_no
        JOIN terms y ON y.term_id = w.layout_id
        WHERE c.job_key = j.job_key), e.state) ELSE e.state END"""
"""State of an execution. v1.5.2 gave these numbers other meanings: the layout of the job names them."""
IS_NUMBER = "e.state IN ('unknown (6)', 'unknown (7)', 'unknown (8)', 'unknown (9)')"

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
            ("state_message", f"(SELECT TERM(o.message_id) {STATE})", "message of that state"),
            ("client", "x.value", "client that sent it: the best known"),
            ("client_trust", RULE.format("trust", "client"), "trust in that client"),
            ("client_verdict", RULE.format("verdict", "client"), "verdict on that client"),
            ("requester", "y.value", "node that accepted the job: the best known"),
            ("requester_trust", RULE.format("trust", "requester"), "trust in that node"),
            ("requester_verdict", RULE.format("verdict", "requester"), "verdict on that node"),
            *time("created_at", "c.created_at", "creation"),
            *time("modified_at", "c.modified_at", "last change seen"),
            ("first_seen", f"TIME({STARTED.format('first')})", "when its first import began"),
            ("last_seen", f"TIME({STARTED.format('last')})", "when its last import began"),
            ("first_import", "c.first_import", "import that first showed it"),
            ("last_import", "c.last_import", "import that last brought a document of it"),
            ("version", "c.version", "Version as Bacalhau counts it"),
            ("revision", "c.revision", "Revision as Bacalhau counts it"),
            ("version_no", "c.version_no", "newest version in this store, from 1"),
            ("versions", "c.versions", "number of its versions in this store"),
            ("origin", "c.origin", "orchestrator, submission, spec or event"),
            (
                "layout",
                f"(SELECT TERM(v.layout_id) {SPEC})",
                "Bacalhau version that first wrote this layout",
            ),
            ("priority", f"(SELECT v.priority {SPEC})", "priority"),
            ("count", f'(SELECT v."count" {SPEC})', "number of executions asked for"),
            ("entry_index", "c.document_id", "ledger index of its newest document"),
            ("job_key", "c.job_key", JOB_KEY[2]),
        ),
        """
    FROM current_jobs c
    JOIN jobs j ON j.job_key = c.job_key
    LEFT JOIN terms n ON n.term_id = c.name_id
    LEFT JOIN identities x ON x.identity_id = c.client_id
    LEFT JOIN identities y ON y.identity_id = c.requester_id
    WHERE c.version_no > 0""",
    ),
    "v_meta": (
        "A row per Meta pair of every job version, found by job, by key, or by key and value.",
        (
            *JOB,
            ("version_no", "e.version_no", "version of the job in this store, from 1"),
            ("level", "CASE e.task_no WHEN 0 THEN 'job' ELSE 'task' END", "job or task"),
            ("task_no", "e.task_no", "number of the task, 0 for the job"),
            (
                "task",
                "(SELECT TERM(t.name_id) FROM tasks t WHERE t.job_key = e.job_key"
                " AND t.version_no = e.version_no AND t.task_no = e.task_no)",
                "name of the task, NULL for the job",
            ),
            ("key", 'k."key"', "key"),
            ("value", "p.value", "value"),
            JOB_KEY,
        ),
        f"""
    FROM meta_entries e
    JOIN jobs j ON j.job_key = e.job_key
    JOIN meta_pairs p ON p.pair_id = e.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id
    WHERE {LIVE_VERSION.format("e")}""",
    ),
    "v_labels": (
        "A row per label of every job version, found by job, by key, or by key and value.",
        (
            *JOB,
            VERSION_NO,
            ("key", 'k."key"', "key"),
            ("value", "p.value", "value"),
            JOB_KEY,
        ),
        f"""
    FROM label_entries v
    JOIN jobs j ON j.job_key = v.job_key
    JOIN meta_pairs p ON p.pair_id = v.pair_id
    JOIN meta_keys k ON k.key_id = p.key_id
    WHERE {LIVE_VERSION.format("v")}""",
    ),
    "v_job_meta": (
        "A row per job: the Meta and the labels of its newest version, each as one JSON object.",
        (
            ("job_id", "j.job_id", "ID of the job"),
            ("namespace", "c.namespace", "namespace of the job"),
            ("version_no", "c.version_no", "newest version in this store, from 1"),
            (
                "meta",
                f"""(SELECT PAIRS_AS_JSON
        {PAIRS.format("meta_entries")} AND e.task_no = 0)""",
                "the job's own Meta, as a JSON object; v_meta has that of its tasks",
            ),
            (
                "labels",
                f"""(SELECT PAIRS_AS_JSON
        {PAIRS.format("label_entries")})""",
                "its labels, as a JSON object",
            ),
            ("job_key", "c.job_key", JOB_KEY[2]),
        ),
        """
    FROM current_jobs c
    JOIN jobs j ON j.job_key = c.job_key
    WHERE c.version_no > 0""",
    ),
    "v_keys": (
        "A row per key of Meta and labels.",
        (
            ("key", 'k."key"', "key"),
            (
                "distinct_values",
                "(SELECT count(*) FROM meta_pairs p WHERE p.key_id = k.key_id)",
                "number of its distinct values",
            ),
            (
                "meta_count",
                "(SELECT count(*) FROM meta_pairs p JOIN meta_entries e ON e.pair_id = p.pair_id"
                " WHERE p.key_id = k.key_id)",
                "number of Meta entries of all versions that have it; counted when asked for",
            ),
            (
                "label_count",
                "(SELECT count(*) FROM meta_pairs p JOIN label_entries e ON e.pair_id = p.pair_id"
                " WHERE p.key_id = k.key_id)",
                "number of labels of all versions that have it; counted when asked for",
            ),
        ),
        """
    FROM meta_keys k""",
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
            JOB_KEY,
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
            *time("created_at", "v.created_at", "creation"),
            ("spec_sha256", "HEX(v.spec_sha256)", "identity of the version"),
            JOB_KEY,
        ),
        f"""
    FROM job_versions v JOIN jobs j ON j.job_key = v.job_key
    WHERE {LIVE_VERSION.format("v")}""",
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
            JOB_KEY,
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
            *time("modified_at", "o.modified_at", "last change"),
            ("document_sha256", "HEX(d.sha256)", "SHA-256 of the document"),
            ("entry_index", "o.document_id", "its index in the ledger"),
            ("source", "s.uri", "where the document was first seen"),
            ("ordinal", "o.ordinal", "number of the document in the source, from 1"),
            ("line", "o.line", "line of the source, from 1"),
            ("import_id", "s.import_id", "import that took it"),
            ("actor", "m.actor", "user@host that ran that import"),
            *time("observed_at", "m.started_at", "when that import began"),
            JOB_KEY,
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
            ("state", NAMED.format(IS_NUMBER), "compute state"),
            ("desired_state", "e.desired_state", "desired state"),
            ("message", "e.message", "message of the state"),
            *time("created_at", "e.created_at", "creation"),
            *time("modified_at", "e.modified_at", "last change"),
            ("entry_index", "e.document_id", "ledger index of the document"),
            JOB_KEY,
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
            *time("time", "e.time", "when"),
            ("kind", "e.kind", "JobLevel, ExecutionLevel, or the event name of v0.x"),
            ("execution_id", "e.execution_id", "ID of the execution, or empty"),
            ("node", "i.value", "ID of the node, or empty"),
            (
                "state",
                NAMED.format(f"e.kind = 'ExecutionLevel' AND {IS_NUMBER}"),
                "new state, or empty",
            ),
            ("message", "e.message", "comment or message"),
            ("entry_index", "e.document_id", "ledger index of the document"),
            JOB_KEY,
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
            JOB_KEY,
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
            *time("read_at", "m.started_at", "when that run began"),
        ),
        """
    FROM readings r
    JOIN documents d ON d.document_id = r.reading_id
    JOIN ledger_entries e ON e.entry_index = r.reading_id
    JOIN sources s ON s.source_id = e.source_id
    JOIN imports m ON m.import_id = s.import_id""",
    ),
    "v_imports": (
        "A row per run of ingest, reread, retry or dismiss.",
        (
            ("import_id", "m.import_id", "number of the import"),
            (
                "status",
                "coalesce(x.status, 'unfinished')",
                "complete, interrupted, failed, unfinished",
            ),
            *time("started_at", "m.started_at", "when it began"),
            *time("finished_at", "x.finished_at", "when it ended"),
            ("actor", "m.actor", "user@host that ran it"),
            ("tool_version", "m.tool_version", "version of meta-audit"),
            ("arguments", "DOCUMENT(m.arguments)", "its arguments, as JSON"),
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
    "v_contract": (
        "What the views promise: a row per view and per column.",
        (
            ("relation", "p.relation", "view"),
            ("column", 'p."column"', "column, empty for the view itself"),
            (
                "meaning",
                "(SELECT s.comment FROM schema_comments s WHERE s.relation = p.relation"
                ' AND s."column" = p."column")',
                "what it means",
            ),
            (
                "type",
                "p.type",
                "text, integer, time (RFC 3339 text on SQLite, timestamptz on PostgreSQL) or json",
            ),
            ("unit", "p.unit", "unit, or empty"),
            ("example", "p.example", "a value"),
            ("since", "p.since", "version of the contract that first had it"),
            (
                "deprecated",
                "p.deprecated",
                "what to use instead, and until when it stays; empty if it stays",
            ),
            ("fast_by", "p.fast_by", "conditions and orders that an index answers"),
            ("contract", "1", "version of the contract"),
        ),
        """
    FROM contract p""",
    ),
}


CONTRACT = {
    "v_jobs": (
        ("job_id", "text", "", "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e", "="),
        ("namespace", "text", "", "default", "="),
        ("name", "text", "", "nightly-report", "="),
        ("type", "text", "", "batch", ""),
        ("state", "text", "", "Completed", "="),
        ("state_message", "text", "", "", ""),
        ("client", "text", "", "07bde6e8241b19d5...", "="),
        ("client_trust", "text", "", "proven", ""),
        ("client_verdict", "text", "", "match", ""),
        ("requester", "text", "", "QmXaXu9N5GNetats...", "="),
        ("requester_trust", "text", "", "server", ""),
        ("requester_verdict", "text", "", "match", ""),
        ("created_at", "time", "UTC", "2024-11-02T02:00:00.123456789Z", "=, range, order"),
        (
            "created_ns",
            "integer",
            "ns since 1970",
            "1730512800123456789",
            "=, range, order; also within a namespace, name, state, client or requester",
        ),
        ("modified_at", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("modified_ns", "integer", "ns since 1970", "1730512800123456789", ""),
        ("first_seen", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("last_seen", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("first_import", "integer", "", "1", ""),
        ("last_import", "integer", "", "3", ""),
        ("version", "integer", "", "1", ""),
        ("revision", "integer", "", "4", ""),
        ("version_no", "integer", "", "1", ""),
        ("versions", "integer", "", "1", ""),
        ("origin", "text", "", "orchestrator", ""),
        ("layout", "text", "", "v1.5.2", ""),
        ("priority", "integer", "", "50", ""),
        ("count", "integer", "", "1", ""),
        ("entry_index", "integer", "", "12", ""),
        ("job_key", "integer", "", "7", "="),
    ),
    "v_meta": (
        ("job_id", "text", "", "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e", "="),
        ("namespace", "text", "", "default", ""),
        ("version_no", "integer", "", "1", ""),
        ("level", "text", "", "job", ""),
        ("task_no", "integer", "", "0", ""),
        ("task", "text", "", "main", ""),
        ("key", "text", "", "project", "="),
        ("value", "text", "", "finance", "= beside key"),
        ("job_key", "integer", "", "7", "="),
    ),
    "v_labels": (
        ("job_id", "text", "", "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e", "="),
        ("namespace", "text", "", "default", ""),
        ("version_no", "integer", "", "1", ""),
        ("key", "text", "", "project", "="),
        ("value", "text", "", "finance", "= beside key"),
        ("job_key", "integer", "", "7", "="),
    ),
    "v_job_meta": (
        ("job_id", "text", "", "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e", "="),
        ("namespace", "text", "", "default", "="),
        ("version_no", "integer", "", "1", ""),
        ("meta", "json", "", '{"project": "finance"}', ""),
        ("labels", "json", "", '{"env": "prod"}', ""),
        ("job_key", "integer", "", "7", "="),
    ),
    "v_attributions": (
        ("job_id", "text", "", "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e", "="),
        ("namespace", "text", "", "default", ""),
        ("version_no", "integer", "", "1", ""),
        ("role", "text", "", "client", ""),
        ("value", "text", "", "07bde6e8241b19d5...", "="),
        ("basis", "text", "", "metadata.ClientID", ""),
        ("trust", "text", "", "server", ""),
        ("verdict", "text", "", "no_key", ""),
        ("job_key", "integer", "", "7", "="),
    ),
    "v_versions": (
        ("job_id", "text", "", "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e", "="),
        ("namespace", "text", "", "default", ""),
        ("version_no", "integer", "", "1", ""),
        ("name", "text", "", "nightly-report", ""),
        ("version", "integer", "", "1", ""),
        ("origin", "text", "", "orchestrator", ""),
        ("layout", "text", "", "v1.5.2", ""),
        ("created_at", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("created_ns", "integer", "ns since 1970", "1730512800123456789", ""),
        ("spec_sha256", "text", "", "9f86d081884c7d65...", ""),
        ("job_key", "integer", "", "7", "="),
    ),
    "v_tasks": (
        ("job_id", "text", "", "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e", "="),
        ("namespace", "text", "", "default", ""),
        ("version_no", "integer", "", "1", ""),
        ("task_no", "integer", "", "0", ""),
        ("task", "text", "", "main", ""),
        ("engine", "text", "", "docker", ""),
        ("publisher", "text", "", "s3", ""),
        ("job_key", "integer", "", "7", "="),
    ),
    "v_observations": (
        ("job_id", "text", "", "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e", "="),
        ("namespace", "text", "", "default", ""),
        ("version_no", "integer", "", "1", ""),
        ("state", "text", "", "Completed", ""),
        ("state_message", "text", "", "", ""),
        ("revision", "integer", "", "4", ""),
        ("modified_at", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("modified_ns", "integer", "ns since 1970", "1730512800123456789", ""),
        ("document_sha256", "text", "", "2ea5c9cc035eb4a6...", ""),
        ("entry_index", "integer", "", "12", ""),
        ("source", "text", "", "examples/v1.6-jobs.ndjson", ""),
        ("ordinal", "integer", "", "1", ""),
        ("line", "integer", "", "1", ""),
        ("import_id", "integer", "", "1", ""),
        ("actor", "text", "", "ana@audit", ""),
        ("observed_at", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("observed_ns", "integer", "ns since 1970", "1730512800123456789", ""),
        ("job_key", "integer", "", "7", "="),
    ),
    "v_executions": (
        ("job_id", "text", "", "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e", "="),
        ("namespace", "text", "", "default", ""),
        ("execution_id", "text", "", "e-0aa4d3b2-...", ""),
        ("node", "text", "", "QmYgxZiySj3MRkwL...", "="),
        ("state", "text", "", "Completed", ""),
        ("desired_state", "text", "", "Running", ""),
        ("message", "text", "", "exit code 1", ""),
        ("created_at", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("created_ns", "integer", "ns since 1970", "1730512800123456789", ""),
        ("modified_at", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("modified_ns", "integer", "ns since 1970", "1730512800123456789", ""),
        ("entry_index", "integer", "", "12", ""),
        ("job_key", "integer", "", "7", "="),
    ),
    "v_events": (
        ("job_id", "text", "", "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e", "="),
        ("namespace", "text", "", "default", ""),
        ("time", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("time_ns", "integer", "ns since 1970", "1730512800123456789", ""),
        ("kind", "text", "", "ExecutionLevel", ""),
        ("execution_id", "text", "", "e-0aa4d3b2-...", ""),
        ("node", "text", "", "QmYgxZiySj3MRkwL...", ""),
        ("state", "text", "", "Completed", ""),
        ("message", "text", "", "exit code 1", ""),
        ("entry_index", "integer", "", "12", ""),
        ("job_key", "integer", "", "7", "="),
    ),
    "v_findings": (
        ("job_id", "text", "", "j-0c4f5a1e-6f0e-4a58-9f1b-2f8a4f1c2d3e", "="),
        ("namespace", "text", "", "default", ""),
        ("code", "text", "", "reserved.task", ""),
        ("severity", "text", "", "critical", ""),
        ("detail", "text", "", "task 'main' Meta: ...", ""),
        ("entry_index", "integer", "", "12", ""),
        ("job_key", "integer", "", "7", "="),
    ),
    "v_keys": (
        ("key", "text", "", "project", "="),
        ("distinct_values", "integer", "", "32", ""),
        ("meta_count", "integer", "", "12031", ""),
        ("label_count", "integer", "", "0", ""),
    ),
    "v_readings": (
        ("entry_index", "integer", "", "12", "="),
        ("supersedes", "integer", "", "12", "="),
        ("document_sha256", "text", "", "2ea5c9cc035eb4a6...", ""),
        ("import_id", "integer", "", "1", ""),
        ("tool_version", "text", "", "0.1.0", ""),
        ("read_at", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("read_ns", "integer", "ns since 1970", "1730512800123456789", ""),
    ),
    "v_rejections": (
        ("rejection_id", "integer", "", "17", "="),
        ("reason", "text", "", "truncated", ""),
        ("message", "text", "", "exit code 1", ""),
        ("source", "text", "", "examples/v1.6-jobs.ndjson", ""),
        ("ordinal", "integer", "", "1", ""),
        ("line", "integer", "", "1", ""),
        ("size", "integer", "bytes", "900", ""),
        ("document_sha256", "text", "", "2ea5c9cc035eb4a6...", ""),
        ("import_id", "integer", "", "1", ""),
        ("resolved_by", "integer", "", "2", ""),
        ("dismissed_by", "integer", "", "3", ""),
        ("dismissed_because", "text", "", "not a job", ""),
    ),
    "v_imports": (
        ("import_id", "integer", "", "1", "="),
        ("status", "text", "", "complete", ""),
        ("started_at", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("started_ns", "integer", "ns since 1970", "1730512800123456789", ""),
        ("finished_at", "time", "UTC", "2024-11-02T02:00:00.123456789Z", ""),
        ("finished_ns", "integer", "ns since 1970", "1730512800123456789", ""),
        ("actor", "text", "", "ana@audit", ""),
        ("tool_version", "text", "", "0.1.0", ""),
        ("arguments", "json", "", '["ingest", "examples"]', ""),
        ("sources", "integer", "", "4", ""),
        ("documents", "integer", "", "18", ""),
        ("new", "integer", "", "8", ""),
        ("changed", "integer", "", "8", ""),
        ("unchanged", "integer", "", "0", ""),
        ("rejected", "integer", "", "2", ""),
        ("known_rejected", "integer", "", "0", ""),
        ("known_sources", "integer", "", "0", ""),
    ),
    "v_sources": (
        ("source_id", "integer", "", "1", "="),
        ("import_id", "integer", "", "1", "="),
        ("source", "text", "", "examples/v1.6-jobs.ndjson", ""),
        ("status", "text", "", "complete", ""),
        ("message", "text", "", "exit code 1", ""),
        ("size", "integer", "bytes", "900", ""),
        ("sha256", "text", "", "7972efac134f129e...", ""),
        ("documents", "integer", "", "18", ""),
        ("rejected", "integer", "", "2", ""),
    ),
    "v_contract": (
        ("relation", "text", "", "v_jobs", "="),
        ("column", "text", "", "state", ""),
        ("meaning", "text", "", "newest state that was seen", ""),
        ("type", "text", "", "text", ""),
        ("unit", "text", "", "ns since 1970", ""),
        ("example", "text", "", "Completed", ""),
        ("since", "integer", "", "1", ""),
        ("deprecated", "text", "", "", ""),
        ("fast_by", "text", "", "=, range, order", ""),
        ("contract", "integer", "", "1", ""),
    ),
}
"""Of each column: its name, type, unit, an example, and what an index answers."""
PROMISES = "The type, unit and use of every column of every view, which programs may rely on."
PROMISE_COLUMNS = (
    ("relation", TEXT, "view"),
    ("column", TEXT, "column, empty for the view itself"),
    ("type", TEXT, "text, integer, time or json; view"),
    ("unit", TEXT, "unit, or empty"),
    ("example", TEXT, "a value"),
    ("since", INT, "version of the contract that first had it"),
    ("deprecated", TEXT, "what to use instead, and until when it stays; empty if it stays"),
    ("fast_by", TEXT, "conditions and orders that an index answers"),
)


def _sql(text: str, dialect: str) -> str:
    """Write out `TIME(...)`, and the like."""
    if text.startswith("TIME("):
        return TIME[dialect].format(text[5:-1])
    if text.startswith("HEX("):
        column = text[4:-1]
        if dialect == "sqlite":  # hex(NULL) is the empty text there
            return f"CASE WHEN {column} IS NOT NULL THEN lower(hex({column})) END"
        return f"encode({column}, 'hex')"
    if text.startswith("DOCUMENT("):
        return f"{text[9:-1]}{'::jsonb' if dialect == 'postgresql' else ''}"
    before, is_term, rest = text.partition("TERM(")
    if is_term:
        column, _, after = rest.partition(")")
        text = f"{before}(SELECT term FROM terms WHERE term_id = {column}){after}"
    return text.replace("PAIRS_AS_JSON", JSON[dialect])


def _make_views(dialect: str) -> None:
    for name, (_, columns, source) in VIEWS.items():
        selected = ",\n    ".join(f'{_sql(e, dialect)} AS "{c}"' for c, e, _ in columns)
        statement = f"CREATE VIEW {name} AS SELECT\n    {selected}{source}"
        op.execute(sa.text(statement.replace(":", r"\:")))


def _comment(
    dialect: str, views: dict, rows: list[tuple[str, str, str]], gone: tuple[str, ...]
) -> None:
    for name, (meaning, columns, _) in views.items():
        rows.append((name, "", meaning))
        rows += [(name, column, text) for column, _, text in columns]
    comments = sa.table(
        "schema_comments", *(sa.column(c) for c in ("relation", "column", "comment"))
    )
    op.execute(comments.delete().where(comments.c.relation.in_([*views, *gone])))
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


LIKE = {"current_jobs": "jobs", "contract": "schema_comments"}
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


def _rights(dialect: str, old: list[str], new: dict[str, str]) -> list[str]:
    """Return SQL that gives owners and rights again to what is made anew.

    `new` has relations that are new by those that they are like.
    """
    if dialect != "postgresql":
        return []
    like: dict[str, list[str]] = {name: [name] for name in old}
    for name, model in new.items():
        like.setdefault(model, []).append(name)
    query, quote = op.get_bind().exec_driver_sql, op.get_bind().dialect.identifier_preparer.quote
    given = []
    for relation, right, grantee in query(RIGHTS, ([*like],)):
        for name in like[relation]:
            is_table = name in LIKE or name == "pair_jobs"
            rights = f"{right}, DELETE" if right == "INSERT" and name in LIKE else right
            if not is_table or right in ("SELECT", "INSERT"):
                who = quote(grantee) if grantee else "PUBLIC"
                given.append(f"GRANT {rights} ON {name} TO {who}")
    for relation, owner in query(OWNERS, ([*like],)):
        given += [f"ALTER TABLE {name} OWNER TO {quote(owner)}" for name in like[relation]]
    return given


NEW_VIEWS = {"v_job_meta": "v_jobs", "v_keys": "v_meta", "v_contract": "v_jobs"}
TEXTS = {
    "terms": ("term",),
    "meta_keys": ("key",),
    "meta_pairs": ("key_id", "value"),
    "identities": ("value",),
}
"""Texts that SQL finds as they stand, whatever their length."""
PAIR_INDEXES = ("meta_entries", "label_entries")
STATISTICS = {
    "current_jobs": {
        "": "1000000",
        "created_at": "1000000 1",
        "created_time": "1000000 1",
        "client_id_created_at": "1000000 200 1",
        "requester_id_created_at": "1000000 20000 1",
        "name_id_created_at": "1000000 40 1",
        "namespace_created_at": "1000000 20000 1",
        "state_created_at": "1000000 150000 1",
    },
    "jobs": {"sqlite_autoindex_jobs_1": "1000000 1 1"},
    "meta_entries": {"pair_id_job_key": "12000000 50 2", "meta_entries": "12000000 12 12 8 1"},
    "label_entries": {"pair_id_job_key": "2000000 50 2", "label_entries": "2000000 2 2 1"},
    "meta_pairs": {"key_id_value": "250000 2000 1"},
    "meta_keys": {"key": "100 1"},
    "terms": {"term": "250000 1"},
    "identities": {"value": "10000 1"},
    "job_versions": {"job_versions": "1000000 1 1", "attribution_set": "1000000 100"},
    "observations": {"observations": "1500000 2 1"},
    "executions": {"executions": "1000000 2 2 1", "node_id_job_key": "1000000 10000 2"},
}
"""What ANALYZE would find in a store of a million jobs. Without it SQLite takes a state or a
namespace for as rare as a pair. The numbers need not be true: they keep its plans steady."""


def _tell_statistics() -> None:
    op.execute("ANALYZE sqlite_schema")  # makes the table
    op.execute("DELETE FROM sqlite_stat1")
    for table, indexes in STATISTICS.items():
        for index, numbers in indexes.items():
            name = index if index in ("", table) or "auto" in index else f"ix_{table}_{index}"
            op.execute(
                sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:t, :i, :s)").bindparams(
                    t=table, i=name or None, s=numbers
                )
            )


def _promise() -> None:
    contract = op.create_table(
        "contract",
        *(
            sa.Column(name, type_, nullable=False, autoincrement=False, comment=text)
            for name, type_, text in PROMISE_COLUMNS
        ),
        sa.PrimaryKeyConstraint("relation", "column", name="pk_contract"),
        comment=PROMISES,
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    names = ("relation", "column", "type", "unit", "example", "fast_by")
    rows = [(view, "", "view", "", "", "") for view in CONTRACT]
    rows += [
        (view, column, type_, unit, example, fast_by)
        for view, columns in CONTRACT.items()
        for column, type_, unit, example, fast_by in columns
    ]
    same = {"since": 1, "deprecated": ""}
    op.bulk_insert(contract, [dict(zip(names, row, strict=True)) | same for row in rows])


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    old = [name for name in VIEWS if name not in NEW_VIEWS]
    rights = _rights(dialect, old, LIKE | NEW_VIEWS)
    for name in (*reversed(old), "v_pair_jobs"):
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
    if dialect == "postgresql":  # without statistics it would loop over all sets for each job
        op.execute(f"ANALYZE {', '.join(FILLED_FROM)}")
        op.execute("SET LOCAL enable_nestloop = off")
    op.execute(FILL)
    if dialect == "postgresql":
        op.execute("SET LOCAL enable_nestloop = on")
    for columns in INDEXES:
        name = "_".join(("ix_current_jobs", *columns))
        op.create_index(name, "current_jobs", list(columns))
    time_ = sa.text(TIME[dialect].format("created_at").replace(":", r"\:"))
    op.create_index("ix_current_jobs_created_time", "current_jobs", [time_])
    op.drop_table("pair_jobs")
    for table in PAIR_INDEXES:
        op.create_index(f"ix_{table}_pair_id_job_key", table, ["pair_id", "job_key"])
    op.create_index("ix_executions_node_id_job_key", "executions", ["node_id", "job_key"])
    op.drop_index("ix_job_versions_name_id", "job_versions")
    op.drop_index("ix_job_versions_attribution_set_created_at", "job_versions")
    op.create_index("ix_job_versions_attribution_set", "job_versions", ["attribution_set"])
    for table, columns in TEXTS.items():
        if dialect == "sqlite":
            op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns), unique=True)
        else:
            name = f"ix_{table}_{columns[-1]}"
            op.create_index(name, table, [columns[-1]], postgresql_using="hash")
    if dialect == "postgresql":
        op.create_index("ix_meta_pairs_key_id", "meta_pairs", ["key_id"])
    _promise()
    _make_views(dialect)
    rows = [("current_jobs", "", CURRENT_JOBS), ("contract", "", PROMISES)]
    rows += [("current_jobs", name, text) for name, _, text in COLUMNS]
    rows += [("contract", name, text) for name, _, text in PROMISE_COLUMNS]
    _comment(dialect, VIEWS, rows, ("pair_jobs", "v_pair_jobs"))
    for statement in rights:
        op.execute(statement)
    if dialect == "sqlite":
        _tell_statistics()


PAIR_JOBS = (
    "Reverse index: the jobs of a Meta pair by time. Pairs that gave an attribution are left out: "
    "attribution_members finds those."
)
PAIR_COLUMNS = (
    ("pair_id", INT, "the pair (meta_pairs.pair_id)"),
    ("created_hour", INT, "creation of the job, hours since 1970 UTC, 0 when not known"),
    ("job_key", INT, "the job (jobs.job_key)"),
)
FILL_PAIR_JOBS = """
    INSERT INTO pair_jobs (pair_id, created_hour, job_key)
    SELECT DISTINCT e.pair_id, CASE WHEN coalesce(v.created_at, 0) >= 0
            THEN coalesce(v.created_at, 0) / 3600000000000
            ELSE -((3599999999999 - v.created_at) / 3600000000000) END, e.job_key
    FROM meta_entries e
    JOIN job_versions v ON v.job_key = e.job_key AND v.version_no = e.version_no
    WHERE e.task_no > 0 OR NOT EXISTS (
        SELECT 1 FROM meta_pairs p JOIN meta_keys k ON k.key_id = p.key_id
        JOIN attribution_members m ON m.set_id = v.attribution_set
        JOIN attribution_rules r ON r.rule_id = m.rule_id
        WHERE p.pair_id = e.pair_id AND r.basis = 'meta:' || k."key")
    ORDER BY 1, 2, 3"""


def downgrade() -> None:
    dialect = op.get_context().dialect.name
    older = op.get_context().environment_context.script.get_revision("0002").module
    views = {name: older.VIEWS[name] for name in VIEWS if name not in NEW_VIEWS}
    views["v_pair_jobs"] = older.VIEWS["v_pair_jobs"]
    kept = [name for name in VIEWS if name not in NEW_VIEWS]
    rights = _rights(dialect, kept, {"pair_jobs": "jobs", "v_pair_jobs": "v_meta"})
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
    if dialect == "sqlite":
        op.execute("DROP TABLE IF EXISTS sqlite_stat1")
    for table, columns in TEXTS.items():
        named = "_".join(columns) if dialect == "sqlite" else columns[-1]
        op.drop_index(f"ix_{table}_{named}", table)
    if dialect == "postgresql":
        op.drop_index("ix_meta_pairs_key_id", "meta_pairs")
    for table in (*PAIR_INDEXES, "executions"):
        column = "node_id" if table == "executions" else "pair_id"
        op.drop_index(f"ix_{table}_{column}_job_key", table)
    op.drop_index("ix_job_versions_attribution_set", "job_versions")
    op.create_index("ix_job_versions_name_id", "job_versions", ["name_id"])
    op.create_index(
        "ix_job_versions_attribution_set_created_at",
        "job_versions",
        ["attribution_set", "created_at"],
    )
    op.drop_table("current_jobs")
    op.drop_table("contract")
    op.create_table(
        "pair_jobs",
        *(
            sa.Column(name, type_, nullable=False, autoincrement=False, comment=text)
            for name, type_, text in PAIR_COLUMNS
        ),
        sa.PrimaryKeyConstraint("pair_id", "created_hour", "job_key", name="pk_pair_jobs"),
        comment=PAIR_JOBS,
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(FILL_PAIR_JOBS)
    older._make_triggers(dialect, ("pair_jobs",))
    older._make_views(dialect, views, older.TIME, "CREATE")
    rows = [("pair_jobs", "", PAIR_JOBS)]
    rows += [("pair_jobs", name, text) for name, _, text in PAIR_COLUMNS]
    _comment(dialect, views, rows, (*LIKE, *VIEWS))
    for statement in rights:
        op.execute(statement)
