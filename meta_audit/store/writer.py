"""Writes a batch: one transaction, one writer at a time, no query per row.

Order of work, all under the write lock:
1. leave out documents whose bytes the store has;
2. number terms, pairs, identities; then ledger index, job and version of every document;
3. insert, table by table, rows in the order of the tables' keys.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from meta_audit.store import columns
from meta_audit.store.dictionaries import Dictionaries
from meta_audit.store.placing import Placed, Placer, StoreNumbers
from meta_audit.store.transactions import in_transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meta_audit.store.batch import Accepted, Batch, Rejected
    from meta_audit.store.engine import Bulk
    from meta_audit.store.imports import SourceLog

NS_PER_HOUR: Final = 3_600_000_000_000
RANK_BITS: Final = 32
"""Enough for the documents of any batch."""
NO_DICTIONARY: Final = {b"": 0}
_RESOLVED: Final = """
    SELECT r.rejection_id, s.import_id
    FROM rejections r
    JOIN documents d ON substr(d.sha256, 1, 8) = substr(r.sha256, 1, 8) AND d.sha256 = r.sha256
    JOIN ledger_entries e ON e.entry_index = d.document_id
    JOIN sources s ON s.source_id = e.source_id
    WHERE r.sha256 AMONG KEYS AND NOT EXISTS (
        SELECT 1 FROM rejection_resolutions x WHERE x.rejection_id = r.rejection_id)"""


@dataclass(slots=True)
class Written:
    """What a batch changed."""

    changes: Counter[str] = field(default_factory=Counter)
    """Documents: `new`, `changed`, `unchanged`."""
    jobs: int = 0
    meta_pairs: int = 0
    findings: Counter[str] = field(default_factory=Counter)


class Writer:
    """Writes batches through one connection."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._dictionaries = Dictionaries(bulk)
        self._compression: dict[bytes, int] = dict(NO_DICTIONARY)

    def known(self, digests: Sequence[bytes]) -> set[bytes]:
        """Which of these SHA-256 are documents of the store."""
        if not digests or not self._next("documents", "document_id"):
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
        rejected = Counter(document.source for document in batch.rejected)

        def work() -> Written:
            sources.number(self._bulk)
            written = self._write(batch, sources)
            sources.write(self._bulk, rejected)
            return written

        written = in_transaction(self._bulk, work, self._forget)
        sources.settle(rejected)
        return written

    def _forget(self) -> None:
        self._dictionaries.forget()
        self._compression = dict(NO_DICTIONARY)

    def _write(self, batch: Batch, sources: SourceLog) -> Written:
        written = Written()
        fresh = self._fresh(batch.accepted)
        rejected = self._fresh_rejections(batch.rejected)
        written.changes["unchanged"] = len(batch.accepted) - len(fresh)
        index = self._index([batch.accepted[n].place for n in fresh], rejected)
        numbers = StoreNumbers(batch, self._dictionaries)
        next_key = self._next("jobs", "job_key")
        placer = Placer(self._bulk, next_key or 1, numbers)
        if next_key:
            placer.recall([batch.accepted[n] for n in fresh])
        placed = {n: placer.place(batch.accepted[n]) for n in fresh}
        written.jobs = placer.jobs_added
        written.changes.update(p.change for p in placed.values())

        self._bulk.insert("jobs", columns.JOBS, placer.new_jobs)
        self._insert_documents(batch, fresh, index)
        self._insert_versions(batch, placed, numbers, written)
        self._insert_observations(batch, placed, index, sources.ids)
        self._insert_activity(batch, placed, index, numbers.identities, written)
        self._insert_rejections(rejected, index, sources.ids)
        self._insert_leaves([batch.accepted[n] for n in fresh], rejected, index, sources.ids)
        self._resolve(
            [batch.accepted[n].sha256 for n in fresh] + [r.rejection.sha256 for r in rejected]
        )
        return written

    def _next(self, table: str, column: str) -> int:
        """The number after the last one; 0 for an empty table."""
        sql = f"SELECT coalesce(max({column}) + 1, 0) FROM {table}"  # noqa: S608 - own names
        return int(self._bulk.query(sql)[0][0])

    def _fresh(self, accepted: list[Accepted]) -> list[int]:
        """Which documents of the batch are not in the store, nor in the batch before."""
        known = self.known([a.sha256 for a in accepted])
        fresh = []
        for number, document in enumerate(accepted):
            if document.sha256 not in known:
                known.add(document.sha256)
                fresh.append(number)
        return fresh

    def _fresh_rejections(self, rejected: list[Rejected]) -> list[Rejected]:
        sql = "SELECT sha256, reason FROM rejections WHERE sha256 AMONG KEYS"
        digests = sorted({r.rejection.sha256 for r in rejected})
        known = {(sha256, reason) for sha256, reason in self._bulk.among(sql, digests)}
        fresh: dict[tuple[bytes, str], Rejected] = {}
        for document in rejected:
            key = (document.rejection.sha256, document.rejection.reason)
            if key not in known:
                fresh.setdefault(key, document)
        return list(fresh.values())

    def _index(self, places: list[int], rejected: list[Rejected]) -> dict[int, int]:
        """Place in the batch: index in the ledger, in the order of the batch."""
        start = self._next("ledger_entries", "entry_index")
        every = sorted(places + [r.place for r in rejected])
        return {place: start + number for number, place in enumerate(every)}

    def _insert_documents(self, batch: Batch, fresh: list[int], index: dict[int, int]) -> None:
        if not fresh:
            return
        dictionary_id = self._compression_id(batch.dictionary)
        values: list[Any] = []
        for n in fresh:
            d = batch.accepted[n]
            values += (index[d.place], d.sha256, d.size, dictionary_id, d.content)
        self._bulk.insert("documents", columns.DOCUMENTS, values)

    def _compression_id(self, dictionary: bytes) -> int:
        known = self._compression
        if dictionary not in known:
            rows = self._bulk.query("SELECT content, dictionary_id FROM compression_dictionaries")
            known.update({bytes(content): number for content, number in rows})
        if dictionary not in known:
            known[dictionary] = len(known)
            row = [known[dictionary], dictionary]
            self._bulk.insert("compression_dictionaries", columns.COMPRESSION_DICTIONARIES, row)
        return known[dictionary]

    def _insert_versions(
        self, batch: Batch, placed: dict[int, Placed], numbers: StoreNumbers, written: Written
    ) -> None:
        terms, pair_ids = numbers.terms, numbers.pairs
        new = {n: (p.job_key, p.version_no) for n, p in placed.items() if p.new_version}
        versions = [v for n, at in new.items() for v in (*at, *placed[n].new_version)]
        tasks = [
            value
            for n, task_no, name, engine, publisher in _rows(batch.tasks, 5)
            if n in new
            for value in (*new[n], task_no, terms[name], terms[engine], terms[publisher])
        ]
        meta: list[int] = []
        pairs = map(pair_ids.__getitem__, batch.meta)
        for n, task_no, count in _rows(batch.levels, 3):
            of_level = islice(pairs, count)
            if n in new:
                job_key, version_no = new[n]
                meta += [v for pair in of_level for v in (job_key, version_no, task_no, pair)]
            else:
                deque(of_level, 0)
        labels = [
            value
            for n, pair in _rows(batch.labels, 2)
            if n in new
            for value in (*new[n], pair_ids[pair])
        ]
        written.meta_pairs = len(meta) // len(columns.META_ENTRIES)
        self._bulk.insert("job_versions", columns.JOB_VERSIONS, versions)
        self._bulk.insert("tasks", columns.TASKS, tasks)
        self._bulk.insert("meta_entries", columns.META_ENTRIES, meta)
        self._bulk.insert("label_entries", columns.LABEL_ENTRIES, labels)
        first = {n: at for n, at in new.items() if at[1] == 1}
        later = {n: at for n, at in new.items() if at[1] != 1}
        values = self._pair_jobs(batch, first, pair_ids)
        self._bulk.insert("pair_jobs", columns.PAIR_JOBS, values)
        if later:  # an earlier version of the job may have brought the same pair
            values = self._pair_jobs(batch, later, pair_ids)
            self._bulk.insert_missing("pair_jobs", columns.PAIR_JOBS, values)

    def _pair_jobs(
        self, batch: Batch, new: dict[int, tuple[int, int]], pair_ids: list[int]
    ) -> list[int]:
        """Rows of the reverse index, sorted: it is the one table that grows in its middle.

        A row is sorted as one integer: the pair, and the rank of the job by time.
        """
        times = []
        for n, (job_key, _) in new.items():
            version = batch.accepted[n].version
            created_at = (version and version.created_at) or 0
            times.append((created_at // NS_PER_HOUR, job_key, n))
        times.sort()
        rank = {n: place for place, (_, _, n) in enumerate(times)}
        packed: set[int] = set()
        pairs = map(pair_ids.__getitem__, batch.searchable)
        for n, count in _rows(batch.searches, 2):
            of_document = islice(pairs, count)
            if n in rank:
                of_time = rank[n]
                packed.update([pair << RANK_BITS | of_time for pair in of_document])
            else:
                deque(of_document, 0)
        ranks = (1 << RANK_BITS) - 1
        return [
            value for row in sorted(packed) for value in (row >> RANK_BITS, *times[row & ranks][:2])
        ]

    def _insert_observations(
        self,
        batch: Batch,
        placed: dict[int, Placed],
        index: dict[int, int],
        source_ids: dict[int, int],
    ) -> None:
        values: list[Any] = []
        for n, p in sorted(placed.items(), key=lambda item: item[1].job_key):
            d = batch.accepted[n]
            values += (p.job_key, index[d.place], *p.observation)
            values += (source_ids[d.source], d.ordinal, d.line)
        self._bulk.insert("observations", columns.OBSERVATIONS, values)

    def _insert_activity(
        self,
        batch: Batch,
        placed: dict[int, Placed],
        index: dict[int, int],
        identities: list[int],
        written: Written,
    ) -> None:
        at = {n: (p.job_key, index[batch.accepted[n].place]) for n, p in placed.items()}
        executions: list[Any] = []
        for n, position, execution_id, node, *rest in batch.executions:
            if n in at:
                executions += (*at[n], position, execution_id, identities[node], *rest)
        events: list[Any] = []
        for n, position, time, kind, execution_id, node, *rest in batch.events:
            if n in at:
                events += (*at[n], position, time, kind, execution_id, identities[node], *rest)
        findings: list[Any] = []
        for n, *finding in batch.findings:
            if n in at:
                findings += (*at[n], *finding)
                written.findings[str(finding[1])] += 1
        self._bulk.insert("executions", columns.EXECUTIONS, executions)
        self._bulk.insert("job_events", columns.JOB_EVENTS, events)
        self._bulk.insert("findings", columns.FINDINGS, findings)

    def _insert_rejections(
        self, rejected: list[Rejected], index: dict[int, int], source_ids: dict[int, int]
    ) -> None:
        values: list[Any] = []
        for document in rejected:
            r = document.rejection
            values += (index[document.place], source_ids[document.source], r.ordinal, r.line)
            values += (r.reason, r.message, r.format, r.sha256, r.size, document.content)
        self._bulk.insert("rejections", columns.REJECTIONS, values)

    def _insert_leaves(
        self,
        accepted: list[Accepted],
        rejected: list[Rejected],
        index: dict[int, int],
        source_ids: dict[int, int],
    ) -> None:
        entries = [(index[e.place], e.leaf_hash, source_ids[e.source]) for e in accepted]
        entries += [(index[e.place], e.leaf_hash, source_ids[e.source]) for e in rejected]
        values = [value for row in sorted(entries) for value in row]
        self._bulk.insert("ledger_entries", columns.LEDGER_ENTRIES, values)

    def _resolve(self, digests: list[bytes]) -> None:
        """Mark rejections whose very bytes were accepted, now or before.

        So that the table follows from the others and `verify` can compute it again.
        """
        if not digests or not self._bulk.query("SELECT 1 FROM rejections LIMIT 1"):
            return
        resolved = self._bulk.among(_RESOLVED, sorted(set(digests)))
        values = [value for row in list(resolved) for value in row]
        self._bulk.insert("rejection_resolutions", columns.REJECTION_RESOLUTIONS, values)


def _rows(flat: list[int], width: int) -> Iterator[tuple[int, ...]]:
    return zip(*[iter(flat)] * width, strict=True)
