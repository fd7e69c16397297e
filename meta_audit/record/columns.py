"""Names of the columns that the writer fills, in the order in which it gives the values."""

from typing import Final

DOCUMENTS: Final = ("document_id", "sha256", "size", "dictionary_id", "content")
LEDGER_ENTRIES: Final = ("entry_index", "leaf_hash", "source_id")
JOBS: Final = ("job_key", "job_id", "namespace_id")
VERSION: Final = (
    "spec_sha256",
    "origin_id",
    "layout_id",
    "name_id",
    "type_id",
    "priority",
    "count",
    "version",
    "created_at",
    "attribution_set",
)
JOB_VERSIONS: Final = ("job_key", "version_no", *VERSION)
TASKS: Final = ("job_key", "version_no", "task_no", "name_id", "engine_id", "publisher_id")
META_ENTRIES: Final = ("job_key", "version_no", "task_no", "pair_id")
LABEL_ENTRIES: Final = ("job_key", "version_no", "pair_id")
PAIR_JOBS: Final = ("pair_id", "created_hour", "job_key")
OBSERVATION: Final = ("version_no", "state_id", "message_id", "revision", "modified_at")
OBSERVATIONS: Final = ("job_key", "document_id", *OBSERVATION, "source_id", "ordinal", "line")
EXECUTIONS: Final = (
    "job_key",
    "document_id",
    "position",
    "execution_id",
    "node_id",
    "state",
    "desired_state",
    "message",
    "created_at",
    "modified_at",
)
JOB_EVENTS: Final = (
    "job_key",
    "document_id",
    "position",
    "time",
    "kind",
    "execution_id",
    "node_id",
    "state",
    "message",
)
FINDINGS: Final = ("job_key", "document_id", "position", "code", "severity", "detail")
REJECTIONS: Final = (
    "rejection_id",
    "source_id",
    "ordinal",
    "line",
    "reason",
    "message",
    "format",
    "sha256",
    "size",
    "content",
)
REJECTION_RESOLUTIONS: Final = ("rejection_id", "import_id")
SOURCE_RESULTS: Final = (
    "result_no",
    "source_id",
    "status",
    "message",
    "size",
    "sha256",
    "documents",
    "rejected",
)
LEDGER_KEYS: Final = ("key_no", "verifier", "import_id")
CHECKPOINTS: Final = ("checkpoint_id", "import_id", "tree_size", "frontier", "note")
COMPRESSION_DICTIONARIES: Final = ("dictionary_id", "content")


def quoted(columns: tuple[str, ...]) -> str:
    """The columns as SQL names them."""
    return ", ".join(f'"{column}"' for column in columns)
