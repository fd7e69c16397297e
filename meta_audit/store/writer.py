"""Writes a batch: one transaction, one writer at a time, no query per row.

Order of work, all under the write lock:
1. leave out documents whose bytes the store has;
2. number what is left: ledger index, job, version;
3. number pairs, identities and rules;
4. insert, table by table, in the order of the tables' keys.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from meta_audit.store.dictionaries import Dictionaries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.batch import Accepted, Batch, Rejected
    from meta_audit.store.engine import Bulk
    from meta_audit.store.imports import SourceLog

NS_PER_HOUR: Final = 3_600_000_000_000
DOCUMENTS: Final = ("document_id", "sha256", "size", "dictionary_id", "content")
JOBS: Final = ("job_key", "job_id", "namespace_id")
VERSION: Final = (
    "spec_sha256",
    "origin_id",
    "layout_id",
    "name_id",
    "type_id",
    "priority",
    "count",
    "version",
    "created_at",
    "attribution_set",
)
JOB_VERSIONS: Final = ("job_key", "version_no", *VERSION)
TASKS: Final = ("job_key", "version_no", "task_no", "name_id", "engine_id", "publisher_id")
META_ENTRIES: Final = ("job_key", "version_no", "task_no", "pair_id")
LABEL_ENTRIES: Final = ("job_key", "version_no", "pair_id")
PAIR_JOBS: Final = ("pair_id", "created_hour", "job_key")
OBSERVATIONS: Final = (
    "job_key",
    "document_id",
    "version_no",
    "state_id",
    "message_id",
    "revision",
    "modified_at",
    "source_id",
    "ordinal",
    "line",
)
EXECUTIONS: Final = (
    "job_key",
    "document_id",
    "position",
    "execution_id",
    "node_id",
    "state",
    "desired_state",
    "message",
    "created_at",
    "modified_at",
)
JOB_EVENTS: Final = (
    "job_key",
    "document_id",
    "position",
    "time",
    "kind",
    "execution_id",
    "node_id",
    "state",
    "message",
)
FINDINGS: Final = ("job_key", "document_id", "position", "code", "severity", "detail")
REJECTIONS: Final = (
    "rejection_id",
    "source_id",
    "ordinal",
    "line",
    "reason",
    "message",
    "format",
    "sha256",
    "size",
    "content",
)


@dataclass(slots=True)
class Written:
    """What a batch changed."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    jobs: int = 0
    meta_pairs: int = 0
    findings: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Placed:
    """An accepted document with its numbers."""

    document: Accepted
    document_id: int
    job_key: int
    version_no: int
    version: tuple[object, ...]
    """The columns of a version that is new; empty where it is known."""
    observation: tuple[object, ...]


class _Numbers:
    """A batch's own numbers of terms, pairs …: the store's."""

    def __init__(self, batch: Batch, dictionaries: Dictionaries) -> None:
        self.terms = dictionaries.terms(batch.terms)
        self.pairs = dictionaries.pairs(batch.pairs)
        self.identities = dictionaries.identities(batch.identities)
        self.rules = rules = dictionaries.rules(batch.rules)
        self.sets = dictionaries.attribution_sets(
            [
                tuple(sorted((rules[rule], self.identities[who]) for rule, who in members))
                for members in batch.attribution_sets
            ]
        )


class Writer:
    """Writes batches through one connection."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._dictionaries = Dictionaries(bulk)
        self._dictionary_ids: dict[bytes, int] = {b"": 0}

    def known(self, digests: Sequence[bytes]) -> set[bytes]:
        """Which of these SHA-256 are documents of the store."""
        if not self._next("documents", "document_id"):
            return set()
        sql = "SELECT sha256 FROM documents WHERE substr(sha256, 1, 8) AMONG KEYS"
        return {row[0] for row in self._bulk.among(sql, sorted([d[:8] for d in digests]))}

    def newest_dictionary(self) -> bytes:
        """The zstd dictionary to compress with; empty where there is none yet."""
        sql = "SELECT content FROM compression_dictionaries ORDER BY dictionary_id DESC LIMIT 1"
        rows = self._bulk.query(sql)
        return bytes(rows[0][0]) if rows else b""

    def write(self, batch: Batch, sources: SourceLog) -> Written:
        """Write a batch and what became of its sources: whole, or not at all."""
        self._bulk.begin()
        try:
            sources.number(self._bulk)
            written = self._write(batch, sources.ids, sources.import_id)
            rejected = Counter(document.source for document in batch.rejected)
            sources.write(self._bulk, rejected)
            self._bulk.commit()
            sources.settle(rejected)
        except BaseException:
            self._bulk.rollback()
            self._dictionaries.forget()
            self._dictionary_ids = {b"": 0}
            raise
        return written

    def _write(self, batch: Batch, source_ids: dict[int, int], import_id: int) -> Written:
        written = Written()
        accepted = self._without_known(batch.accepted, written)
        rejected = self._without_known_rejections(batch.rejected, written)
        index = self._index_in_order(accepted, rejected)
        numbers = _Numbers(batch, self._dictionaries)
        placed = self._place(accepted, index, numbers, written)
        self._insert_documents(placed, batch.dictionary)
        self._insert_versions([p for p in placed if p.version], numbers, written)
        self._insert_observations(placed, source_ids, numbers, written)
        self._insert_rejections(rejected, index, source_ids)
        self._insert_leaves(accepted, rejected, index)
        self._resolve(placed, import_id)
        return written

    def _next(self, table: str, column: str, first: int = 1) -> int:
        """The number after the last one; 0 for an empty table counted from 1."""
        sql = f"SELECT coalesce(max({column}) + 1, {first - 1}) FROM {table}"  # noqa: S608
        return int(self._bulk.query(sql)[0][0])

    def _without_known(self, accepted: list[Accepted], written: Written) -> list[Accepted]:
        known = self.known([a.sha256 for a in accepted]) if accepted else set()
        fresh = []
        for document in accepted:
            if document.sha256 in known:
                written.unchanged += 1
            else:
                known.add(document.sha256)
                fresh.append(document)
        return fresh

    def _without_known_rejections(self, rejected: list[Rejected], written: Written) -> list[Rejected]:
        if not rejected:
            return []
        written.rejected = len(rejected)
        sql = "SELECT sha256, reason FROM rejections WHERE sha256 AMONG KEYS"
        known = set(self._bulk.among(sql, sorted({r.rejection.sha256 for r in rejected})))
        fresh = []
        for document in rejected:
            key = (document.rejection.sha256, document.rejection.reason)
            if key not in known:
                known.add(key)
                fresh.append(document)
        return fresh

    def _index_in_order(self, accepted: list[Accepted], rejected: list[Rejected]) -> dict[int, int]:
        """Place in the batch: index in the ledger."""
        start = self._next("ledger_entries", "entry_index")
        places = [d.place for d in accepted]
        if rejected:
            places = sorted(places + [d.place for d in rejected])
        return dict(zip(places, range(start, start + len(places)), strict=True))

    def _place(
        self,
        accepted: list[Accepted],
        index: dict[int, int],
        numbers: _Numbers,
        written: Written,
    ) -> list[_Placed]:
        """Find or number the job and the version of every document; insert the new jobs."""
        terms = numbers.terms
        jobs = self._known_jobs({(a.job[0], terms[a.job[1]]) for a in accepted})
        versions, seen = self._history(sorted(jobs.values()))
        next_key = self._next("jobs", "job_key") or 1
        new_jobs: list[Any] = []
        placed = []
        for document in accepted:
            job = (document.job[0], terms[document.job[1]])
            job_key = jobs.get(job)
            new_job = job_key is None
            if job_key is None:
                job_key = jobs[job] = next_key
                next_key += 1
                new_jobs += (job_key, *job)
                versions[job_key], seen[job_key] = {}, set()
            of_job = versions[job_key]
            version = _version(document, numbers)
            version_no = of_job.get(version, 0)
            new_version = bool(version) and not version_no
            if new_version:
                version_no = of_job[version] = len(of_job) + 1
            state, message, revision, modified_at = document.observation
            observation = (version_no, terms[state], terms[message], revision, modified_at)
            if new_job:
                written.new += 1
            elif observation in seen[job_key] and version:
                written.unchanged += 1
            else:
                written.changed += 1
            seen[job_key].add(observation)
            new = version if new_version else ()
            document_id = index[document.place]
            placed.append(_Placed(document, document_id, job_key, version_no, new, observation))
        written.jobs = len(new_jobs) // len(JOBS)
        self._bulk.insert("jobs", JOBS, new_jobs)
        return placed

    def _history(
        self, job_keys: list[int]
    ) -> tuple[dict[int, dict[tuple[object, ...], int]], dict[int, set[tuple[object, ...]]]]:
        """Versions and observations that the store has of these jobs."""
        versions: dict[int, dict[tuple[object, ...], int]] = {key: {} for key in job_keys}
        seen: dict[int, set[tuple[object, ...]]] = {key: set() for key in job_keys}
        if job_keys:
            columns = ", ".join(f'"{c}"' for c in VERSION)
            sql = f"SELECT job_key, version_no, {columns} FROM job_versions WHERE job_key AMONG KEYS"  # noqa: S608
            for job_key, version_no, *version in self._bulk.among(sql, job_keys):
                versions[job_key][tuple(version)] = version_no
            sql = (
                "SELECT job_key, version_no, state_id, message_id, revision, modified_at"
                " FROM observations WHERE job_key AMONG KEYS"
            )
            for job_key, *observation in self._bulk.among(sql, job_keys):
                seen[job_key].add(tuple(observation))
        return versions, seen

    def _known_jobs(self, jobs: set[tuple[str, int]]) -> dict[tuple[str, int], int]:
        if not self._next("jobs", "job_key"):
            return {}
        sql = "SELECT job_id, namespace_id, job_key FROM jobs WHERE job_id AMONG KEYS"
        rows = self._bulk.among(sql, sorted({job_id for job_id, _ in jobs}))
        return {(i, n): key for i, n, key in rows if (i, n) in jobs}

    def _insert_documents(self, placed: list[_Placed], dictionary: bytes) -> None:
        if not placed:
            return
        dictionary_id = self._dictionary_id(dictionary)
        values: list[Any] = []
        for p in placed:
            d = p.document
            values += (p.document_id, d.sha256, d.size, dictionary_id, d.content)
        self._bulk.insert("documents", DOCUMENTS, values)

    def _dictionary_id(self, dictionary: bytes) -> int:
        if dictionary not in self._dictionary_ids:
            rows = self._bulk.query("SELECT dictionary_id, content FROM compression_dictionaries")
            self._dictionary_ids.update({bytes(content): number for number, content in rows})
        if dictionary not in self._dictionary_ids:
            number = self._dictionary_ids[dictionary] = len(self._dictionary_ids)
            columns = ("dictionary_id", "content")
            self._bulk.insert("compression_dictionaries", columns, [number, dictionary])
        return self._dictionary_ids[dictionary]

    def _insert_versions(
        self, placed: list[_Placed], numbers: _Numbers, written: Written
    ) -> None:
        terms, pair_ids = numbers.terms, numbers.pairs
        versions: list[Any] = []
        tasks: list[Any] = []
        meta: list[Any] = []
        labels: list[Any] = []
        searchable: set[tuple[int, int, int]] = set()
        for p in placed:
            d, job_key, version_no = p.document, p.job_key, p.version_no
            versions += (job_key, version_no, *p.version)
            for task_no, (name, engine, publisher) in enumerate(d.tasks, 1):
                tasks += (job_key, version_no, task_no)
                tasks += (terms[name], terms[engine], terms[publisher])
            for task_no, pairs in d.meta:
                for pair_id in sorted([pair_ids[pair] for pair in pairs]):
                    meta += (job_key, version_no, task_no, pair_id)
            hour = ((d.version and d.version.created_at) or 0) // NS_PER_HOUR
            searchable.update([(pair_ids[pair], hour, job_key) for pair in d.searchable])
            for pair_id in sorted([pair_ids[pair] for pair in d.labels]):
                labels += (job_key, version_no, pair_id)
        written.meta_pairs = len(meta) // len(META_ENTRIES)
        insert = self._bulk.insert
        insert("job_versions", JOB_VERSIONS, versions)
        insert("tasks", TASKS, tasks)
        insert("meta_entries", META_ENTRIES, meta)
        insert("label_entries", LABEL_ENTRIES, labels)
        sorted_rows = list(chain.from_iterable(sorted(searchable)))
        self._bulk.insert_missing("pair_jobs", PAIR_JOBS, sorted_rows)

    def _insert_observations(
        self,
        placed: list[_Placed],
        source_ids: dict[int, int],
        numbers: _Numbers,
        written: Written,
    ) -> None:
        who = numbers.identities
        observations: list[Any] = []
        executions: list[Any] = []
        events: list[Any] = []
        findings: list[Any] = []
        counts = written.findings
        for p in sorted(placed, key=lambda p: (p.job_key, p.document_id)):
            d, at = p.document, (p.job_key, p.document_id)
            observations += (*at, *p.observation, source_ids[d.source], d.ordinal, d.line)
            for position, (execution_id, node, *rest) in enumerate(d.executions, 1):
                executions += (*at, position, execution_id, who[node], *rest)
            for position, (time, kind, execution_id, node, *rest) in enumerate(d.events, 1):
                events += (*at, position, time, kind, execution_id, who[node], *rest)
            for position, (code, severity, detail) in enumerate(d.findings, 1):
                findings += (*at, position, code, severity, detail)
                counts[code] = counts.get(code, 0) + 1
        insert = self._bulk.insert
        insert("observations", OBSERVATIONS, observations)
        insert("executions", EXECUTIONS, executions)
        insert("job_events", JOB_EVENTS, events)
        insert("findings", FINDINGS, findings)

    def _insert_rejections(self, rejected: list[Rejected], index: dict[int, int], source_ids: dict[int, int]) -> None:
        values: list[Any] = []
        for document in rejected:
            r = document.rejection
            values += (index[document.place], source_ids[document.source], r.ordinal, r.line)
            values += (r.reason, r.message)
            values += (r.format, r.sha256, r.size, document.content)
        self._bulk.insert("rejections", REJECTIONS, values)

    def _insert_leaves(
        self, accepted: list[Accepted], rejected: list[Rejected], index: dict[int, int]
    ) -> None:
        values: list[Any] = []
        documents = accepted if not rejected else sorted([*accepted, *rejected], key=lambda d: d.place)
        for document in documents:
            values += (index[document.place], document.leaf_hash)
        self._bulk.insert("ledger_entries", ("entry_index", "leaf_hash"), values)

    def _resolve(self, placed: list[_Placed], import_id: int) -> None:
        """Mark rejections whose very bytes have been accepted now."""
        if not placed or not self._bulk.query("SELECT 1 FROM rejections LIMIT 1"):
            return
        sql = "SELECT rejection_id FROM rejections WHERE sha256 AMONG KEYS AND rejection_id NOT IN (SELECT rejection_id FROM rejection_resolutions)"
        resolved = self._bulk.among(sql, [p.document.sha256 for p in placed])
        values = [value for (number,) in resolved for value in (number, import_id)]
        self._bulk.insert("rejection_resolutions", ("rejection_id", "import_id"), values)


def _version(document: Accepted, numbers: _Numbers) -> tuple[object, ...]:
    """The columns of the document's version, in the store's numbers."""
    version, terms = document.version, numbers.terms
    if version is None:
        return ()
    spec_sha256, origin, layout, name, type_, *counts, attribution_set = version
    return (
        spec_sha256,
        terms[origin],
        terms[layout],
        terms[name],
        terms[type_],
        *counts,
        numbers.sets[attribution_set],
    )
