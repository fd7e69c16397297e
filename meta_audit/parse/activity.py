"""Read executions and events: what happened to a job, and on which nodes.

They stand in a job's document or in documents of their own. Sources: pkg/models/execution.go
and job_history.go (v1.0.4 →), pkg/model/execution_state.go, shard_state.go and
job_state_history.go (v0.3.22 - v1.0.3), pkg/model/job.go (`JobState`, `JobEvent`, v0.2.9 -
v0.3.19).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from meta_audit import execution_state
from meta_audit.decode.text import quote
from meta_audit.execution_state import FROM_V1_5_2, TO_V1_5_1
from meta_audit.model import Event, Execution, Finding
from meta_audit.parse import states, times, uses
from meta_audit.parse.current import read_state
from meta_audit.parse.fields import Level, items, mapping, text, wrong_type

if TYPE_CHECKING:
    from meta_audit.execution_state import Enum
    from meta_audit.parse.fields import Fields

EXECUTION: Final = Level(
    "Execution",
    "ID Namespace EvalID Name NodeID JobID Job JobVersion AllocatedResources DesiredState "
    "ComputeState PublishedResult RunOutput PreviousExecution NextExecution FollowupEvalID "
    "PartitionIndex Revision CreateTime ModifyTime "
    # ExecutionState, v0.3.22 - v1.0.3
    "ComputeReference ShardIndex State AcceptedAskForBid Status VerificationProposal "
    "VerificationResult PublishedResults Version UpdateTime",
)
HISTORY: Final = Level(
    "History",
    "SeqNum Type JobID JobVersion NodeID ExecutionID ComputeReference JobState ExecutionState "
    "ShardIndex NewRevision NewVersion Comment Event Time",
)
V0_EVENT: Final = Level(
    "Event",
    "APIVersion JobID ShardIndex ExecutionID ClientID SourceNodeID TargetNodeID EventName Spec "
    "JobExecutionPlan Deal Status VerificationProposal VerificationResult PublishedResult "
    "EventTime SenderPublicKey RunOutput",
)
LOCAL: Final = Level(
    "LocalExecution",
    "Execution PublishedResult RequesterNodeID RequestedCalibration ResourceUsage State Version "
    "CreateTime UpdateTime LatestComment",
)
_CHANGE: Final = Level("StateChange", "Previous New")
_HAPPENED: Final = Level("Event", "Message Topic Timestamp Details")
_ITEMS: Final = Level("page", "Items NextToken")
_NODES: Final = Level("JobState", "Nodes")
_NODE: Final = Level("Node", "Shards")
STATE: Final = Level(
    "State", "JobID Shards Executions State Version CreateTime UpdateTime TimeoutAt"
)


def read_list(fields: Fields, name: str, label: str) -> list[Any]:
    """Return a list that may stand in an `{Items: [...]}` of its own, as pages have it."""
    value = fields.get(name)
    if value.__class__ is dict:
        return items(_ITEMS.fold(value), "Items", f"{label}.{name}")
    return items(fields, name, label)


def execution(value: Any, layout: str, findings: list[Finding]) -> Execution:
    """Return one execution. `layout` is that of its job, "" when not known.

    The numbers of states changed with v1.5.2. Raises `RejectedError`.
    """
    fields = EXECUTION.fold(_mapping(value, "Execution"))
    if "State" in fields or "ComputeReference" in fields:
        return Execution(
            text(fields, "ComputeReference", "Execution"),
            text(fields, "NodeID", "Execution"),
            states.named(fields, "State", "Execution", ()),
            states.named(fields, "DesiredState", "Execution", states.DESIRED),
            text(fields, "Status", "Execution"),
            times.moment(fields, "CreateTime", "Execution"),
            times.moment(fields, "UpdateTime", "Execution"),
            uses.result(
                fields.get("PublishedResults"), text(fields, "ComputeReference", "Execution")
            ),
        )
    state, message = read_state(fields, "ComputeState", "Execution", _enums(fields, layout))
    desired, reason = read_state(fields, "DesiredState", "Execution", states.DESIRED)
    return Execution(
        text(fields, "ID", "Execution"),
        text(fields, "NodeID", "Execution"),
        state,
        desired,
        message or reason,
        times.integer_moment(fields, "CreateTime", "Execution", findings),
        times.integer_moment(fields, "ModifyTime", "Execution", findings),
        uses.result(fields.get("PublishedResult"), text(fields, "ID", "Execution")),
    )


def _enums(fields: Fields, layout: str) -> tuple[Enum, ...]:
    """Return the enums that may tell the state of an execution."""
    if layout:
        return (execution_state.names(layout),)
    if "JobVersion" in fields:  # v1.8.0
        return (FROM_V1_5_2,)
    output = fields.get("RunOutput")
    if output.__class__ is dict and "stdout" in output:  # `Stdout` from v1.2.1
        return (TO_V1_5_1,)
    return (TO_V1_5_1, FROM_V1_5_2)


def local_execution(fields: Fields, told: Execution) -> Execution:
    """Return an execution as its compute node saw it; `told` is what it was told to run.

    Raises `RejectedError`.
    """
    return replace(
        told,
        state=states.named(fields, "State", "LocalExecution", states.LOCAL_EXECUTION),
        message=text(fields, "LatestComment", "LocalExecution"),
        created_at=times.moment(fields, "CreateTime", "LocalExecution"),
        modified_at=times.moment(fields, "UpdateTime", "LocalExecution"),
        result=uses.result(fields.get("PublishedResult"), told.execution_id) or told.result,
    )


def executions(
    values: list[Any], job_id: str, layout: str, findings: list[Finding]
) -> tuple[Execution, ...]:
    """Return the executions that stand in the document of a job. Raises `RejectedError`."""
    own = _own(values, EXECUTION, "Execution", job_id, findings)
    return tuple(execution(fields, layout, findings) for fields in own)


def v1_state(
    value: Any, job_id: str, findings: list[Finding]
) -> tuple[Fields, tuple[Execution, ...]]:
    """Return a `JobState` of v0.3.22 - v1.0.3 by its fields, and the executions in it.

    Up to v0.3.29 they stand by shard. Raises `RejectedError`.
    """
    state = STATE.fold(_mapping(value, "State"))
    other = text(state, "JobID", "State")
    if other and other != job_id:
        findings.append(_other_job("State", other, job_id))
        return {}, ()
    found = list(items(state, "Executions", "State"))
    for shard in mapping(state, "Shards", "State").values():
        fields = STATE.fold(_mapping(shard, "Shard"))
        found += items(fields, "Executions", "Shard")
    return state, executions(found, job_id, "v0.3.22", findings)


def shard_states(value: Any) -> tuple[Execution, ...]:
    """Return the state of each shard on each node, v0.2.9 - v0.3.19.

    Executions had no IDs then: here they are node ID and number of the shard, joined by a
    colon. Raises `RejectedError`.
    """
    if value is None:
        return ()
    nodes = mapping(_NODES.fold(_mapping(value, "JobState")), "Nodes", "JobState")
    found = []
    for node_id, node in nodes.items():
        shards = mapping(_NODE.fold(_mapping(node, "Node")), "Shards", "Node")
        for number, shard in shards.items():
            fields = EXECUTION.fold(_mapping(shard, "Shard"))
            execution_id = f"{node_id}:{number}"
            found.append(
                Execution(
                    execution_id,
                    text(fields, "NodeID", "Shard") or node_id,
                    states.named(fields, "State", "Shard", states.SHARD),
                    "",
                    text(fields, "Status", "Shard"),
                    None,
                    None,
                    uses.result(fields.get("PublishedResults"), execution_id),
                )
            )
    return tuple(found)


def history(value: Any, layout: str = "") -> Event:
    """Return one item of a job's history, v0.3.22 and later. Raises `RejectedError`.

    The time is when it happened, where that is told, and else when it was written down
    (`JobHistory.Occurred`).
    """
    fields = HISTORY.fold(_mapping(value, "History"))
    happened = _HAPPENED.fold(mapping(fields, "Event", "History"))
    details = mapping(happened, "Details", "Event")
    state = (
        _new_state(fields, "JobState", states.JOB)
        or _new_state(fields, "ExecutionState", _history_enums(fields, layout))
        or states.named(details, "NewState", "Details", ())  # pkg/models/event.go
    )
    return Event(
        times.moment(happened, "Timestamp", "Event") or times.moment(fields, "Time", "History"),
        states.named(fields, "Type", "History", states.HISTORY),
        text(fields, "ExecutionID", "History") or text(fields, "ComputeReference", "History"),
        text(fields, "NodeID", "History"),
        state,
        text(fields, "Comment", "History") or text(happened, "Message", "Event"),
    )


def _history_enums(fields: Fields, layout: str) -> tuple[Enum, ...]:
    """Return the enums that may tell a state in the history; `NewRevision` went with v1.5.0."""
    return _enums({}, layout) if "NewRevision" not in fields else (TO_V1_5_1,)


def _new_state(fields: Fields, name: str, enums: tuple[Enum, ...]) -> str:
    change = _CHANGE.fold(mapping(fields, name, "History"))
    return states.named(change, "New", f"History.{name}", enums)


def histories(
    values: list[Any], job_id: str, layout: str, findings: list[Finding]
) -> tuple[Event, ...]:
    """Return the history that stands in the document of a job. Raises `RejectedError`."""
    own = _own(values, HISTORY, "History", job_id, findings)
    return tuple(history(fields, layout) for fields in own)


def v0_event(value: Any, enums: tuple[Enum, ...] = states.EVENT) -> Event:
    """Return one event of v0.2.9 - v1.0.3; its node is the compute node, or else the sender.

    Raises `RejectedError`.
    """
    fields = V0_EVENT.fold(_mapping(value, "Event"))
    return Event(
        times.moment(fields, "EventTime", "Event"),
        states.named(fields, "EventName", "Event", enums),
        text(fields, "ExecutionID", "Event"),
        text(fields, "TargetNodeID", "Event") or text(fields, "SourceNodeID", "Event"),
        "",
        text(fields, "Status", "Event"),
        uses.result(fields.get("PublishedResult"), text(fields, "ExecutionID", "Event")),
    )


def v0_events(values: list[Any], job_id: str, findings: list[Finding]) -> tuple[Event, ...]:
    """Return the events that stand in the document of a job. Raises `RejectedError`."""
    return tuple(map(v0_event, _own(values, V0_EVENT, "Event", job_id, findings)))


def local_events(values: list[Any], job_id: str, findings: list[Finding]) -> tuple[Event, ...]:
    """Return the events that a node kept to itself, v0.2.9 - v0.3.19. Raises `RejectedError`."""
    own = _own(values, V0_EVENT, "Event", job_id, findings)
    return tuple(v0_event(fields, states.LOCAL_EVENT) for fields in own)


def _own(
    values: list[Any], level: Level, label: str, job_id: str, findings: list[Finding]
) -> list[Fields]:
    """Keep what says that it is of this job, or does not say of which."""
    own = []
    for value in values:
        fields = level.fold(_mapping(value, label))
        other = text(fields, "JobID", label)
        if other and other != job_id:
            findings.append(_other_job(label, other, job_id))
        else:
            own.append(fields)
    return own


def _other_job(label: str, other: str, job_id: str) -> Finding:
    detail = f"{label} of job {quote(other)} in the document of {quote(job_id)}"
    return Finding("activity.other_job", detail)


def _mapping(value: Any, label: str) -> Fields:
    if value.__class__ is not dict:
        raise wrong_type(label, "a mapping", value)
    return value
