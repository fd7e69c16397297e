"""Define the results of queries: frozen values, in the shape of the JSON output (docs/output.md).

Times are RFC 3339 in UTC with nanoseconds, None if not known. `entry_index` is the
document's index in the ledger. Text is exact; only `meta_audit.render` escapes it.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import UNSET, UnsetType, field

from meta_audit.answer import Answer

TRACE_FORMAT: Final = "meta-audit/trace/1"
CANDIDATES_FORMAT: Final = "meta-audit/candidates/1"
FIND_FORMAT: Final = "meta-audit/find/1"
REJECTIONS_FORMAT: Final = "meta-audit/rejections/1"
REJECTION_FORMAT: Final = "meta-audit/rejection/1"


class JobSummary(Answer, frozen=True):
    """Describe a job in one line: its newest version, in its newest state."""

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
    """As `model.Origin`; `activity` if only executions or events of it were seen."""


class FoundJob(JobSummary, frozen=True):
    """Describe a job that matches, with the values that were asked for."""

    meta: dict[str, tuple[str, ...]] | UnsetType = UNSET
    """Values of Meta or labels in the newest version, by key; only with `--columns`."""


class Reason(Answer, frozen=True):
    """Say how many jobs match a part of an expression that no job matches as a whole."""

    expression: str
    """The part, in its normal form."""
    jobs: int
    at_least: bool
    """True if there may be more than `jobs`, since counting stops at a limit."""
    hint: str
    """Advice: what else may be meant; or empty."""


class Found(Answer, frozen=True):
    """List the jobs that match an expression."""

    format: str
    jobs: tuple[FoundJob, ...]
    more: bool
    """True if the limit cut the list."""
    next: str | None = None
    """Cursor for `--after`, if there are more."""
    reasons: tuple[Reason, ...] = ()
    """Why no job matches: each part that must match, alone."""
    unknown_keys: tuple[str, ...] = ()
    """Keys in the expression or of columns that the store does not know, though jobs match."""


class Candidates(Answer, frozen=True):
    """List the jobs that an ambiguous ID or name may mean."""

    format: str
    query: str
    candidates: tuple[JobSummary, ...]
    more: int
    """Number of jobs that are not listed."""
    at_least: bool
    """True if there may be more than `more`, since counting stops at a limit."""


class TracedJob(Answer, frozen=True):
    """Describe a job: its newest version, in its newest state."""

    job_id: str
    namespace: str
    name: str
    origin: str
    type: str
    version: int
    """Version as Bacalhau counts it."""
    state: str
    created_at: str | None
    state_message: str
    modified_at: str | None
    revision: int
    version_no: int
    """Version as this store counts it, from 1; 0 if no document of the job itself was seen."""
    layout: str
    priority: int
    count: int


class TracedAttribution(Answer, frozen=True):
    """Say who had one role, and how we know."""

    role: str
    value: str
    basis: str
    trust: str
    verdict: str
    fingerprint: str
    """Fingerprint of the key that is the value or matches it, "" if there is none."""


class TracedTask(Answer, frozen=True):
    """Describe a task of the newest version."""

    task_no: int
    name: str
    engine: str
    publisher: str


class TracedUse(Answer, frozen=True):
    """Name something that the newest version runs, reads, writes or asks for."""

    task_no: int
    """Number of the task, 0 for the result of an execution."""
    task: str | None
    kind: str
    """`image`, `module`, `input`, `output`, `result` or `resource`."""
    type: str
    """Type of storage as it is written; `CPU`, `Memory`, `Disk` or `GPU`."""
    value: str
    """Image; CID, URL, `s3://bucket/key` or path; amount."""
    target: str
    """Path in the task, or name; of a result the ID of the execution."""


class Meta(Answer, frozen=True):
    """Hold a Meta pair of the newest version."""

    level: Literal["job", "task"]
    task: str | None
    """Name of the task, None for the job's own Meta."""
    key: str
    value: str
    task_no: int
    """Number of the task, 0 for the job's own Meta."""


class Version(Answer, frozen=True):
    """Describe a version: a distinct spec of the job."""

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


class Observation(Answer, frozen=True):
    """Describe the state in which a document showed a version of the job."""

    version_no: int
    state: str
    message: str
    revision: int
    modified_at: str | None
    observed_at: str | None
    document_sha256: str
    entry_index: int


class TracedExecution(Answer, frozen=True):
    """Describe an execution, as one document tells it."""

    execution_id: str
    node: str
    state: str
    desired_state: str
    message: str
    created_at: str | None
    modified_at: str | None
    document_sha256: str
    entry_index: int


class TracedEvent(Answer, frozen=True):
    """Describe an event of the job, as one document tells it."""

    time: str | None
    kind: str
    execution_id: str
    node: str
    state: str
    message: str
    document_sha256: str
    entry_index: int


class Position(Answer, frozen=True):
    """Locate a document in its source. Both count from 1."""

    document: int
    line: int
    """0 where the source has no lines, as a database."""

    def __str__(self) -> str:
        """Return it for a person."""
        return f"document {self.document}" + (f", line {self.line}" if self.line else "")


class Evidence(Answer, frozen=True):
    """Name a document of the job, and where it was first seen."""

    document_sha256: str
    source: str
    position: Position
    import_id: int
    observed_at: str | None
    entry_index: int
    size: int
    version_no: int
    """Version that it shows; 0 if it tells only of executions or events."""


class TracedFinding(Answer, frozen=True):
    """Describe something that an auditor should look at."""

    code: str
    severity: str
    detail: str
    document_sha256: str
    entry_index: int


class TracedCheckpoint(Answer, frozen=True):
    """Describe the newest checkpoint of the ledger (docs/ledger.md)."""

    number: int
    tree_size: int
    """Entries below this index are covered."""
    root: str
    """Root of the tree, as `sha256:` and hex."""
    import_id: int
    covers: bool
    """True if it covers all the evidence; if not, an import is running or was killed."""


class TracedReading(Answer, frozen=True):
    """Describe a better reading of a document of the job."""

    entry_index: int
    supersedes: int
    """Index of the older entry."""
    import_id: int
    """Import that read the document again."""
    tool_version: str
    """Version of the program that read it."""
    read_at: str | None


class SameSpec(Answer, frozen=True):
    """Name a job that says the same: a specification, or a job that was made of it."""

    job_id: str
    namespace: str
    origin: str
    created_at: str | None


class Trace(Answer, frozen=True):
    """Hold all that the store knows of one job."""

    format: str
    job: TracedJob
    attributions: tuple[TracedAttribution, ...]
    tasks: tuple[TracedTask, ...]
    meta: tuple[Meta, ...]
    labels: dict[str, str]
    versions: tuple[Version, ...]
    observations: tuple[Observation, ...]
    executions: tuple[TracedExecution, ...]
    """The newest state of an execution comes last. Content breaks ties of time."""
    events: tuple[TracedEvent, ...]
    evidence: tuple[Evidence, ...]
    checkpoint: TracedCheckpoint | None
    findings: tuple[TracedFinding, ...]
    readings: tuple[TracedReading, ...] = ()
    """Better readings; the store keeps the entries that they supersede."""
    as_of: str | None = None
    """If given, imports that began then or later are left out."""
    same_spec: tuple[SameSpec, ...] = ()
    """Of a specification the jobs made of it, of a job its specifications; not with `as_of`."""
    uses: tuple[TracedUse, ...] = ()
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names that people gave to those that it names, valid when it was created, or at `at`."""
    at: str | None = None
    """If given, what documents say of this time and later is left out."""


class KeptDocument(Answer, frozen=True):
    """Hold the kept bytes of a document."""

    sha256: str
    """Hash of the whole document."""
    size: int
    """Bytes of the whole document; more than `content` has if only its beginning is kept."""
    content: bytes
    rejected: str
    """Reason of its rejection, "" if it was accepted."""


class RejectionSummary(Answer, frozen=True):
    """Describe a rejection: a document that was not accepted, and why."""

    rejection_id: int
    """Its index in the ledger."""
    reason: str
    message: str
    source: str
    position: Position
    """Its line is that of the fault."""
    document_sha256: str
    size: int
    import_id: int
    observed_at: str | None
    resolved_by: int | None
    """Import that accepted the document later."""
    dismissed_by: int | None
    """Run of `rejections dismiss` that took it off the list."""
    dismissed_because: str | None
    dismissed_actor: str | None
    """User and host."""


class Rejections(Answer, frozen=True):
    """List rejections in the order of the ledger."""

    format: str
    rejections: tuple[RejectionSummary, ...]
    total: int
    """Number of rejections that fit, beyond the limit too."""


class RejectionDetail(Answer, frozen=True):
    """Hold a rejection with its bytes, which are base64 in JSON."""

    format: str
    rejection: RejectionSummary
    content: bytes
