"""Read jobs of v0.2.9 - v1.0.3: `Spec`, `Deal`, `Annotations` (pkg/model/job.go at those tags).

They are read as Bacalhau's own translation does (`FromLegacyJob` in
pkg/models/migration/legacy/from.go, v1.1.0), so that a job has the same namespace, type, count
and labels before and after its orchestrator was upgraded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from meta_audit.decode.text import quote
from meta_audit.model import Finding, JobRecord, Task
from meta_audit.parse import states, times, uses
from meta_audit.parse.activity import local_events, shard_states, v0_events
from meta_audit.parse.attribution import (
    EVENT,
    FLAT,
    METADATA,
    STATUS,
    Rule,
    as_claimed,
    attribute,
    names_nobody,
    of_submission,
)
from meta_audit.parse.fields import Level, integer, items, mapping, text
from meta_audit.parse.metadata import (
    annotation_labels,
    look,
    look_at_labels,
    note_snake_case,
    note_unknown,
    states_id,
)
from meta_audit.parse.spec_digest import spec_sha256

if TYPE_CHECKING:
    from meta_audit.execution_state import Enum
    from meta_audit.model import Event, Execution, Origin
    from meta_audit.parse.fields import Fields

_STORAGE: Final = Level(
    "StorageSpec",
    "StorageSource Name CID URL S3 Repo SourcePath ReadWrite Path Metadata",
    structs={"S3": Level("S3", "Bucket Key Checksum VersionID Endpoint Region")},
)
_CONFIG: Final = Level("EngineSpec", "Type Params")
_DEAL: Final = Level("Deal", "TargetingMode Concurrency Confidence MinBids")
_PLAN: Final = Level("ExecutionPlan", "ShardsTotal")
SPEC: Final = Level(
    "Spec",
    "Engine EngineName EngineSpec Verifier VerifierName Publisher PublisherName PublisherSpec "
    "Docker Language Wasm Resources Network Timeout Inputs Contexts Outputs Annotations "
    "NodeSelectors Sharding DoNotTrack ExecutionPlan Deal",
    structs={
        "EngineSpec": _CONFIG,
        "PublisherSpec": _CONFIG,
        "Docker": Level(
            "Docker", "Image Entrypoint Parameters EnvironmentVariables WorkingDirectory"
        ),
        "Language": Level(
            "Language",
            "Language LanguageVersion DeterministicExecution JobContext Command ProgramPath "
            "RequirementsPath",
            structs={"JobContext": _STORAGE},
        ),
        "Wasm": Level(
            "Wasm",
            "EntryModule EntryPoint Parameters EnvironmentVariables ImportModules",
            structs={"EntryModule": _STORAGE},
            lists={"ImportModules": _STORAGE},
        ),
        "Resources": Level("Resources", "CPU Memory Disk GPU"),
        "Network": Level("Network", "Type Domains"),
        "Sharding": Level("Sharding", "GlobPattern BatchSize GlobPatternBasePath"),
        "ExecutionPlan": _PLAN,
        "Deal": _DEAL,
    },
    lists={
        "Inputs": _STORAGE,
        "Contexts": _STORAGE,
        "Outputs": _STORAGE,
        "NodeSelectors": Level("NodeSelector", "Key Operator Values"),
    },
    aliases={"JobSpecDocker": "Docker", "JobSpecLanguage": "Language"},  # before v0.2.9
)
_REQUESTER: Final = Level("Requester", "RequesterNodeID RequesterPublicKey")
_METADATA: Final = Level(
    "Metadata", "ID CreatedAt ClientID Requester", structs={"Requester": _REQUESTER}
)
_STATUS: Final = Level("Status", "JobState JobEvents LocalJobEvents Requester")
JOB: Final = Level(
    "Job",
    "APIVersion ID RequesterNodeID RequesterPublicKey ClientID Metadata Spec Deal ExecutionPlan "
    "CreatedAt JobState JobEvents LocalJobEvents Status",
    structs={"Metadata": _METADATA, "Spec": SPEC, "Deal": _DEAL, "ExecutionPlan": _PLAN},
    aliases={"JobAPIVersion": "APIVersion"},  # YAML of v0.2
)


LEGACY_API: Final = "legacy v1.0.4"
"""A job of v1.0.4 - v1.4 as the legacy API shows it: without Meta, namespace and Tasks.

It sorts before every other layout, and so gives way to the same job from the API of its time.
"""


class Sent(Struct, frozen=True):
    """Hold what a client sent around a job (`JobCreatePayload`), and its signature."""

    client: str
    signed: tuple[str, str] | None
    """`client_public_key` and `signature`, None of an unsigned payload."""
    raw: bytes | None
    """The payload's exact bytes, None where the document does not have them."""


class Created(Struct, frozen=True):
    """Hold the event of the requester that accepted a job, and what it says of the job."""

    job_id: str
    requester: str
    requester_key: str
    client: str
    event: Event


def parse_job(
    value: Fields, *, coerce: bool, sent: Sent | None = None, created: Created | None = None
) -> JobRecord:
    """Return the record of a job, v0.2.9 - v1.0.3, and of the legacy API up to v1.4.

    An orchestrator gives a job an ID, a create time and the ID of its requester. Without all of
    these it is a specification that nobody submitted, or a submission if it states a client
    and no ID. `sent`: it is what a client sent; `created`: it stood in the event that announced
    it. Raises `RejectedError`.
    """
    job = JOB.fold(value)
    metadata = _METADATA.fold(mapping(job, "Metadata", "Job"))
    status = _STATUS.fold(mapping(job, "Status", "Job"))
    spec = SPEC.fold(mapping(job, "Spec", "Job"))
    deal = _DEAL.fold(mapping(spec, "Deal", "Spec") or mapping(job, "Deal", "Job"))
    named = _named(job, metadata, status)
    stated_id = text(metadata, "ID", "Metadata") or text(job, "ID", "Job")
    client = next((value for rule, value in named if rule.role == "client"), "")
    created_at = times.moment(metadata, "CreatedAt", "Metadata") or times.moment(
        job, "CreatedAt", "Job"
    )

    findings: list[Finding] = []
    note_unknown(findings, JOB, [name for name in job if name not in JOB.known])
    labels = annotation_labels(items(spec, "Annotations", "Spec"), findings, coerce=coerce)
    executions: tuple[Execution, ...] = ()
    events: tuple[Event, ...] = ()
    around: Fields
    origin: Origin
    if created is not None:
        origin, stated_id, client = "event", created.job_id, created.client
        said = (created.requester, created.requester_key, created.client)
        attributions, more = attribute(zip(EVENT, said, strict=True))
        around = {"ID": stated_id} | {
            rule.basis: value for rule, value in zip(EVENT, said, strict=True)
        }
        events = (created.event,)
    elif sent is None and stated_id and created_at and _names_requester(named):
        origin = "orchestrator"
        attributions, more = attribute(named)
        places = ((JOB, value), (_METADATA, job.get("Metadata")), (_STATUS, job.get("Status")))
        requesters = ((_REQUESTER, of.get("Requester")) for of in (metadata, status))
        if note_snake_case(findings, *places, *requesters):
            attributions = as_claimed(attributions)
        around = {"Requester": _REQUESTER.clean(status.get("Requester"))}
        holder = status or job
        executions = shard_states(holder.get("JobState"))
        events = v0_events(items(holder, "JobEvents", "Job"), stated_id, findings)
        events += local_events(items(holder, "LocalJobEvents", "Job"), stated_id, findings)
    else:
        is_sent = sent is not None or (client and not stated_id)
        origin = "submission" if is_sent else "spec"
        sent = sent or Sent("", None, None)
        attributions, more = of_submission(sent.client, client, sent.signed, sent.raw)
        key, signature = sent.signed or ("", "")
        around = {"ClientID": sent.client, "client_public_key": key, "signature": signature}
        client = sent.client or client
        findings += (
            Finding("reserved.unsubmitted", f"{rule.basis} {quote(value)}")
            for rule, value in named
            if rule.role == "requester"
        )
        findings += states_id(origin, stated_id)
    findings += more
    _look_at_texts(job, labels, findings)

    hashed = job | {
        "Spec": spec | {"Annotations": labels},
        "Metadata": {name: metadata[name] for name in metadata if name != "CreatedAt"},
    }
    around = {name: value for name, value in around.items() if value}
    digest = spec_sha256(origin, JOB, hashed, around or None)
    return JobRecord(
        origin,
        _layout(metadata, status, spec),
        stated_id or "sha256:" + digest.hex(),
        "" if names_nobody(client) else client,
        digest,
        type="ops" if _targets_all(deal) else "batch",
        count=integer(deal, "Concurrency", "Deal"),
        created_at=created_at,
        labels=labels,
        tasks=(_task(spec),),
        attributions=attributions,
        executions=executions,
        events=events,
        findings=tuple(findings),
        uses=uses.of_legacy_spec(SPEC.clean(spec)),
    )


def _named(job: Fields, metadata: Fields, status: Fields) -> list[tuple[Rule, str]]:
    """Return what the job says of requester and client, with the rules that say it."""
    places = (
        (FLAT, job, "Job"),
        (METADATA[:2], _REQUESTER.fold(mapping(metadata, "Requester", "Metadata")), "Requester"),
        (METADATA[2:], metadata, "Metadata"),
        (STATUS, _REQUESTER.fold(mapping(status, "Requester", "Status")), "Requester"),
    )
    return [
        (rule, value)
        for rules, fields, label in places
        for rule in rules
        if (value := text(fields, rule.basis.rpartition(".")[2], label))
    ]


def _names_requester(named: list[tuple[Rule, str]]) -> bool:
    return any(rule.role == "requester" and not names_nobody(value) for rule, value in named)


def _look_at_texts(job: Fields, labels: dict[str, str], findings: list[Finding]) -> None:
    """Note odd labels, and Meta, which Bacalhau drops: these layouts do not have it."""
    look_at_labels(labels, findings)
    meta = job.get("Meta")
    if isinstance(meta, dict):
        texts = {key: item for key, item in meta.items() if isinstance(item, str)}
        look(texts, None, "reserved.unsubmitted", findings)


def _layout(metadata: Fields, status: Fields, spec: Fields) -> str:
    if spec.get("EngineSpec"):
        return LEGACY_API
    if metadata.get("Requester"):
        return "v0.3.22"
    if status or metadata or "Deal" in spec:
        return "v0.3.14"
    return "v0.2.9"


def _targets_all(deal: Fields) -> bool:
    """Tell a job for all nodes (pkg/model/job.go, v1.0.3, `TargetingMode`: a bool or its name)."""
    mode = deal.get("TargetingMode")
    return mode is True or (isinstance(mode, str) and mode.lower() in ("all", "true"))


def _task(spec: Fields) -> Task:
    """Return the one task that a legacy job is, named as the translation names it."""
    return Task(
        "main",
        _config_type(spec, "EngineSpec", states.ENGINE)
        or states.named(spec, "Engine", "Spec", states.ENGINE),
        _config_type(spec, "PublisherSpec", states.PUBLISHER)
        or states.named(spec, "Publisher", "Spec", states.PUBLISHER),
        {},
    )


def _config_type(spec: Fields, name: str, enums: tuple[Enum, ...]) -> str:
    config = _CONFIG.fold(mapping(spec, name, "Spec"))
    return states.named(config, "Type", f"Spec.{name}", enums)
