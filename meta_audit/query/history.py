"""Put all that happened to a job on one time line, with the documents that say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

from meta_audit.answer import Answer
from meta_audit.query.results import Candidates, Evidence, Trace, TracedJob
from meta_audit.query.texts import rfc3339
from meta_audit.query.trace import trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meta_audit.store.session import Session

HISTORY_FORMAT: Final = "meta-audit/history/1"

HistoryKind = Literal[
    "import", "reading", "created", "version", "state", "execution", "event", "finding"
]
Clock = Literal["document", "import"]
_KINDS: Final[tuple[HistoryKind, ...]] = get_args(HistoryKind)
"""In this order, where times are equal."""
_IMPORTS: Final = """
    SELECT import_id, started_at, actor, tool_version FROM imports WHERE import_id AMONG KEYS"""


_BROUGHT: Final = """
    SELECT l.entry_index, s.import_id FROM ledger_entries l
    JOIN sources s ON s.source_id = l.source_id WHERE l.entry_index AMONG KEYS"""


class HistoryEntry(Answer, frozen=True):
    """Say what happened, when, and which documents say so."""

    time: str | None
    clock: Clock
    """Whose time it is: what a document states, or when the import that brought it began."""
    kind: HistoryKind
    what: str
    """A version, a state, an event, the code of a finding, or an import."""
    execution_id: str
    by: str
    """The node, or who ran the import; else empty."""
    message: str
    entry_indexes: tuple[int, ...]
    """Documents that say so, by their index in the ledger."""


class HistoryImport(Answer, frozen=True):
    """Describe an import that brought documents of the job."""

    import_id: int
    started_at: str | None
    actor: str
    tool_version: str


class History(Answer, frozen=True):
    """Hold the time line of a job, the oldest first."""

    format: str
    job: TracedJob
    entries: tuple[HistoryEntry, ...]
    evidence: tuple[Evidence, ...]
    imports: tuple[HistoryImport, ...]
    as_of: str | None = None
    """If given, imports that began then or later are left out."""


def history(
    session: Session, job: str, namespace: str | None = None, as_of: int | None = None
) -> History | Candidates:
    """Return the time line of a job, named as in `trace`; with `as_of` as it was known then.

    Raises `NotFoundError`, and `UsageError` for an empty text.
    """
    found = trace(session, job, namespace, as_of)
    if isinstance(found, Candidates):
        return found
    older = [r.supersedes for r in found.readings]
    brought = {e.entry_index: e.import_id for e in found.evidence}
    brought.update(row for row in session.among(_BROUGHT, older))
    numbers = {*brought.values(), *(r.import_id for r in found.readings)}
    imports = [
        HistoryImport(number, rfc3339(started_at), actor, version)
        for number, started_at, actor, version in session.among(_IMPORTS, sorted(numbers))
    ]
    imports.sort(key=lambda one: one.import_id)
    entries = time_line(found, imports, brought)
    return History(HISTORY_FORMAT, found.job, entries, found.evidence, tuple(imports), found.as_of)


def time_line(
    told: Trace, imports: Iterable[HistoryImport], brought: Mapping[int, int]
) -> tuple[HistoryEntry, ...]:
    """Order what a trace tells by time. What several documents repeat stands once.

    `brought` has the import of each document, also of those that were read again.
    """
    taken = {e.entry_index: e.observed_at for e in told.evidence}
    sources: dict[_Happened, list[int]] = {}
    for happened, index in (
        *_job(told),
        *_activity(told),
        *_findings(told),
        *_runs(told, imports, brought),
    ):
        sources.setdefault(happened, []).append(index)
    lines = []
    for happened, indexes in sources.items():
        distinct = tuple(sorted(set(indexes)))
        time, clock = happened.time, happened.clock
        if time is None:
            time, clock = min(filter(None, map(taken.get, distinct)), default=None), "import"
        lines.append(HistoryEntry(time, clock, *happened[2:], distinct))
    lines.sort(key=lambda one: (one.time or "", _KINDS.index(one.kind)))
    return tuple(lines)


class _Happened(NamedTuple):
    """Hold an entry without its documents, and with its own time or None."""

    time: str | None
    clock: Clock
    kind: HistoryKind
    what: str
    execution_id: str = ""
    by: str = ""
    message: str = ""


_Told = Iterator[tuple[_Happened, int]]


def _job(told: Trace) -> _Told:
    """Yield versions and states."""
    seen: dict[int, str] = {}
    for o in told.observations:
        if o.modified_at:
            seen.setdefault(o.version_no, o.modified_at)
    versions = {}
    created: set[str | None] = {None}
    by_age = sorted(
        told.versions, key=lambda v: (v.version, seen.get(v.version_no, ""), v.spec_sha256)
    )
    for v in by_age:
        is_first = v.version <= 1 and v.created_at not in created
        created.add(v.created_at)
        message = f"{v.origin}, Bacalhau version {v.version}, spec sha256:{v.spec_sha256[:12]}"
        versions[v.version_no] = _Happened(
            v.created_at if is_first else seen.get(v.version_no) or v.created_at,
            "document",
            "created" if is_first else "version",
            f"version {v.version_no}",
            message=message,
        )
    for o in told.observations:
        yield versions[o.version_no], o.entry_index
        if o.state or o.message:
            several = f", version {o.version_no}" if len(versions) > 1 else ""
            what = f"{o.state or 'state unknown'} (revision {o.revision}{several})"
            yield (
                _Happened(o.modified_at, "document", "state", what, message=o.message),
                o.entry_index,
            )


def _activity(told: Trace) -> _Told:
    """Yield executions, when they were created and when they changed, and events."""
    for e in told.executions:
        if e.created_at and e.created_at != e.modified_at:
            yield (
                _Happened(e.created_at, "document", "execution", "created", e.execution_id, e.node),
                e.entry_index,
            )
        wanted = f", wanted {e.desired_state}" if e.desired_state else ""
        what = f"{e.state or 'state unknown'}{wanted}"
        happened = _Happened(
            e.modified_at, "document", "execution", what, e.execution_id, e.node, e.message
        )
        yield happened, e.entry_index
    for v in told.events:
        what = " ".join(filter(None, (v.kind, v.state)))
        happened = _Happened(v.time, "document", "event", what, v.execution_id, v.node, v.message)
        yield happened, v.entry_index


def _findings(told: Trace) -> _Told:
    """Yield findings, which are as old as the import that brought their document."""
    for f in told.findings:
        message = f"{f.severity}: {f.detail}"
        yield _Happened(None, "import", "finding", f.code, message=message), f.entry_index


def _runs(told: Trace, imports: Iterable[HistoryImport], brought: Mapping[int, int]) -> _Told:
    """Yield the imports that brought documents, or read them again."""
    runs = {one.import_id: one for one in imports}
    read_again = {one.entry_index for one in told.readings}
    for number, kind, index in (
        *((number, "import", index) for index, number in brought.items()),
        *((r.import_id, "reading", r.entry_index) for r in told.readings),
    ):
        if kind == "import" and index in read_again:
            continue
        run = runs[number]
        happened = _Happened(
            run.started_at,
            "import",
            "reading" if kind == "reading" else "import",
            f"import {number}",
            by=run.actor,
            message=f"meta-audit {run.tool_version}",
        )
        yield happened, index
