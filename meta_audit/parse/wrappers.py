"""Find the one job of a document in whatever wraps it.

The fields tell the kind of a document, in the order of `_Document.record`. A document of no
known kind is refused with a word on what it looks like (`refusals`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from meta_audit.errors import RejectedError
from meta_audit.model import Event, Finding, JobRecord
from meta_audit.parse import activity, current, legacy, states, times
from meta_audit.parse.attribution import as_claimed, of_submission
from meta_audit.parse.fields import Level, integer, mapping, squash, text, wrong_type
from meta_audit.parse.metadata import listed, note_foreign, note_snake_case, note_unknown
from meta_audit.parse.refusals import not_a_job

if TYPE_CHECKING:
    from meta_audit.parse.fields import Fields

_MAX_UNWRAPPED: Final = 2
"""Lists of one element around a document: YAML cuts a sequence's element with its dash."""

_WRAPPER: Final = Level(
    "document", "Job State History Executions Force ClientID JobState JobEvents JobLocalEvents"
)
_PAYLOAD: Final = Level("payload", "ClientID Job Context APIVersion Spec")
_CANCEL: Final = Level("payload", "ClientID JobID Reason")
_PAYLOADS: Final = ("JobCreatePayload", "JobCancelPayload", "Payload", "Data")
_SIGNED: Final = Level("submission", " ".join((*_PAYLOADS, "Signature", "ClientPublicKey")))
_REQUEST: Final = frozenset(
    ("job", "force", "idempotencytoken", "namespace", "headers", "clientid")
)
"""Fields of a request to submit a job (`PutJobRequest`, up to v1.1 `JobCreatePayload`)."""
_RESPONSE: Final = frozenset(("job", "history", "executions"))
"""Fields of a server's answer around a job of v1.0.4 and later (`GetJobResponse`)."""
_LEGACY_RESPONSE: Final = _RESPONSE | {"state", "jobstate", "jobevents", "joblocalevents"}
_STATES: Final = Level("response", "State")

COMPUTE_KEY: Final = "bacalhau.org/orchestrator.protocol"
"""Key that orchestrators since v1.5 add to the Meta of the copy that a compute node gets."""

_SPEC_ENGINES: Final = frozenset(
    ("engine", "enginespec", "docker", "wasm", "language", "jobspecdocker", "jobspeclanguage")
)
_SPEC_PARTS: Final = (_SPEC_ENGINES - {"engine", "enginespec"}) | {
    "verifier",
    "publisherspec",
    "deal",
}


def record_of(value: Any, content: bytes, *, coerce: bool) -> JobRecord:
    """Return what a decoded value says of one job. Raises `RejectedError`."""
    for _ in range(_MAX_UNWRAPPED):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
    if not isinstance(value, dict) or not value:
        raise not_a_job(value)
    if value.get("Tasks").__class__ is list and "ID" in value:
        return current.parse_job(value, coerce=coerce)
    return _Document(value, content, coerce).record()


class _Document:
    """One document and its fields by folded names, to tell its kind."""

    def __init__(self, value: Fields, content: bytes, coerce: bool) -> None:
        self.value = value
        self.content = content
        self.coerce = coerce
        # Collisions are for the level to find that the document turns out to have.
        self.seen = {squash(name).replace("_", ""): item for name, item in value.items()}

    def record(self) -> JobRecord:
        seen, value = self.seen, self.value
        if _is_job(seen):
            return current.parse_job(value, coerce=self.coerce)
        if "signature" in seen and "clientpublickey" in seen:
            return self._signed()
        if _is_kubernetes(seen):
            return self._kubernetes()
        is_history = "jobid" in seen and "type" in seen and "time" in seen
        if is_history and "computestate" not in seen and "eventname" not in seen:
            return self._history()
        if "jobid" in seen and ("computestate" in seen or "computereference" in seen):
            return self._execution()
        if seen.get("job").__class__ is dict:
            return self._wrapped()
        if seen.get("execution").__class__ is dict and "requesternodeid" in seen:
            return self._local_execution()
        if _is_job_state(seen.get("state")):
            return self._job_state()
        if "jobid" in seen and "eventname" in seen:
            return self._event()
        if _is_legacy(seen):
            return legacy.parse_job(value, coerce=self.coerce)
        if _is_bare_spec(seen):
            record = legacy.parse_job({"Spec": value}, coerce=self.coerce)
            return _noting_unknown(record, legacy.SPEC, legacy.SPEC.unknown(value))
        raise not_a_job(value)

    def _wrapped(self) -> JobRecord:
        """`{Job, …}`: a submission, a response with one job, a job with its activity."""
        fields = _WRAPPER.fold(self.value)
        client = text(fields, "ClientID", "document")
        if client and "spec" in _Document(fields["Job"], b"", self.coerce).seen:
            return self._sent(fields, legacy.Sent(client, None, None))
        is_request = len(self.seen) > 1 and self.seen.keys() <= _REQUEST
        record = self._job(fields["Job"], submitted="Force" in fields or is_request)
        if record.origin == "spec" and self.seen.keys() <= _REQUEST:
            record = self._job(fields["Job"], submitted=True)
        is_current = record.layout >= current.LAYOUT
        if record.origin == "submission":
            return self._noted(record, fields, _REQUEST - {"clientid"} if is_current else _REQUEST)
        record = self._noted(record, fields, _RESPONSE if is_current else _LEGACY_RESPONSE)
        findings = list(record.findings)
        job_id = record.job_id
        layout = record.layout if record.origin == "orchestrator" else ""
        found = record.executions + activity.executions(
            activity.read_list(fields, "Executions", "document"), job_id, layout, findings
        )
        state: dict[str, Any] = {
            "state": record.state,
            "revision": record.revision,
            "modified_at": record.modified_at,
        }
        if fields.get("State").__class__ is dict and not is_current:
            v1, more = activity.v1_state(fields["State"], job_id, findings)
            found += more
            if v1:
                state = {
                    "state": states.named(v1, "State", "State", ()),
                    "revision": integer(v1, "Version", "State", 0),
                    "modified_at": times.moment(v1, "UpdateTime", "State"),
                }
        events = (
            record.events
            + activity.histories(
                activity.read_list(fields, "History", "document"), job_id, layout, findings
            )
            + activity.v0_events(
                activity.read_list(fields, "JobEvents", "document"), job_id, findings
            )
            + activity.local_events(
                activity.read_list(fields, "JobLocalEvents", "document"), job_id, findings
            )
        )
        found += activity.shard_states(fields.get("JobState"))
        return replace(record, executions=found, events=events, findings=tuple(findings), **state)

    def _noted(self, record: JobRecord, fields: Fields, known: frozenset[str]) -> JobRecord:
        """Note fields around a job that do not belong there: then no server wrote the document."""
        names = [name for name in fields if squash(name).replace("_", "") not in known]
        if not names:
            return record
        if record.origin == "orchestrator":
            return _as_foreign(record, f"a job among other fields: {listed(names)}")
        return _noting_unknown(record, _WRAPPER, names)

    def _job(self, value: Fields, submitted: bool) -> JobRecord:
        """Parse the job in a wrapper, of whatever layout."""
        inner = _Document(value, b"", self.coerce)
        if "tasks" in inner.seen:
            return current.parse_job(value, coerce=self.coerce, submitted=submitted)
        if _is_legacy(inner.seen):
            sent = legacy.Sent("", None, None) if submitted else None
            return legacy.parse_job(value, coerce=self.coerce, sent=sent)
        raise not_a_job(value, "Job: ")

    def _signed(self) -> JobRecord:
        """`{payload, signature, client_public_key}` (pkg/publicapi/signatures.go, v1.0.3)."""
        return _noting_unknown(self._signed_payload(), _SIGNED, _SIGNED.unknown(self.value))

    def _signed_payload(self) -> JobRecord:
        fields = _SIGNED.fold(self.value)
        names = [name for name in _PAYLOADS if name in fields]
        if not names:
            raise not_a_job(self.value)
        if len(names) > 1:
            both = " and ".join(names)
            raise RejectedError("field.type", f"a submission signs one payload, not {both}")
        payload = mapping(fields, names[0], "submission")
        signed = (
            text(fields, "ClientPublicKey", "submission"),
            text(fields, "Signature", "submission"),
        )
        raw = _raw(self.content, squash(names[0]))
        if names[0] == "JobCancelPayload" and not payload:
            raise not_a_job(self.value)
        if "jobid" in _Document(payload, b"", self.coerce).seen:
            return _cancelled(_CANCEL.fold(payload), signed, raw)
        payload = _PAYLOAD.fold(payload)
        client = text(payload, "ClientID", "payload")
        return self._sent(payload, legacy.Sent(client, signed, raw))

    def _sent(self, payload: Fields, sent: legacy.Sent) -> JobRecord:
        """Parse a `JobCreatePayload`: `{ClientID, Job}`, or from v0.3.14 `{ClientID, Spec}`."""
        job = payload.get("Job")
        if job is None:
            job = {name: item for name, item in payload.items() if name != "ClientID"}
        elif job.__class__ is not dict:
            raise wrong_type("payload.Job", "a mapping", job)
        if not _is_legacy(_Document(job, b"", self.coerce).seen):
            raise not_a_job(payload, "signed payload: " if sent.signed else "payload: ")
        return legacy.parse_job(job, coerce=self.coerce, sent=sent)

    def _kubernetes(self) -> JobRecord:
        """`{apiVersion, kind, metadata, spec}` for an operator that submits `spec` as a job."""
        spec = {name: item for name, item in self.seen["spec"].items() if squash(name) != "state"}
        inner = _Document(spec, b"", self.coerce)
        if _is_job(inner.seen) or _is_legacy(inner.seen) or _is_bare_spec(inner.seen):
            record = inner.record()
            is_word = record.origin == "orchestrator"
            return _as_foreign(record, "an object of Kubernetes") if is_word else record
        message = "a Kubernetes object without a job under spec; feed the job itself"
        raise RejectedError("not_a_job", message)

    def _job_state(self) -> JobRecord:
        """`{state: {JobID, Executions, State}}` of `/requester/states`, v0.3.22 - v1.4."""
        findings: list[Finding] = []
        value = _STATES.fold(self.value)["State"]
        job_id = text(activity.STATE.fold(value), "JobID", "State")
        state, found = activity.v1_state(value, job_id, findings)
        event = Event(
            times.moment(state, "UpdateTime", "State"),
            "JobLevel",
            "",
            "",
            states.named(state, "State", "State", ()),
            "",
        )
        return _activity(
            job_id,
            layout="v0.3.22",
            executions=found,
            events=(event,) if event.state else (),
            findings=tuple(findings),
        )

    def _execution(self) -> JobRecord:
        fields = activity.EXECUTION.fold(self.value)
        if fields.get("Job").__class__ is dict:
            # A compute node keeps the job with the execution.
            record = self._job(fields["Job"], submitted=False)
            if record.origin == "orchestrator":
                findings = list(record.findings)
                found = activity.executions([fields], record.job_id, record.layout, findings)
                note_unknown(findings, activity.EXECUTION, activity.EXECUTION.unknown(fields))
                layout = record.layout
                return replace(
                    record,
                    layout=f"compute {layout}" if COMPUTE_KEY in record.meta else layout,
                    executions=record.executions + found,
                    findings=tuple(findings),
                )
        findings = []
        note_unknown(findings, activity.EXECUTION, activity.EXECUTION.unknown(fields))
        found = (activity.execution(fields, "", findings),)
        return _activity(
            text(fields, "JobID", "Execution"),
            text(fields, "Namespace", "Execution"),
            layout="v0.3.22" if "ComputeReference" in fields else "v1.0.4",
            executions=found,
            findings=tuple(findings),
        )

    def _local_execution(self) -> JobRecord:
        """`{Execution, State, …}` as a compute node of v1.1 - v1.4 keeps it."""
        fields = activity.LOCAL.fold(self.value)
        inner = _Document(fields["Execution"], b"", self.coerce)
        if "computestate" not in inner.seen or "jobid" not in inner.seen:
            raise not_a_job(self.value)
        record = inner._execution()
        local = activity.local_execution(fields, record.executions[-1])
        record = replace(record, executions=(*record.executions[:-1], local))
        return _noting_unknown(record, activity.LOCAL, activity.LOCAL.unknown(self.value))

    def _history(self) -> JobRecord:
        fields = activity.HISTORY.fold(self.value)
        findings: list[Finding] = []
        note_unknown(findings, activity.HISTORY, activity.HISTORY.unknown(fields))
        return _activity(
            text(fields, "JobID", "History"),
            layout="v0.3.22" if "NewVersion" in fields else "v1.0.4",
            events=(activity.history(fields),),
            findings=tuple(findings),
        )

    def _event(self) -> JobRecord:
        fields = activity.V0_EVENT.fold(self.value)
        job_id = text(fields, "JobID", "Event")
        event = activity.v0_event(fields)
        unknown = activity.V0_EVENT.unknown(fields)
        if event.kind != "Created" or not job_id or not fields.get("Spec"):
            record = _activity(job_id, layout="v0.2.9", events=(event,))
            return _noting_unknown(record, activity.V0_EVENT, unknown)
        created = legacy.Created(
            job_id=job_id,
            requester=text(fields, "SourceNodeID", "Event"),
            requester_key=text(fields, "SenderPublicKey", "Event"),
            client=text(fields, "ClientID", "Event"),
            event=event,
        )
        job = {
            "APIVersion": fields.get("APIVersion"),
            "Spec": fields["Spec"],
            "Deal": fields.get("Deal"),
            "ExecutionPlan": fields.get("JobExecutionPlan"),
            "CreatedAt": fields.get("EventTime"),
        }
        record = legacy.parse_job(job, coerce=self.coerce, created=created)
        record = _noting_unknown(record, activity.V0_EVENT, unknown)
        findings = list(record.findings)
        if not note_snake_case(findings, (activity.V0_EVENT, self.value)):
            return record
        claimed = as_claimed(record.attributions)
        return replace(record, attributions=claimed, findings=tuple(findings))


def _noting_unknown(record: JobRecord, level: Level, names: list[str]) -> JobRecord:
    """Return a record with findings on names that are no field of a level."""
    if not names:
        return record
    findings = list(record.findings)
    note_unknown(findings, level, names)
    return replace(record, findings=tuple(findings))


def _as_foreign(record: JobRecord, what: str) -> JobRecord:
    """Return a job that an orchestrator states, in a form that none writes."""
    findings = list(record.findings)
    note_foreign(findings, what)
    claimed = as_claimed(record.attributions)
    return replace(record, attributions=claimed, findings=tuple(findings))


def _activity(job_id: str, namespace: str = "", *, layout: str, **found: Any) -> JobRecord:
    """Return a record of executions or events without their job."""
    if not job_id:
        raise RejectedError("not_a_job", "an execution or event that does not say of which job")
    return JobRecord("activity", layout, job_id, namespace, b"", **found)


def _cancelled(payload: Fields, signed: tuple[str, str], raw: bytes | None) -> JobRecord:
    """Return the signed request to stop a job, as an event that says who asked and why."""
    client = text(payload, "ClientID", "payload")
    attributions, findings = of_submission(client, "", signed, raw)
    by = next((f"client {a.value} ({a.trust})" for a in attributions if a.role == "client"), "")
    message = ": ".join(filter(None, (by, text(payload, "Reason", "payload"))))
    event = Event(None, "CancelRequest", "", "", "", message)
    job_id = text(payload, "JobID", "payload")
    return _activity(job_id, layout="v0.3.22", events=(event,), findings=findings)


def _is_kubernetes(seen: Fields) -> bool:
    """Tell a Kubernetes object of Bacalhau's from any other."""
    kind = f"{seen.get('kind')} {seen.get('apiversion')}"
    return "kind" in seen and seen.get("spec").__class__ is dict and "bacalhau" in kind.lower()


def _is_job_state(state: Any) -> bool:
    return isinstance(state, dict) and any(
        squash(name).replace("_", "") == "jobid" for name in state
    )


def _is_job(seen: Fields) -> bool:
    """Tell a job of v1.0.4 and later; without an ID only if a task has an engine.

    Playbooks and task files have tasks, too.
    """
    tasks = seen.get("tasks")
    if "tasks" not in seen or seen.get("job").__class__ is dict:
        return False
    if seen.get("id"):
        return True
    return isinstance(tasks, list) and any(
        isinstance(task, dict) and any(squash(name) == "engine" for name in task) for task in tasks
    )


def _is_legacy(seen: Fields) -> bool:
    """Tell a job of v0.2.9 - v1.0.3; without an ID only if its spec has an engine.

    Every Kubernetes object has `apiVersion`, `metadata` and `spec`.
    """
    spec = seen.get("spec")
    if spec.__class__ is not dict or "kind" in seen:
        return False
    names = {squash(name).replace("_", "") for name in spec}
    return not names.isdisjoint(_SPEC_ENGINES)


def _is_bare_spec(seen: Fields) -> bool:
    """Tell a `Spec` that stands alone from a task, whose engine is a struct."""
    return (
        not seen.keys().isdisjoint(_SPEC_ENGINES)
        and not seen.keys().isdisjoint(_SPEC_PARTS)
        and seen.get("engine").__class__ is not dict
    )


def _raw(content: bytes, name: str) -> bytes | None:
    """Return a field's exact bytes from a JSON document, None when it is not JSON."""
    data: Any = content
    for _ in range(_MAX_UNWRAPPED + 1):
        try:
            fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw] | list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if isinstance(fields, list):
            data = fields[0] if len(fields) == 1 else b""
            continue
        for key, raw in fields.items():
            if squash(key).replace("_", "") == name:
                return bytes(raw)
        return None
    return None
