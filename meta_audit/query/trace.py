"""Read all that the store knows of one job, in a constant number of statements by its key."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final, TypeVar

from meta_audit.catalogue import FINDINGS
from meta_audit.errors import NotFoundError
from meta_audit.execution_state import EXECUTION_LEVEL, resolve
from meta_audit.identity.same_job import Birth
from meta_audit.query.aliases import names_of
from meta_audit.query.as_of import known_entry, last_entry
from meta_audit.query.attributions import AttributionRow, best, in_order
from meta_audit.query.contradictions import CODE, contradiction
from meta_audit.query.identify import Identified, identify
from meta_audit.query.past import session_at
from meta_audit.query.results import (
    TRACE_FORMAT,
    Candidates,
    Evidence,
    Observation,
    Position,
    Trace,
    TracedCheckpoint,
    TracedEvent,
    TracedExecution,
    TracedFinding,
    TracedJob,
    TracedReading,
    Version,
)
from meta_audit.query.same_spec import same_spec
from meta_audit.query.texts import exact, rfc3339
from meta_audit.query.uses import uses_of
from meta_audit.query.version_content import ATTRIBUTIONS, version_content
from meta_audit.schema.newest import NEWEST_JOINS, NEWEST_ORDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meta_audit.store.session import Session

_Told = TypeVar("_Told")

_OBSERVATIONS: Final = f"""
    SELECT o.document_id, CASE o.job_key WHEN ? THEN o.version_no ELSE 0 END, state.term,
        message.term, o.revision, o.modified_at, o.ordinal, o.line, d.sha256, d.size, s.uri,
        s.import_id, m.started_at, o.use_set
    FROM observations o {NEWEST_JOINS}
    JOIN terms state ON state.term_id = o.state_id
    JOIN terms message ON message.term_id = o.message_id
    JOIN sources s ON s.source_id = o.source_id
    JOIN imports m ON m.import_id = s.import_id
    WHERE o.job_key IN (?, ?) AND {known_entry("o")} ORDER BY {NEWEST_ORDER}"""  # noqa: S608
_VERSIONS: Final = """
    SELECT v.version_no, v.version, v.spec_sha256, origin.term, layout.term, name.term,
        type.term, v.priority, v.count, v.created_at
    FROM job_versions v
    JOIN terms origin ON origin.term_id = v.origin_id
    JOIN terms layout ON layout.term_id = v.layout_id
    JOIN terms name ON name.term_id = v.name_id
    JOIN terms type ON type.term_id = v.type_id
    WHERE v.job_key = ? ORDER BY v.version_no"""
_EXECUTIONS: Final = f"""
    SELECT e.document_id, e.execution_id, i.value, e.state, e.desired_state, e.message,
        e.created_at, e.modified_at
    FROM executions e JOIN identities i ON i.identity_id = e.node_id
    WHERE e.job_key IN (?, ?) AND {known_entry("e")} ORDER BY e.document_id, e.position"""  # noqa: S608
_EVENTS: Final = f"""
    SELECT e.document_id, e.time, e.kind, e.execution_id, i.value, e.state, e.message
    FROM job_events e JOIN identities i ON i.identity_id = e.node_id
    WHERE e.job_key IN (?, ?) AND {known_entry("e")} ORDER BY e.document_id, e.position"""  # noqa: S608
_CHECKPOINT: Final = """
    SELECT checkpoint_id, tree_size, note, import_id FROM checkpoints
    WHERE tree_size <= ? ORDER BY checkpoint_id DESC LIMIT 1"""
_FINDINGS: Final = f"""
    SELECT document_id, code, severity, detail FROM findings f
    WHERE job_key IN (?, ?) AND {known_entry("f")}
    ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END,
        document_id, position"""  # noqa: S608
_READINGS: Final = """
    SELECT r.reading_id, r.supersedes, s.import_id, m.tool_version, m.started_at
    FROM observations o
    JOIN readings r ON r.reading_id = o.document_id
    JOIN sources s ON s.source_id = o.source_id
    JOIN imports m ON m.import_id = s.import_id
    WHERE o.job_key IN (?, ?) AND r.reading_id <= ? ORDER BY r.reading_id"""


def trace(
    session: Session,
    job: str,
    namespace: str | None = None,
    as_of: int | None = None,
    at: int | None = None,
) -> Trace | Candidates:
    """Trace the job with this ID, beginning of an ID, or name.

    Meta, labels, tasks and attributions are those of the newest version: the one seen in the
    newest state (`schema.newest`). Executions and events without a namespace count as this job's.
    `as_of` is the first moment whose imports no longer count. With `at`, what documents say of
    that time and later does not: the job is shown as it was then. Both are nanoseconds since 1970.
    Raises `NotFoundError`, and `UsageError` for an empty text.
    """
    meant = identify(session, job, namespace)
    if isinstance(meant, Candidates):
        return meant
    return trace_of(session, meant, as_of, at)


def trace_of(
    session: Session, job: Identified, as_of: int | None = None, at: int | None = None
) -> Trace:
    """Trace a job that is identified. Raises `NotFoundError` if it was not there then."""
    key, both = job.job_key, (job.job_key, job.activity_key)
    last = last_entry(session, as_of)
    known = *both, last, last
    observed, versions, attributed, executions, events, findings, read, *rest = session.together(
        (_OBSERVATIONS, key, *known),
        (_VERSIONS, key),
        (ATTRIBUTIONS, key),
        (_EXECUTIONS, *known),
        (_EVENTS, *known),
        (_FINDINGS, *known),
        (_READINGS, *both, last),
        (_CHECKPOINT, last + 1),
    )
    seen = [_Seen(*row) for row in observed]
    if not seen:
        raise NotFoundError(
            f"the store did not know the job {job.job_id} then",
            advice=f"`meta-audit history {job.job_id}` shows when it came in.",
        )
    hashes = {s.document_id: s.sha256 for s in seen}
    executions, events = _in_time(executions, 7, hashes), _in_time(events, 1, hashes)
    if at is not None:
        seen = _seen_at(job, seen, versions, at)
        executions = _executions_at(executions, at)
        events = [row for row in events if row[1] is None or row[1] < at]
    shown = {one.version_no for one in seen}
    versions = [row for row in versions if row[0] in shown]
    newest = next((one for one in seen if one.version_no), None)
    number = newest.version_no if newest else 0
    content = version_content(session, key, number)
    who: dict[int, list[AttributionRow]] = {}
    for version_no, *attribution in attributed:
        who.setdefault(version_no, []).append(AttributionRow(*attribution))
    layout = next((row[4] for row in versions if row[0] == number and row[3] == "orchestrator"), "")
    traced = _job(job, newest, versions)
    born = next((row[9] for row in versions if row[0] == number), None)
    trace = Trace(
        format=TRACE_FORMAT,
        job=traced,
        attributions=in_order(who.get(number, ())),
        tasks=content.tasks,
        meta=content.meta,
        labels=content.labels,
        versions=tuple(_version(row, who.get(row[0], ())) for row in versions),
        observations=tuple(s.observation() for s in sorted(seen, key=_Seen.age) if s.version_no),
        executions=_told(TracedExecution, _named_executions(executions, layout), hashes, (5, 6)),
        events=_told(TracedEvent, _named_events(events, layout), hashes, (0,)),
        evidence=tuple(s.evidence() for s in sorted(seen, key=lambda s: s.document_id)),
        checkpoint=_checkpoint(rest[0], max(hashes)),
        findings=_two_jobs(versions, who, seen) + _told(TracedFinding, findings, hashes, ()),
        readings=tuple(
            TracedReading(entry, supersedes, import_id, version, rfc3339(read_at))
            for entry, supersedes, import_id, version, read_at in read
        ),
        as_of=rfc3339(as_of),
        same_spec=same_spec(session, key, traced) if as_of is at is None else (),
        uses=uses_of(
            session,
            {one.use_set for one in seen},
            {one.use_set for one in seen if one.version_no == number},
            content.tasks,
        ),
        aliases=names_of(
            session_at(session, as_of, None),
            (one.value for one in who.get(number, ())),
            born if at is None else at - 1,
        ),
        at=rfc3339(at),
    )
    return exact(trace)


def _seen_at(job: Identified, seen: list[_Seen], versions: Sequence[Any], at: int) -> list[_Seen]:
    """Return what was seen of a job, without states that it had later.

    Where all states are later, the oldest version was there already, in a state that nobody
    knows. Raises `NotFoundError` if the job was created later.
    """
    created = [row[9] for row in versions if row[9] is not None]
    if created and min(created) >= at:
        raise NotFoundError(f"the job {job.job_id} was created later, at {rfc3339(min(created))}")
    then = [one for one in seen if not one.version_no or (one.modified_at or 0) < at]
    if not any(one.version_no for one in then):
        first = min((one for one in seen if one.version_no), key=_Seen.age, default=None)
        if first is not None:
            first.forget_state()
            then = [one for one in seen if one is first or not one.version_no]
    return then


def _executions_at(executions: Sequence[Any], at: int) -> list[tuple[Any, ...]]:
    """Return executions that had begun, without states that they had later.

    Where all states of one are later, it was on its node, in a state that nobody knows.
    """
    begun = [
        (row, row[7] is not None and row[7] >= at)
        for row in executions
        if row[6] is None or row[6] < at
    ]
    known = {row[1] for row, is_later in begun if not is_later}
    return [
        (*row[:3], "", "", "", row[6], None) if is_later else row
        for row, is_later in begun
        if not is_later or row[1] not in known
    ]


def _in_time(rows: Sequence[Any], column: int, hashes: Mapping[int, str]) -> list[tuple[Any, ...]]:
    """Order rows that begin with a document by a time; content breaks ties."""
    return sorted(rows, key=lambda row: (row[column] is not None, row[column] or 0, hashes[row[0]]))


def _named_executions(executions: Sequence[Any], layout: str) -> list[tuple[Any, ...]]:
    """Name states that were numbers, by the layout of the job."""
    return [(*row[:3], resolve(row[3], layout), *row[4:]) for row in executions]


def _named_events(events: Sequence[Any], layout: str) -> list[tuple[Any, ...]]:
    """Name states of executions that were numbers, by the layout of the job."""
    return [
        (*row[:5], resolve(row[5], layout) if row[2] == EXECUTION_LEVEL else row[5], *row[6:])
        for row in events
    ]


def _two_jobs(
    versions: Sequence[Any], who: Mapping[int, Sequence[AttributionRow]], seen: Sequence[_Seen]
) -> tuple[TracedFinding, ...]:
    """Return a finding if orchestrators state two different jobs under this ID."""
    births = {}
    for number, _, _, origin, layout, *_, created_at in versions:
        if origin == "orchestrator":
            requesters = frozenset(a.value for a in who.get(number, ()) if a.role == "requester")
            births[number] = Birth(created_at, requesters, layout)
    detail = contradiction(births)
    if not detail:
        return ()
    last = max((one for one in seen if one.version_no in births), key=lambda one: one.document_id)
    severity = FINDINGS[CODE].severity
    return (TracedFinding(CODE, severity, detail, last.sha256, last.document_id),)


def _checkpoint(found: Sequence[Any], entry: int) -> TracedCheckpoint | None:
    """Return the newest checkpoint. Line 3 of its note is the root (C2SP tlog-checkpoint)."""
    for number, tree_size, note, import_id in found:
        root = b64decode(note.split("\n")[2]).hex()
        return TracedCheckpoint(number, tree_size, f"sha256:{root}", import_id, tree_size > entry)
    return None


class _Seen:
    """Hold a row of observations, with the document and its place."""

    def __init__(self, *row: Any) -> None:
        (self.document_id, self.version_no, self.state, self.message) = row[:4]
        (self.revision, self.modified_at, self.ordinal, self.line) = row[4:8]
        self.sha256 = bytes(row[8]).hex()
        (self.size, self.uri, self.import_id) = row[9:12]
        self.observed_at = rfc3339(row[12])
        self.use_set = row[13]

    def age(self) -> tuple[int, int, str]:
        """Return the sort key from the oldest state to the newest. Content breaks ties."""
        return self.modified_at or 0, self.revision, self.sha256

    def forget_state(self) -> None:
        """Leave out the state, which was another one at the time that is asked for."""
        self.state = self.message = ""
        self.revision, self.modified_at = 0, None

    def observation(self) -> Observation:
        """Return the state that was seen."""
        return Observation(
            self.version_no,
            self.state,
            self.message,
            self.revision,
            rfc3339(self.modified_at),
            self.observed_at,
            self.sha256,
            self.document_id,
        )

    def evidence(self) -> Evidence:
        """Return the document that showed it."""
        return Evidence(
            self.sha256,
            self.uri,
            Position(self.ordinal, self.line),
            self.import_id,
            self.observed_at,
            self.document_id,
            self.size,
            self.version_no,
        )


def _job(job: Identified, newest: _Seen | None, versions: Sequence[Any]) -> TracedJob:
    if newest is None:
        return TracedJob(
            job.job_id, job.namespace, "", "activity", "", 0, "", None, "", None, 0, 0, "", 0, 0
        )
    _, version, _, origin, layout, name, type_, priority, count, created_at = next(
        row for row in versions if row[0] == newest.version_no
    )
    return TracedJob(
        job_id=job.job_id,
        namespace=job.namespace,
        name=name,
        origin=origin,
        type=type_,
        version=version,
        state=newest.state,
        created_at=rfc3339(created_at),
        state_message=newest.message,
        modified_at=rfc3339(newest.modified_at),
        revision=newest.revision,
        version_no=newest.version_no,
        layout=layout,
        priority=priority,
        count=count,
    )


def _version(row: Any, attributions: Sequence[AttributionRow]) -> Version:
    number, version, spec_sha256, origin, layout, name, type_, priority, count, created_at = row
    return Version(
        number,
        version,
        bytes(spec_sha256).hex(),
        origin,
        layout,
        name,
        type_,
        priority,
        count,
        rfc3339(created_at),
        best(attributions, "requester")[0],
        best(attributions, "client")[0],
    )


def _told(
    kind: Callable[..., _Told],
    found: Sequence[Any],
    hashes: Mapping[int, str],
    times: tuple[int, ...],
) -> tuple[_Told, ...]:
    """Build values of rows that begin with a document; `times` are columns of the rest."""
    told = []
    for document_id, *values in found:
        for column in times:
            values[column] = rfc3339(values[column])
        told.append(kind(*values, hashes[document_id], document_id))
    return tuple(told)
