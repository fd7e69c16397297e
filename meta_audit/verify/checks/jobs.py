"""Check the rows of a range of jobs: write every entry anew and compare it with its leaf."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import msgpack

from meta_audit.catalogue import FINDINGS
from meta_audit.ledger.entry import HASH, AcceptedEntry, entry_of
from meta_audit.verify.guard import UNREADABLE, go_on_after, guarded, octets, said
from meta_audit.verify.outcome import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self

    from meta_audit.verify.work import Work

Key = tuple[int, int]

_WHICH: Final = "WHICH JOBS"
"""Stands for the condition that chooses the jobs of a range."""
_JOBS: Final = f"SELECT job_key, job_id, namespace_id FROM jobs WHERE {_WHICH}"  # noqa: S608
_VERSIONS: Final = f"""
    SELECT job_key, version_no, spec_sha256, origin_id, layout_id, name_id, type_id, priority,
        "count", version, created_at, attribution_set
    FROM job_versions WHERE {_WHICH} ORDER BY job_key, version_no"""  # noqa: S608
_TASKS: Final = f"""
    SELECT job_key, version_no, task_no, name_id, engine_id, publisher_id
    FROM tasks WHERE {_WHICH} ORDER BY job_key, version_no, task_no"""  # noqa: S608
_META: Final = f"""
    SELECT job_key, version_no, task_no, {{}} FROM meta_entries WHERE {_WHICH}
    GROUP BY job_key, version_no, task_no"""  # noqa: S608
_LABELS: Final = f"""
    SELECT job_key, version_no, {{}} FROM label_entries WHERE {_WHICH}
    GROUP BY job_key, version_no"""  # noqa: S608
_OBSERVATIONS: Final = f"""
    SELECT o.job_key, o.document_id, o.version_no, o.state_id, o.message_id, o.revision,
        o.modified_at, o.source_id, o.ordinal, o.line, d.sha256, e.leaf_hash, e.source_id, o.use_set
    FROM observations o
    LEFT JOIN documents d ON d.document_id = o.document_id
    LEFT JOIN ledger_entries e ON e.entry_index = o.document_id
    WHERE {_WHICH}
    ORDER BY o.job_key, o.document_id"""  # noqa: S608
_EXECUTIONS: Final = f"""
    SELECT job_key, document_id, position, execution_id, node_id, state, desired_state, message,
        created_at, modified_at
    FROM executions WHERE {_WHICH} ORDER BY job_key, document_id, position"""  # noqa: S608
_EVENTS: Final = f"""
    SELECT job_key, document_id, position, time, kind, execution_id, node_id, state, message
    FROM job_events WHERE {_WHICH} ORDER BY job_key, document_id, position"""  # noqa: S608
_FINDINGS: Final = f"""
    SELECT job_key, document_id, position, code, severity, detail
    FROM findings WHERE {_WHICH} ORDER BY job_key, document_id, position"""  # noqa: S608

_encode = msgpack.Encoder().encode


class _WrongRowError(Exception):
    """Raised for a row that cannot belong to its entry."""


class _Version(NamedTuple):
    """Hold the fields of an entry that come from the version."""

    head: tuple[Any, ...]
    """spec, name, type, priority, count, version, created, Meta, labels, tasks, attributions."""
    origin: str
    layout: str


class Observed(NamedTuple):
    """Hold what the rows of a store say of one document of a job."""

    job_key: int
    entry_index: int
    """Number of its entry."""
    version_no: int
    source_id: int
    leaf: bytes | None
    """Hash of the leaf, as the store has it."""
    entry: AcceptedEntry | None
    """None where the rows make no entry."""


_ACTIVITY: Final = _Version((b"", "", "", 0, 0, 0, None, (), (), (), ()), "activity", "")


class JobRange:
    """Read the rows of some jobs; `query` gives those of a statement with `WHICH JOBS` in it."""

    def __init__(self, work: Work, query: Callable[[str], Iterable[tuple[Any, ...]]]) -> None:
        self._work = work
        self._values = values = work.values
        self._jobs = {key: (i, n) for key, i, n in query(_JOBS)}
        self._versions: dict[Key, tuple[Any, ...]] = {}
        self._tasks: defaultdict[Key, list[Any]] = defaultdict(list)
        self._built: dict[Key, _Version] = {}
        self._observations = list(query(_OBSERVATIONS))
        terms = {namespace for _, namespace in self._jobs.values()}
        terms.update([row[3] for row in self._observations])
        terms.update([row[4] for row in self._observations])
        for key, no, *version in query(_VERSIONS):
            self._versions[key, no] = tuple(version)
            terms.update(version[1:5])
        for key, no, *task in query(_TASKS):
            self._tasks[key, no].append(task)
            terms.update(task[1:])
        joined = work.session.joined("pair_id")
        self._meta = {
            (key, no, task_no): pairs.split(",")
            for key, no, task_no, pairs in query(_META.format(joined))
        }
        self._labels = {
            (key, no): pairs.split(",") for key, no, pairs in query(_LABELS.format(joined))
        }
        values.need_pairs(set().union(*self._meta.values(), *self._labels.values()))
        executions, events = list(query(_EXECUTIONS)), list(query(_EVENTS))
        values.need_terms(terms)
        values.need_uris([row[7] for row in self._observations])
        values.need_sets([version[9] for version in self._versions.values()])
        values.need_identities([row[4] for row in executions] + [row[6] for row in events])
        self._executions = _by_document(executions)
        self._events = _by_document(events)
        self._findings = _by_document(query(_FINDINGS))
        values.need_uses([row[13] for row in self._observations])

    @classmethod
    def between(cls, work: Work, low: int, high: int) -> Self:
        """Read the jobs from `low` to below `high`."""
        which = "{0}job_key >= ? AND {0}job_key < ?"
        return cls(work, lambda sql: work.session.query(_chosen(sql, which), low, high))

    @classmethod
    def among(cls, work: Work, job_keys: Sequence[int]) -> Self:
        """Read the jobs with these keys."""
        which = "{0}job_key AMONG KEYS"
        return cls(work, lambda sql: work.session.among(_chosen(sql, which), job_keys))

    def entries(self) -> dict[int, bytes]:
        """Return the entries of these jobs by index, written from the rows, without wrong ones."""
        found = {}
        for row in self._observations:
            with suppress(_WrongRowError, *UNREADABLE):
                found[row[1]] = _encode(self._entry(row))
        return found

    def observed(self) -> Iterator[Observed]:
        """Yield the documents of these jobs, by job and entry."""
        for row in self._observations:
            entry = None
            with suppress(_WrongRowError, *UNREADABLE):
                entry = self._entry(row)
            leaf = None if row[11] is None else octets(row[11])
            yield Observed(row[0], row[1], row[2], row[7], leaf, entry)

    def job(self, key: int) -> tuple[str, str]:
        """Return ID and namespace of a job."""
        job_id, namespace = self._jobs[key]
        return job_id, self._values.terms[namespace]

    def check(self) -> None:
        """Compare every entry of these jobs; then look for rows that belong to none."""
        first_seen: dict[Key, int] = {}
        unseen = dict.fromkeys(self._jobs)
        for row in self._observations:
            try:
                self._check(row, first_seen)
            except UNREADABLE as error:
                self._damage("edited", f"its rows make no entry: {said(error)}", row)
                go_on_after(error, self._work.session)
            unseen.pop(row[0], None)
        damages = self._work.damages
        for key in unseen:
            detail = f"job {key} is in no document"
            damages.add(Check.ROWS, "added", detail, job=self._jobs[key][0])
        with guarded(self._work.session, damages, Check.ROWS, "versions of jobs"):
            self._check_versions(first_seen)
        self._check_left_over()

    def _check(self, row: tuple[Any, ...], first_seen: dict[Key, int]) -> None:
        work = self._work
        key, index, version_no = row[:3]
        if version_no:
            first_seen.setdefault((key, version_no), index)
        if 0 <= index < len(work.seen):
            if work.seen[index]:
                self._damage("added", "it is observed twice", row)
            work.seen[index] = 1
        try:
            entry = _encode(self._entry(row))
        except _WrongRowError as error:
            self._damage("edited", str(error), row)
            return
        except KeyError as error:
            self._damage("missing", f"a row refers to {error}, which is not there", row)
            return
        if index < work.options.since:
            return
        if sha256(b"\0" + entry).digest() != row[11]:
            work.differs(row[0], index, entry)
        elif work.options.deep and index not in work.superseded:
            work.parse_again(index, entry)

    def _damage(self, kind: Any, detail: str, row: tuple[Any, ...]) -> None:
        job_id = str(self._jobs.get(row[0], ("",))[0])
        entry = row[1] if isinstance(row[1], int) else None
        self._work.damages.add(Check.ROWS, kind, detail, entry=entry, job=job_id)

    def _entry(self, row: tuple[Any, ...]) -> AcceptedEntry:
        key, index, version_no, state, message, revision, modified_at = row[:7]
        source_id, ordinal, line, document, leaf, leaf_source, use_set = row[7:]
        if document is None or leaf is None:
            raise _WrongRowError(f"observation of document {index}, which is not there")
        if source_id != leaf_source:
            raise _WrongRowError(f"the ledger says source {leaf_source}, the row {source_id}")
        if use_set not in self._values.uses:
            raise _WrongRowError(f"list of uses {use_set} is not there, or has gaps")
        if key not in self._jobs:
            raise _WrongRowError(f"observation of job {key}, which is not there")
        job_id, namespace = self._jobs[key]
        terms = self._values.terms
        version = self._version(key, version_no) if version_no else _ACTIVITY
        at = (key, index)
        spec, *head = version.head
        return entry_of(
            HASH,
            octets(document),
            self._values.uri(source_id),
            ordinal,
            line,
            job_id,
            terms[namespace],
            version.origin,
            version.layout,
            spec,
            *head,
            terms[state],
            terms[message],
            revision,
            modified_at,
            self._entry_executions(at) if at in self._executions else (),
            self._entry_events(at) if at in self._events else (),
            self._entry_findings(at) if at in self._findings else (),
            uses=self._values.uses[use_set],
        )

    def _version(self, key: int, no: int) -> _Version:
        built = self._built.get((key, no))
        if built is None:
            built = self._built[key, no] = self._build(key, no)
        return built

    def _build(self, key: int, no: int) -> _Version:
        row = self._versions.pop((key, no), None)
        if row is None:
            raise _WrongRowError(f"version {no} of the job is not there")
        spec, origin, layout, name, type_, *counts, created_at, set_id = row
        terms, pair = self._values.terms, self._values.pairs.__getitem__
        if set_id not in self._values.sets:
            raise _WrongRowError(f"attribution set {set_id} is not there")
        attributions = self._values.sets[set_id]
        meta = sorted(map(pair, self._meta.pop((key, no, 0), ())))
        tasks = []
        for place, (task_no, *texts) in enumerate(self._tasks.pop((key, no), ()), 1):
            if task_no != place:
                raise _WrongRowError(f"task {task_no} stands where task {place} should")
            of_task = self._meta.pop((key, no, task_no), ())
            tasks.append((*[terms[t] for t in texts], sorted(map(pair, of_task))))
        labels = sorted(map(pair, self._labels.pop((key, no), ())))
        head = (terms[name], terms[type_], *counts, created_at, meta, labels, tasks)
        return _Version((octets(spec), *head, attributions), terms[origin], terms[layout])

    def _entry_executions(self, at: Key) -> Any:
        identities = self._values.identities
        return [
            (execution_id, identities[node], *rest)
            for execution_id, node, *rest in _placed(self._executions, at, "execution")
        ]

    def _entry_events(self, at: Key) -> Any:
        identities = self._values.identities
        return [
            (time, kind, execution_id, identities[node], *rest)
            for time, kind, execution_id, node, *rest in _placed(self._events, at, "event")
        ]

    def _entry_findings(self, at: Key) -> Any:
        rows = _placed(self._findings, at, "finding")
        for code, severity, _ in rows:
            if code not in FINDINGS or FINDINGS[code].severity != severity:
                raise _WrongRowError(f"finding {code} has severity {severity}")
        return [(code, detail) for code, _, detail in rows]

    def _check_versions(self, first_seen: dict[Key, int]) -> None:
        """Check that versions are numbered from 1 in the order in which documents showed them."""
        before: Key = (0, 0)
        newest = -1
        for key, no in sorted(first_seen):
            in_order = no == before[1] + 1 if key == before[0] else no == 1
            index = first_seen[key, no]
            if not in_order or (key == before[0] and index < newest):
                job_id = self._jobs.get(key, ("",))[0]
                detail = f"version {no} is out of order"
                self._work.damages.add(Check.ROWS, "reordered", detail, entry=index, job=job_id)
            before, newest = (key, no), index

    def _check_left_over(self) -> None:
        """Report rows that no entry used."""
        for what, rows in (
            ("version", self._versions),
            ("task of version", self._tasks),
            ("Meta of version", self._meta),
            ("label of version", self._labels),
            ("execution of document", self._executions),
            ("event of document", self._events),
            ("finding of document", self._findings),
        ):
            for key, *rest in rows:
                job_id = self._jobs.get(key, (f"job {key}",))[0]
                is_entry = what.endswith("document") and isinstance(rest[0], int)
                entry = rest[0] if is_entry else None
                detail = f"{what} {', task '.join(map(str, rest))} belongs to no entry"
                self._work.damages.add(Check.ROWS, "added", detail, entry=entry, job=str(job_id))


def _chosen(sql: str, which: str) -> str:
    """Return a statement for the jobs that `which` chooses; `{0}` is the prefix of the column."""
    return sql.replace(_WHICH, which.format("o." if "observations o" in sql else ""))


def _by_document(rows: Iterable[tuple[Any, ...]]) -> defaultdict[Key, list[Any]]:
    found: defaultdict[Key, list[Any]] = defaultdict(list)
    for key, index, *rest in rows:
        found[key, index].append(rest)
    return found


def _placed(rows: defaultdict[Key, list[Any]], at: Key, what: str) -> list[Any]:
    """Return the rows of a document without their positions, which go from 1 without gaps."""
    found = rows.pop(at)
    if [row[0] for row in found] != list(range(1, len(found) + 1)):
        raise _WrongRowError(f"the {what}s of the document are not numbered from 1")
    return [row[1:] for row in found]
