"""Read jobs of v1.0.4 and later: Tasks, Meta, Labels (pkg/models/job.go and task.go)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from meta_audit.model import JobRecord, Task
from meta_audit.parse import canonical, states, uses
from meta_audit.parse.attribution import as_claimed, of_meta
from meta_audit.parse.fields import Level, integer, items, mapping, text, wrong_type
from meta_audit.parse.metadata import (
    is_plain,
    look,
    look_at_labels,
    note_foreign,
    note_snake_case,
    note_unknown,
    place,
    states_id,
    strings,
)
from meta_audit.parse.spec_digest import spec_sha256, usual_input
from meta_audit.parse.times import since_1970

if TYPE_CHECKING:
    from meta_audit.execution_state import Enum
    from meta_audit.model import Attribution, Finding, Origin
    from meta_audit.parse.fields import Fields

_SPEC_CONFIG: Final = Level("SpecConfig", "Type Params")
TASK: Final = Level(
    "Task",
    "Name Engine Publisher Env Meta InputSources ResultPaths Resources Network Timeouts",
    structs={
        "Engine": _SPEC_CONFIG,
        "Publisher": _SPEC_CONFIG,
        "Resources": Level("Resources", "CPU Memory Disk GPU"),
        "Network": Level(
            "Network",
            "Type Domains Ports",
            lists={"Ports": Level("Port", "Name Static Target HostNetwork")},
        ),
        "Timeouts": Level("Timeouts", "ExecutionTimeout QueueTimeout TotalTimeout"),
    },
    lists={
        "InputSources": Level(
            "InputSource", "Source Alias Target", structs={"Source": _SPEC_CONFIG}
        ),
        "ResultPaths": Level("ResultPath", "Name Path"),
    },
    aliases={"ResourcesConfig": "Resources"},  # the Go name, v1.0.4 - v1.1.x
)
JOB: Final = Level(
    "Job",
    "ID Name Namespace Type Priority Count Constraints Meta Labels Tasks State Version Revision "
    "CreateTime ModifyTime",
    lists={"Constraints": Level("Constraint", "Key Operator Values"), "Tasks": TASK},
)
LAYOUT: Final = "v1.0.4"
"""The first layout of these jobs; it and all later ones sort after every older one."""
_STATE: Final = Level("State", "StateType Message Details")


def parse_job(value: Fields, *, coerce: bool, submitted: bool = False) -> JobRecord:
    """Return the record of a job, v1.0.4 and later.

    An orchestrator gives a job an ID, a create time, a revision and a state. Without all of
    these it is a specification that nobody submitted, whatever ID it states: clients may choose
    the ID. `submitted` says that it is what a client sent. Raises `RejectedError`.
    """
    findings: list[Finding] = []
    spec: Fields | None = None
    job = canonical.convert(value)
    if job is None:
        job, spec = _read(value, findings, coerce=coerce)

    state, revision = job.State, job.Revision
    created_at = since_1970(job.CreateTime, "Job.CreateTime", findings)
    modified_at = since_1970(job.ModifyTime, "Job.ModifyTime", findings)
    origin: Origin = "orchestrator"
    if submitted:
        origin = "submission"
    elif not (job.ID and job.CreateTime > 0 and revision and state and state.StateType):
        origin = "spec"
    elif spec is not None and not _is_state(spec.get("State")):
        note_foreign(findings, "a State that is not {StateType, Message} with its name as text")
        origin = "spec"
    unsubmitted = origin != "orchestrator"
    if spec is not None:
        note_unknown(findings, JOB, [name for name in spec if name not in JOB.known])
    if spec is None:
        job.State = None
        job.Revision = job.CreateTime = job.ModifyTime = 0
        encoded = usual_input(origin, job)
        digest, plain = sha256(encoded).digest(), is_plain(encoded)
    else:
        digest, plain = spec_sha256(origin, JOB, spec), False

    forged = "reserved.unsubmitted" if unsubmitted else None
    report = look(job.Meta, None, forged, findings, plain=plain)
    tasks = []
    for task in job.Tasks:
        if task.Meta:
            look(task.Meta, task.Name, "reserved.task", findings, plain=plain)
        tasks.append(Task(task.Name, task.Engine.Type, task.Publisher.Type, task.Meta))
    look_at_labels(job.Labels, findings, plain=plain)
    layout = LAYOUT
    attributions: tuple[Attribution, ...] = ()
    if unsubmitted:
        findings += states_id(origin, job.ID)
    else:
        layout, attributions, more = of_meta(job.Meta, report, job.Namespace)
        findings += more
        if spec is not None and note_snake_case(
            findings, (JOB, value), (_STATE, spec.get("State"))
        ):
            attributions = as_claimed(attributions)
    return JobRecord(
        origin,
        layout,
        job.ID or "sha256:" + digest.hex(),
        job.Namespace or ("default" if unsubmitted else ""),
        digest,
        job.Name,
        job.Type,
        job.Priority,
        job.Count,
        job.Version,
        created_at,
        job.Meta,
        job.Labels,
        tuple(tasks),
        attributions,
        state.StateType if state is not None else "",
        state.Message if state is not None else "",
        revision,
        modified_at,
        findings=tuple(findings),
        uses=uses.of_tasks(value.get("Tasks") if spec is None else map(TASK.clean, spec["Tasks"])),
    )


def read_state(fields: Fields, name: str, label: str, enums: tuple[Enum, ...]) -> tuple[str, str]:
    """Return the type and message of a `models.State`; a bare name or number is taken too.

    Raises `RejectedError` (`field.type`).
    """
    value = fields.get(name)
    if value.__class__ is not dict:
        return states.named(fields, name, label, enums), ""
    state = _STATE.fold(value)
    where = f"{label}.{name}"
    return states.named(state, "StateType", where, enums), text(state, "Message", where)


def _is_state(value: object) -> bool:
    """Tell whether a State has the form in which every server writes that of a job."""
    return isinstance(value, dict) and isinstance(_STATE.fold(value).get("StateType"), str)


def _read(
    value: Fields, findings: list[Finding], *, coerce: bool
) -> tuple[canonical.UsualJob, Fields]:
    """Read a job that takes a closer look: what the record needs of it, and all its fields."""
    job = JOB.fold(value)
    meta = strings(job.get("Meta"), place(None), "meta.not_string", findings, coerce=coerce)
    labels = strings(job.get("Labels"), "Labels", "label.not_string", findings, coerce=coerce)
    tasks, spec_tasks = [], []
    for number, item in enumerate(items(job, "Tasks", "Job")):
        if not isinstance(item, dict):
            raise wrong_type(f"Job.Tasks[{number}]", "a mapping", item)
        fields = TASK.fold(item)
        name = text(fields, "Name", "Task")
        task_meta = strings(
            fields.get("Meta"), place(name), "meta.not_string", findings, coerce=coerce
        )
        tasks.append(
            canonical.UsualTask(
                name,
                canonical.SpecConfig(_type(fields, "Engine")),
                canonical.SpecConfig(_type(fields, "Publisher")),
                Meta=task_meta,
            )
        )
        spec_tasks.append(fields | {"Meta": task_meta})
    read = canonical.UsualJob(
        text(job, "ID", "Job"),
        text(job, "Name", "Job"),
        text(job, "Namespace", "Job"),
        text(job, "Type", "Job"),
        integer(job, "Priority", "Job"),
        integer(job, "Count", "Job"),
        Meta=meta,
        Labels=labels,
        Tasks=tasks,
        State=canonical.JobState(*read_state(job, "State", "Job", states.JOB)),
        Version=integer(job, "Version", "Job", 0),
        Revision=integer(job, "Revision", "Job", 0),
        CreateTime=integer(job, "CreateTime", "Job"),
        ModifyTime=integer(job, "ModifyTime", "Job"),
    )
    return read, job | {"Meta": meta, "Labels": labels, "Tasks": spec_tasks}


def _type(task: Fields, name: str) -> str:
    """Return the type of an engine or publisher."""
    config = _SPEC_CONFIG.fold(mapping(task, name, "Task"))
    return text(config, "Type", f"Task.{name}")
