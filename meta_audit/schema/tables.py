"""Define the tables for SQLAlchemy: names, types, keys and comments in one place.

Migrations hold frozen copies; a test compares a migrated store with this module.

- All times are integer nanoseconds since 1970-01-01 UTC (`*_ms`: milliseconds).
- `job_key` leads the primary key of every table that grows with jobs, so the rows of one job
  lie together. Indexes of `meta_entries` and `label_entries` lead from a pair to its jobs.
- These tables have no foreign keys: rows enter in bulk through one writer, and the ledger
  covers each of them (docs/adr/0003).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Sorted by code point on both engines, whatever the locale of the database."""


def _table(name: str, comment: str, *items: sa.schema.SchemaItem, clustered: bool) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        *items,
        comment=comment,
        sqlite_with_rowid=not clustered,
        sqlite_strict=True,
    )


def _small(name: str, comment: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, comment=comment)


def _key(name: str, comment: str) -> sa.Column[int]:
    return sa.Column(name, INT, primary_key=True, autoincrement=False, comment=comment)


def _int(name: str, comment: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, INT, nullable=null, comment=comment)


def _text(name: str, comment: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=null, comment=comment)


def _blob(name: str, comment: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False, comment=comment)


def _found_by_text(column: str, within: str = "") -> tuple[sa.Index, sa.Index]:
    """Return indexes by which SQL finds a text of any length, one for each engine.

    PostgreSQL hashes: its sorted indexes refuse texts above 2,704 bytes.
    """
    columns = (within, column) if within else (column,)
    return (
        _only("sqlite", sa.Index(None, *columns, unique=True)),
        _only("postgresql", sa.Index(None, column, postgresql_using="hash")),
    )


def _only(dialect: str, index: sa.Index) -> sa.Index:
    index.info["dialect"] = dialect
    return index.ddl_if(dialect=dialect)


def _ref(name: str, target: str, comment: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(
        name,
        INT,
        sa.ForeignKey(target),
        primary_key=key,
        autoincrement=False,
        nullable=False,
        comment=comment,
    )


_JOB_KEY = "the job (jobs.job_key)"
_VERSION_NO = "version of the job in this store, from 1 in order of arrival"
_DOCUMENT = "the document it was read from (documents.document_id)"
_DIGEST = "first 16 bytes of the SHA-256 of "
_TERM = " (terms.term_id)"

imports = _table(
    "imports",
    "One run of ingest, retry or dismiss: who, when, with what. Without a row in import_results "
    "it is running, or was killed.",
    _key("import_id", "number of the import, from 1"),
    _int("started_at", "when it began, ns"),
    _text("actor", "user@host that ran it"),
    _text("tool_version", "version of meta-audit"),
    _text("arguments", "its arguments, as JSON"),
    clustered=False,
)
import_results = _table(
    "import_results",
    "How an import ended, and what it counted.",
    _ref("import_id", "imports.import_id", "the import", key=True),
    _int("finished_at", "when it ended, ns"),
    _text("status", "complete, interrupted (signal) or failed (error)"),
    _int("sources", "sources read"),
    _int("documents", "documents offered"),
    _int("new", "documents that brought a new job"),
    _int("changed", "documents that brought a new version or state of a known job"),
    _int("unchanged", "documents that brought nothing new"),
    _int("rejected", "documents rejected that are new to look at"),
    _int("known_rejected", "documents rejected before in the same way"),
    _int("known_sources", "sources read before, which have no row of their own here"),
    clustered=False,
)
sources = _table(
    "sources",
    "Each file or stream of an import.",
    _key("source_id", "number of the source, from 1"),
    _ref("import_id", "imports.import_id", "the import that read it"),
    _text("uri", "path or name, as it was given"),
    sa.Index(None, "import_id"),
    clustered=False,
)
source_results = _table(
    "source_results",
    "How the reading of a source ended.",
    _key("result_no", "number of the result, from 1 in order of arrival"),
    _ref("source_id", "sources.source_id", "the source"),
    _text(
        "status",
        "complete, known (its bytes were taken before), truncated, partial, reread or refused",
    ),
    _text("message", "why it was refused, or is not complete; else empty"),
    _int("size", "bytes read, as stored (compressed)"),
    _blob("sha256", "SHA-256 of those bytes; empty when refused"),
    _int("documents", "documents it offered"),
    _int("rejected", "documents of it that were rejected"),
    sa.UniqueConstraint("source_id"),
    sa.Index(None, "size"),
    clustered=False,
)
compression_dictionaries = _table(
    "compression_dictionaries",
    "zstd dictionaries, trained on the store's own documents.",
    _key("dictionary_id", "number of the dictionary, from 1"),
    _blob("content", "the dictionary, as zstd takes it"),
    clustered=False,
)
documents = _table(
    "documents",
    "The evidence: the original bytes of each accepted record, once.",
    _key("document_id", "its index in the ledger, from 0; rejections take numbers too"),
    _blob("sha256", "SHA-256 of the bytes"),
    _int("size", "bytes before compression"),
    _int("dictionary_id", "zstd dictionary (compression_dictionaries), 0 for none"),
    _blob("content", "the bytes as one zstd frame"),
    clustered=False,
)
sa.Index("ix_documents_sha256", sa.func.substr(documents.c.sha256, 1, 8))
terms = _table(
    "terms",
    "Each distinct text that repeats from job to job, once: names, namespaces, types, states.",
    _key("term_id", "number of the term, from 1"),
    _blob("digest", _DIGEST + "the term"),
    _text("term", "the text, exactly"),
    sa.UniqueConstraint("digest"),
    *_found_by_text("term"),
    clustered=False,
)
jobs = _table(
    "jobs",
    "Every job that a document named.",
    _key("job_key", "number of the job, from 1"),
    _text("job_id", "ID; of an unsubmitted spec sha256: and the digest of its content"),
    _int("namespace_id", "namespace; the empty text where only an ID was given" + _TERM),
    sa.UniqueConstraint("job_id", "namespace_id"),
    clustered=False,
)
job_versions = _table(
    "job_versions",
    "Each distinct spec of a job. Never overwritten.",
    _key("job_key", _JOB_KEY),
    _key("version_no", _VERSION_NO),
    _blob("spec_sha256", "SHA-256 of the canonical spec: identity of the version"),
    _int("origin_id", "orchestrator, submission, spec or event" + _TERM),
    _int("layout_id", "Bacalhau version that first wrote this layout" + _TERM),
    _int("name_id", "name" + _TERM),
    _int("type_id", "batch, service, ops, daemon" + _TERM),
    _int("priority", "priority"),
    _int("count", "number of executions asked for"),
    _int("version", "Version as Bacalhau counts it"),
    _int("created_at", "CreateTime, ns", null=True),
    _int("attribution_set", "who, and how we know (attribution_members.set_id), 0 for no one"),
    sa.Index(None, "attribution_set"),
    clustered=True,
)
tasks = _table(
    "tasks",
    "The tasks of a job version.",
    _key("job_key", _JOB_KEY),
    _key("version_no", _VERSION_NO),
    _key("task_no", "place in the job, from 1"),
    _int("name_id", "name" + _TERM),
    _int("engine_id", "engine type" + _TERM),
    _int("publisher_id", "publisher type" + _TERM),
    clustered=True,
)
meta_keys = _table(
    "meta_keys",
    "Each distinct key of Meta and labels, once.",
    _key("key_id", "number of the key, from 1"),
    _blob("digest", _DIGEST + "the key"),
    _text("key", "the key, exactly"),
    sa.UniqueConstraint("digest"),
    *_found_by_text("key"),
    clustered=False,
)
meta_pairs = _table(
    "meta_pairs",
    "Each distinct key and value of Meta and labels, once.",
    _key("pair_id", "number of the pair, from 1"),
    _ref("key_id", "meta_keys.key_id", "the key"),
    _blob("digest", _DIGEST + "key, NUL, value"),
    _text("value", "the value, exactly"),
    sa.UniqueConstraint("digest"),
    *_found_by_text("value", within="key_id"),
    _only("postgresql", sa.Index(None, "key_id")),
    clustered=False,
)
meta_entries = _table(
    "meta_entries",
    "The Meta pairs of a job version.",
    _key("job_key", _JOB_KEY),
    _key("version_no", _VERSION_NO),
    _key("task_no", "the task (tasks.task_no), 0 for the job's own Meta"),
    _key("pair_id", "the pair (meta_pairs.pair_id)"),
    sa.Index(None, "pair_id", "job_key"),
    clustered=True,
)
label_entries = _table(
    "label_entries",
    "The labels of a job version.",
    _key("job_key", _JOB_KEY),
    _key("version_no", _VERSION_NO),
    _key("pair_id", "the pair (meta_pairs.pair_id)"),
    sa.Index(None, "pair_id", "job_key"),
    clustered=True,
)
identities = _table(
    "identities",
    "Each distinct node ID, client ID, key or installation ID, once.",
    _key("identity_id", "number of the identity, from 1"),
    _blob("digest", _DIGEST + "the value"),
    _text("value", "the ID or key, exactly"),
    sa.UniqueConstraint("digest"),
    *_found_by_text("value"),
    clustered=False,
)
attribution_rules = _table(
    "attribution_rules",
    "Each distinct way in which an identity was attributed.",
    _key("rule_id", "number of the rule, from 1"),
    _text("role", "requester, requester_key, client, client_key, server_installation ..."),
    _text("basis", "the field that says so"),
    _text("trust", "proven, server, claimed, inferred or unsubmitted"),
    _text("verdict", "match, mismatch, no_key, not_a_peer_id or undecodable"),
    sa.UniqueConstraint("role", "basis", "trust", "verdict"),
    clustered=False,
)
attribution_sets = _table(
    "attribution_sets",
    "Each distinct set of attributions that a job version has, once.",
    _key("set_id", "number of the set, from 1"),
    _blob("digest", _DIGEST + "its members, as rule_id:identity_id, sorted, joined by commas"),
    sa.UniqueConstraint("digest"),
    clustered=False,
)
attribution_members = _table(
    "attribution_members",
    "Who, in which role, and how we know: the members of each set.",
    _key("set_id", "the set (attribution_sets.set_id)"),
    _key("rule_id", "role, basis, trust and verdict (attribution_rules.rule_id)"),
    _key("identity_id", "who (identities.identity_id)"),
    sa.Index(None, "identity_id"),
    clustered=True,
)
observations = _table(
    "observations",
    "Each document's sight of a job: its version, its state, and where that stood.",
    _key("job_key", _JOB_KEY),
    _key("document_id", "the document (documents.document_id)"),
    _int("version_no", "version seen; 0 for executions or events without the job"),
    _int("state_id", "StateType" + _TERM),
    _int("message_id", "message of the state" + _TERM),
    _int("revision", "Revision"),
    _int("modified_at", "ModifyTime, ns", null=True),
    _int("source_id", "where it was first seen (sources.source_id)"),
    _int("ordinal", "number of the document in the source, from 1"),
    _int("line", "line of the source, from 1"),
    _int("use_set", "uses that the document tells of (use_members.set_id), 0 for none"),
    sa.Index(None, "use_set", "job_key"),
    clustered=True,
)
uses = _table(
    "uses",
    "Each distinct thing that a job runs, reads, writes or asks for, or that an execution "
    "published, once.",
    _key("use_id", "number of the use, from 1"),
    _blob("digest", _DIGEST + "kind:type_id:value_id:target_id"),
    _text("kind", "image, module, input, output, result or resource"),
    _int("type_id", "type of storage, or CPU, Memory, Disk, GPU" + _TERM),
    _int("value_id", "image, CID, URL, s3://bucket/key, path, amount" + _TERM),
    _int("target_id", "path in the task, or name; of a result its execution" + _TERM),
    sa.UniqueConstraint("digest"),
    sa.Index(None, "value_id"),
    clustered=False,
)
use_sets = _table(
    "use_sets",
    "Each distinct list of uses that a document has, once.",
    _key("set_id", "number of the list, from 1"),
    _blob("digest", _DIGEST + "its members, as task_no:use_id, in their order, joined by commas"),
    sa.UniqueConstraint("digest"),
    clustered=False,
)
use_members = _table(
    "use_members",
    "The uses of each list.",
    _key("set_id", "the list (use_sets.set_id)"),
    _key("position", "place in the list, from 1"),
    _int("task_no", "the task (tasks.task_no), 0 for a result"),
    _int("use_id", "the use (uses.use_id)"),
    sa.Index(None, "use_id"),
    clustered=True,
)
executions = _table(
    "executions",
    "Executions as a document tells them: they connect a job to its nodes.",
    _key("job_key", _JOB_KEY),
    _key("document_id", _DOCUMENT),
    _key("position", "place in the document, from 1"),
    _text("execution_id", "ID of the execution"),
    _int("node_id", "the node (identities.identity_id)"),
    _text("state", "compute state"),
    _text("desired_state", "desired state"),
    _text("message", "message of the state"),
    _int("created_at", "CreateTime, ns", null=True),
    _int("modified_at", "ModifyTime, ns", null=True),
    sa.Index(None, "node_id", "job_key"),
    clustered=True,
)
job_events = _table(
    "job_events",
    "History as a document tells it.",
    _key("job_key", _JOB_KEY),
    _key("document_id", _DOCUMENT),
    _key("position", "place in the document, from 1"),
    _int("time", "when, ns", null=True),
    _text("kind", "JobLevel, ExecutionLevel, or the event name of v0.x"),
    _text("execution_id", "ID of the execution, or empty"),
    _int("node_id", "the node (identities.identity_id); of the empty text where none"),
    _text("state", "new state, or empty"),
    _text("message", "comment or message"),
    clustered=True,
)
findings = _table(
    "findings",
    "What an auditor should look at. docs/catalogue.md explains each code.",
    _key("job_key", _JOB_KEY),
    _key("document_id", _DOCUMENT),
    _key("position", "place in the document, from 1"),
    _text("code", "name from the catalogue"),
    _text("severity", "info, warning or critical"),
    _text("detail", "what was found"),
    clustered=True,
)
current_jobs = _table(
    "current_jobs",
    "A row per job as it is now: what its newest document says. It follows from the other tables, "
    "so it may be updated. Jobs whose documents belong to another job have no row.",
    _key("job_key", _JOB_KEY),
    _int("document_id", "the newest document (documents.document_id)"),
    _small("version_no", "version that it shows; 0 where only executions or events are known"),
    _small("versions", "number of versions that live documents show"),
    _int("created_at", "CreateTime, ns", null=True),
    _int("modified_at", "ModifyTime, ns", null=True),
    _int("revision", "Revision"),
    _int("version", "Version as Bacalhau counts it"),
    _text("namespace", "namespace"),
    _text("state", "StateType"),
    _text("type", "batch, service, ops, daemon"),
    _text("origin", "orchestrator, submission, spec, event or activity"),
    _small("name_id", "name (terms.term_id), 0 for none"),
    _small("client_id", "best known client (identities.identity_id), 0 for none"),
    _small("client_rule", "how we know the client (attribution_rules.rule_id), 0 for none"),
    _small("requester_id", "best known requester (identities.identity_id), 0 for none"),
    _small("requester_rule", "how we know the requester (attribution_rules.rule_id), 0 for none"),
    _small("first_import", "import that first showed the job (imports.import_id)"),
    _small("last_import", "import that last brought a document of it (imports.import_id)"),
    sa.Index(None, "created_at"),
    sa.Index(None, "client_id", "created_at"),
    sa.Index(None, "requester_id", "created_at"),
    sa.Index(None, "name_id", "created_at"),
    sa.Index(None, "namespace", "created_at"),
    sa.Index(None, "state", "created_at"),
    clustered=False,
)
readings = _table(
    "readings",
    "Documents that were read again, by a better program: the newest reading counts.",
    _key("reading_id", "the reading: its index in the ledger (documents.document_id)"),
    _int("supersedes", "the older entry of the same bytes that it takes the place of"),
    sa.UniqueConstraint("supersedes"),
    clustered=False,
)
rejections = _table(
    "rejections",
    "Quarantine: documents that were not taken, with their bytes.",
    _key("rejection_id", "its index in the ledger, from 0; documents take numbers too"),
    _ref("source_id", "sources.source_id", "where it was first seen"),
    _int("ordinal", "number of the document in the source, from 1"),
    _int("line", "line of the source, from 1"),
    _text("reason", "name from the catalogue"),
    _text("message", "what, where in the document, why"),
    _text("format", "json or yaml"),
    _blob("sha256", "SHA-256 of the whole document"),
    _int("size", "bytes of the whole document"),
    _blob("content", "its bytes as one zstd frame; of one too large, the beginning"),
    sa.UniqueConstraint("sha256", "reason", "source_id"),
    clustered=False,
)
rejection_resolutions = _table(
    "rejection_resolutions",
    "Rejections that were made good: their bytes, or the whole of a torn record, came in.",
    _ref("rejection_id", "rejections.rejection_id", "the rejection", key=True),
    _ref("import_id", "imports.import_id", "the import that accepted it"),
    _int(
        "entry_index",
        "of a torn record: the entry that begins with its bytes; NULL where a document has the "
        "same bytes",
        null=True,
    ),
    clustered=False,
)
rejection_dismissals = _table(
    "rejection_dismissals",
    "Rejections that somebody has looked at and put aside: by which run, and why.",
    _key("dismissal_no", "number of the dismissal, from 1"),
    _ref("rejection_id", "rejections.rejection_id", "the rejection"),
    _ref("import_id", "imports.import_id", "the run that dismissed it: by whom"),
    _text("reason", "why, as it was given"),
    sa.UniqueConstraint("rejection_id"),
    clustered=False,
)
identity_aliases = _table(
    "identity_aliases",
    "Names that people gave to identities, for a time. A row may take back an older one.",
    _key("alias_no", "number of the row, from 1 in order of arrival"),
    _ref("import_id", "imports.import_id", "the run that said so: who and when"),
    _text("identity", "the ID or key, exactly"),
    _text("name", "name of the person or team"),
    _int("valid_from", "from when on, ns", null=True),
    _int("valid_until", "until before when, ns", null=True),
    _text("reason", "how it is known, or empty"),
    _int("withdraws", "alias_no of the row that this one takes back, 0 for none"),
    sa.Index(None, "identity"),
    clustered=False,
)
LONGEST_QUESTION: Final = 100_000
"""Most characters of a question: whoever signs questions has many of them in memory."""
questions = _table(
    "questions",
    "Who asked what of the store: a row for each question that was logged.",
    _key("question_no", "number of the question, from 1"),
    sa.Column(
        "follows",
        INT,
        sa.ForeignKey("questions.question_no"),
        comment="number of the question before it, NULL for the first: so none is left out",
    ),
    _int("asked_at", "when, by the clock of the server, ns"),
    _text("role", "role that logged in to the database"),
    _text("actor", "user@host that asked, as the program says"),
    _text("command", "command that asked"),
    _text("arguments", "its arguments, as JSON"),
    sa.CheckConstraint("coalesce(follows, 0) = question_no - 1", name="follows"),
    sa.CheckConstraint(
        f"length(actor) + length(command) + length(arguments) <= {LONGEST_QUESTION}", name="length"
    ),
    clustered=False,
)
ledger_entries = _table(
    "ledger_entries",
    "The leaves of the Merkle tree (RFC 9162): one for every accepted document and rejection.",
    _key("entry_index", "index of the leaf: the number of the document or rejection"),
    _blob("leaf_hash", "SHA-256(0x00, canonical entry), docs/ledger.md"),
    _int("source_id", "where it was first seen (sources.source_id)"),
    clustered=False,
)
ledger_keys = _table(
    "ledger_keys",
    "The public keys whose signatures are on the checkpoints. A claim of the store: compare "
    "them with what you got from elsewhere.",
    _key("key_no", "number of the key, from 1"),
    _text("verifier", "the key, as name+hash+key (C2SP signed-note)"),
    _ref("import_id", "imports.import_id", "the import whose checkpoint it signed first"),
    clustered=False,
)
checkpoints = _table(
    "checkpoints",
    "Signed tree heads (C2SP tlog-checkpoint), one per import.",
    _key("checkpoint_id", "number of the checkpoint, from 1"),
    _ref("import_id", "imports.import_id", "the import that made it"),
    _int("tree_size", "number of leaves it covers"),
    _blob("frontier", "roots of the tree's perfect subtrees, largest first, 32 bytes each"),
    _text("note", "the signed note, exactly"),
    clustered=False,
)
writer_lock = _table(
    "writer_lock",
    "The row that the writer of the store locks on PostgreSQL, so that there is one at a time and "
    "only who may import can keep others out. It says nothing.",
    _key("lock_id", "1"),
    clustered=False,
)
schema_comments = _table(
    "schema_comments",
    "What every table, view and column means, for engines that keep no comments.",
    sa.Column("relation", TEXT, primary_key=True, comment="table or view"),
    sa.Column("column", TEXT, primary_key=True, comment="column, empty for the relation"),
    _text("comment", "its meaning"),
    clustered=True,
)

contract = _table(
    "contract",
    "The type, unit and use of every column of every view, which programs may rely on.",
    sa.Column("relation", TEXT, primary_key=True, comment="view"),
    sa.Column("column", TEXT, primary_key=True, comment="column, empty for the view itself"),
    _text("type", "text, integer, time or json; view"),
    _text("unit", "unit, or empty"),
    _text("example", "a value"),
    _int("since", "version of the contract that first had it"),
    _text("deprecated", "what to use instead, and until when it stays; empty if it stays"),
    _text("fast_by", "conditions and orders that an index answers"),
    clustered=True,
)

DERIVED_TABLES: Final = ("current_jobs",)
"""Tables whose rows follow from facts, and are replaced when these change."""
OTHER_TABLES: Final = ("schema_comments", "contract", "writer_lock")
DATA_TABLES: Final = tuple(t.name for t in metadata.sorted_tables if t.name not in OTHER_TABLES)
FACT_TABLES: Final = tuple(name for name in DATA_TABLES if name not in DERIVED_TABLES)
"""Tables whose rows are never updated or deleted."""

ASKED_COLUMNS: Final = ("question_no", "follows", "actor", "command", "arguments")
"""Columns of a question that the asking program fills; the server adds time and role (adr/0014)."""

CREATED_TIME: Final = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%S', (created_at / 1000000000 - CASE WHEN created_at %"
    " 1000000000 < 0 THEN 1 ELSE 0 END), 'unixepoch') || printf('.%09dZ', ((created_at %"
    " 1000000000 + 1000000000) % 1000000000))",
    "postgresql": "to_timestamp((created_at / 1000)::double precision / 1000000)",
}
"""`created_at` as views show it: an index on the same expression finds it."""
for _dialect, _expression in CREATED_TIME.items():
    _literal = sa.text(_expression.replace(":", r"\:"))
    _time = sa.Index("ix_current_jobs_created_time", _literal, _table=current_jobs)
    _only(_dialect, _time)


def indexes(table: sa.Table, dialect: str) -> list[sa.Index]:
    """Return the indexes that a table has on an engine."""
    return [i for i in table.indexes if i.info.get("dialect", dialect) == dialect]


@lru_cache
def columns(table: str) -> tuple[str, ...]:
    """Return the names of a table's columns, in their order."""
    return tuple(metadata.tables[table].columns.keys())
