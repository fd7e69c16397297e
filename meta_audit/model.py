"""The values that travel from layer to layer. All frozen; `msgspec.Struct` for its speed."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

MAX_DOCUMENT_BYTES: Final = 10_000_000
"""Bacalhau's own cap for a job (10 MB)."""
MAX_DEPTH: Final = 128
"""Deepest nesting of mappings and lists."""
MAX_NODES: Final = 200_000
"""Most keys, list elements and scalars of one document."""
MAX_ALIAS_NODES: Final = 100_000
"""Most nodes that YAML aliases and merges may add by expansion."""
MAX_DUPLICATES: Final = 100
"""Most keys of one document that may stand twice."""
KEPT_OF_TOO_LARGE: Final = 65_536
"""Bytes kept as evidence of a document above `MAX_DOCUMENT_BYTES`."""
LIST_FIELDS: Final = frozenset({"items", "jobs", "events", "history", "executions"})
"""Fields of a page (without regard to case) whose array holds one record per element.

`Items` of the API's pages from v1.4, `Jobs`, `History` and `Executions` of those before;
`jobs` and `events` of v0.x.
"""

RESERVED_PREFIX: Final = "bacalhau.org/"
"""Bacalhau's pkg/models/constants.go, `MetaReservedPrefix`; compared by `strings.HasPrefix`."""

Format = Literal["json", "yaml", "absence"]
"""Of a document; `absence` says that a server no longer has a job, in JSON of our own."""
Origin = Literal["orchestrator", "submission", "spec", "event", "activity"]
ORIGIN_RANK: Final[dict[Origin, int]] = {
    "orchestrator": 4,
    "event": 3,
    "submission": 2,
    "spec": 1,
    "activity": 0,
}
"""A version of a lower rank never hides one of a higher rank, whatever its times.

Clients may choose the ID of a service job, so a spec can name any job.
"""

Trust = Literal["proven", "server", "claimed", "inferred", "unsubmitted"]
TRUSTS: Final[tuple[Trust, ...]] = ("proven", "server", "claimed", "inferred", "unsubmitted")
"""From the best to the worst."""
Verdict = Literal["match", "mismatch", "no_key", "not_a_peer_id", "undecodable"]
UseKind = Literal["image", "module", "input", "output", "result", "resource"]
"""A task runs images and modules, reads inputs, writes outputs and asks for resources; an
execution publishes results."""
Role = Literal[
    "requester",
    "requester_key",
    "client",
    "client_key",
    "server_installation",
    "server_instance",
    "client_installation",
    "client_instance",
]


class Document(Struct, frozen=True, tag=True, gc=False):
    """One record's own bytes, cut exactly out of its source, and where they stood."""

    content: bytes
    ordinal: int
    """Number of the document in its source, from 1, rejected ones counted too."""
    line: int
    """Line of the (uncompressed) source at which the document begins, from 1."""
    format: Format


class Rejection(Struct, frozen=True, tag=True, gc=False):
    """A document that was not taken: why, where, and its bytes."""

    reason: str
    """A name from `catalogue.REASONS`."""
    message: str
    """For a person: what, where in the document, why."""
    content: bytes
    """The bytes; of a document that is too large, the first `KEPT_OF_TOO_LARGE`."""
    ordinal: int
    line: int
    size: int
    """Bytes of the whole document."""
    sha256: bytes
    """Of the whole document, 32 bytes."""
    format: Format


class Scalar(Struct, frozen=True):
    """A decoded scalar whose JSON form would not give back the text that was written.

    `1.20` -> `Scalar("1.20", 1.2)`, YAML `NO` -> `Scalar("NO", False)`,
    `1e400` -> `Scalar("1e400", None)`. Plain Python scalars are used wherever
    writing them as JSON gives the source text again.
    """

    text: str
    value: bool | int | float | None


class Duplicate(Struct, frozen=True):
    """A key that stands more than once in one mapping."""

    path: tuple[str | int, ...]
    """Keys and list positions (from 0), from the root of the document down to the key itself."""
    line: int
    """Line of its second occurrence, from 1."""


class Decoded(Struct, frozen=True):
    """The value of one document. Of a key that stands twice the last value is taken."""

    value: object
    """`dict` (string keys), `list`, `str`, `int`, `float`, `bool`, `None` and `Scalar`."""
    duplicates: tuple[Duplicate, ...] = ()
    """Every key that stands twice, at every place where it can be reached."""
    format: Format = "json"
    """`yaml`: Bacalhau reads it by its YAML road, which converts numbers and booleans."""


class Task(Struct, frozen=True):
    """One task of a job, as far as the store has columns for it."""

    name: str
    engine: str
    publisher: str
    meta: dict[str, str]


class Attribution(Struct, frozen=True):
    """Name somebody in one role, and say how we know (docs/bacalhau.md)."""

    role: Role
    value: str
    basis: str
    trust: Trust
    verdict: Verdict


class Use(Struct, frozen=True, array_like=True):
    """Something that a job runs, reads, writes or asks for."""

    task_no: int
    """The task that states it, from 1; 0 for a result, which an execution states."""
    kind: UseKind
    type: str
    """Type of storage; of a resource `CPU`, `Memory`, `Disk` or `GPU`."""
    value: str
    """Image; CID, URL, `s3://bucket/key` or path; amount. Shortened as `nul.shorten_name` does."""
    target: str
    """Path in the task, or name; of a result the ID of its execution."""


class Execution(Struct, frozen=True):
    """One execution of a job on a node."""

    execution_id: str
    node_id: str
    state: str
    desired_state: str
    message: str
    created_at: int | None
    """Nanoseconds since 1970-01-01 UTC, as every time in this module."""
    modified_at: int | None
    result: Use | None = None
    """Published by it; an entry has it among the uses of the document."""


class Event(Struct, frozen=True):
    """One line of a job's history."""

    time: int | None
    kind: str
    """`JobLevel`, `ExecutionLevel`, or the event name of v0.x."""
    execution_id: str
    node_id: str
    state: str
    message: str
    result: Use | None = None
    """As that of an execution."""


class Finding(Struct, frozen=True):
    """Something an auditor should look at. `code` is a name from `catalogue.FINDINGS`."""

    code: str
    detail: str


class JobRecord(Struct, frozen=True):
    """A version of a job as one document shows it, in a state.

    Every text is written as `nul.escape_nul` gives it. With `origin` `activity` the document
    carries executions or events of a job and not the job itself: `spec_sha256` is empty and
    there is no version.
    """

    origin: Origin
    layout: str
    """The Bacalhau version that first wrote this layout, as `v1.0.4`. `legacy v1.0.4` is a job of
    v1.0.4 - v1.4 as the legacy API shows it, which says less of the job than the API itself.
    `compute v1.5.2` is the copy that a compute node keeps, with a key that was added to its Meta.
    Where nothing else decides, the others come before both."""
    job_id: str
    """Of a spec or submission that states none: `sha256:` and the hex of `spec_sha256`."""
    namespace: str
    spec_sha256: bytes
    """Identity of the version: SHA-256 over the canonical spec, without state and times."""
    name: str = ""
    type: str = ""
    priority: int = 0
    count: int = 0
    version: int = 0
    """`Version` as Bacalhau counts it."""
    created_at: int | None = None
    meta: dict[str, str] = {}
    labels: dict[str, str] = {}
    tasks: tuple[Task, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    state: str = ""
    state_message: str = ""
    revision: int = 0
    modified_at: int | None = None
    executions: tuple[Execution, ...] = ()
    events: tuple[Event, ...] = ()
    findings: tuple[Finding, ...] = ()
    uses: tuple[Use, ...] = ()
    """Of its tasks, in the order of the document, and then its results."""
