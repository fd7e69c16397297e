"""Results of queries: frozen values, in the shape of the JSON output (docs/output.md).

Times are RFC 3339 in UTC with nanoseconds, None where not known. `entry_index` is the
document's index in the ledger. Text is exact; only `meta_audit.render` escapes it.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

TRACE_FORMAT: Final = "meta-audit/trace/1"
CANDIDATES_FORMAT: Final = "meta-audit/candidates/1"
FIND_FORMAT: Final = "meta-audit/find/1"
REJECTIONS_FORMAT: Final = "meta-audit/rejections/1"
REJECTION_FORMAT: Final = "meta-audit/rejection/1"


class JobSummary(Struct, frozen=True):
    """A job in one line: its newest version, in its newest state."""

    created_at: str | None
    job_id: str
    name: str
    type: str
    state: str
    namespace: str
    client: str | None
    client_trust: str | None
    requester: str | None
    requester_trust: str | None
    origin: str
    """As `model.Origin`: `activity` where only executions or events of it were seen."""


class Found(Struct, frozen=True):
    """The jobs that match a search, newest first."""

    format: str
    jobs: tuple[JobSummary, ...]
    more: bool
    """Whether the limit cut the list."""


class Candidates(Struct, frozen=True):
    """The jobs that an ambiguous ID or name may mean."""

    format: str
    query: str
    candidates: tuple[JobSummary, ...]
    more: int
    """How many are not listed."""
    at_least: bool
    """Whether there may be more than `more`: counting stops at a limit."""


class TracedJob(Struct, frozen=True):
    """A job: its newest version, in its newest state."""

    job_id: str
    namespace: str
    name: str
    origin: str
    type: str
    version: int
    """As Bacalhau counts."""
    state: str
    created_at: str | None
    state_message: str
    modified_at: str | None
    revision: int
    version_no: int
    """As this store counts, from 1; 0 where no document of the job itself was seen."""
    layout: str
    priority: int
    count: int


class TracedAttribution(Struct, frozen=True):
    """Who, in one role, and how we know."""

    role: str
    value: str
    basis: str
    trust: str
    verdict: str
    fingerprint: str
    """Of the key that is the value or was checked against it, "" where there is none."""


class TracedTask(Struct, frozen=True):
    """A task of the newest version."""

    task_no: int
    name: str
    engine: str
    publisher: str


class Meta(Struct, frozen=True):
    """A Meta pair of the newest version."""

    level: Literal["job", "task"]
    task: str | None
    """Name of the task, None for the job's own Meta."""
    key: str
    value: str
    task_no: int
    """Number of the task, 0 for the job's own Meta."""


class Version(Struct, frozen=True):
    """A distinct spec of the job."""

    version_no: int
    version: int
    spec_sha256: str
    origin: str
    layout: str
    name: str
    type: str
    priority: int
    count: int
    created_at: str | None
    requester: str | None
    client: str | None


class Observation(Struct, frozen=True):
    """A state in which a document showed a version of the job."""

    version_no: int
    state: str
    message: str
    revision: int
    modified_at: str | None
    observed_at: str | None
    document_sha256: str
    entry_index: int


class TracedExecution(Struct, frozen=True):
    """An execution, as one document tells it."""

    execution_id: str
    node: str
    state: str
    desired_state: str
    message: str
    created_at: str | None
    modified_at: str | None
    document_sha256: str
    entry_index: int


class TracedEvent(Struct, frozen=True):
    """A line of the job's history, as one document tells it."""

    time: str | None
    kind: str
    execution_id: str
    node: str
    state: str
    message: str
    document_sha256: str
    entry_index: int


class Position(Struct, frozen=True):
    """The place of a document in a source, both from 1."""

    document: int
    line: int


class Evidence(Struct, frozen=True):
    """A document that showed the job, and where it was first seen."""

    document_sha256: str
    source: str
    position: Position
    import_id: int
    observed_at: str | None
    entry_index: int
    size: int
    version_no: int
    """The version that it shows; 0 where it tells only executions or events."""


class TracedFinding(Struct, frozen=True):
    """Something that an auditor should look at."""

    code: str
    severity: str
    detail: str
    document_sha256: str
    entry_index: int


class TracedCheckpoint(Struct, frozen=True):
    """The newest signed tree head of the ledger (docs/ledger.md)."""

    number: int
    tree_size: int
    """It covers the entries below this index."""
    root: str
    """`sha256:` and hex."""
    import_id: int
    covers: bool
    """Whether it covers all the evidence; else an import is running, or was killed."""


class Trace(Struct, frozen=True):
    """All that the store knows of one job."""

    format: str
    job: TracedJob
    attributions: tuple[TracedAttribution, ...]
    tasks: tuple[TracedTask, ...]
    meta: tuple[Meta, ...]
    labels: dict[str, str]
    versions: tuple[Version, ...]
    observations: tuple[Observation, ...]
    executions: tuple[TracedExecution, ...]
    events: tuple[TracedEvent, ...]
    evidence: tuple[Evidence, ...]
    checkpoint: TracedCheckpoint | None
    findings: tuple[TracedFinding, ...]


class KeptDocument(Struct, frozen=True):
    """The original bytes of a document."""

    sha256: str
    """Of the whole document."""
    size: int
    """Bytes of the whole document; more than `content` has where only its beginning is kept."""
    content: bytes
    rejected: str
    """Reason of its rejection, "" for one that was accepted."""


class RejectionSummary(Struct, frozen=True):
    """A document that was not taken, and why."""

    rejection_id: int
    """Its index in the ledger."""
    reason: str
    message: str
    source: str
    position: Position
    """The line is the one where the fault lies."""
    document_sha256: str
    size: int
    import_id: int
    observed_at: str | None
    resolved_by: int | None
    """The import that accepted the same bytes later."""
    dismissed_by: int | None
    """The run of `rejections dismiss` that put it aside."""
    dismissed_because: str | None
    dismissed_actor: str | None
    """User and host."""


class Rejections(Struct, frozen=True):
    """Rejections in the order of the ledger."""

    format: str
    rejections: tuple[RejectionSummary, ...]
    total: int
    """How many there are, beyond the limit too."""


class RejectionDetail(Struct, frozen=True):
    """A rejection with its bytes; base64 in JSON."""

    format: str
    rejection: RejectionSummary
    content: bytes
