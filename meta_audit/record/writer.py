"""Writes a batch: one transaction, one writer at a time, no query per row.

Order of work, all under the write lock:
1. leave out documents whose bytes the store has;
2. number terms, pairs, identities; then ledger index, job and version of every document;
3. insert, table by table, rows in the order of the tables' keys.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, compress, repeat
from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.record import columns
from meta_audit.record.lookups import Dictionaries
from meta_audit.record.versions import Placer, StoreNumbers
from meta_audit.store.session import row, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meta_audit.record.batch import Accepted, Batch, Rejected
    from meta_audit.record.runs import SourceLog
    from meta_audit.store.session import Session, Values

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
    rejected: list[Rejected] = field(default_factory=list)
    """What was rejected, and not accepted before."""
    jobs: int = 0
    meta_pairs: int = 0
    findings: Counter[str] = field(default_factory=Counter)

    @property
    def rejected_of_sources(self) -> Counter[int]:
        """How many documents of each source were rejected."""
        return Counter(document.source for document in self.rejected)


class _New(NamedTuple):
    """What of a batch the store does not have."""

    accepted: list[int]
    """Numbers of documents."""
    rejected: list[Rejected]
    """Those whose bytes and reason are new."""
    all_rejected: list[Rejected]
    ledger_index: dict[int, int]
    """Of each place in the batch, in its order."""
    source_ids: dict[int, int]


class Writer:
    """Writes batches through one connection."""

    def __init__(self, bulk: Session) -> None:
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

        def work() -> Written:
            sources.number(self._bulk)
            written = self._write(batch, sources)
            sources.write(self._bulk, written.rejected_of_sources)
            return written

        written = self._bulk.transaction(work, undo=self._forget)
        sources.settle(written.rejected_of_sources)
        return written

    def _forget(self) -> None:
        self._dictionaries.forget()
        self._compression = dict(NO_DICTIONARY)

    def _write(self, batch: Batch, sources: SourceLog) -> Written:
        accepted = batch.accepted
        new = self._new(batch, sources.ids)
        numbers = StoreNumbers(batch, self._dictionaries)
        placer = Placer(self._bulk, accepted, numbers)
        next_key = self._next("jobs", "job_key")
        if next_key:
            placer.recall(new.accepted)
        self._insert_documents(batch, new)
        placer.place(new.accepted, next_key or 1)
        written = Written(placer.changes, new.all_rejected, placer.jobs_added)
        known = len(batch) - len(new.accepted) - len(new.all_rejected)
        written.changes["unchanged"] += known

        self._bulk.insert("jobs", columns.JOBS, placer.new_jobs)
        self._insert_versions(batch, placer, numbers, written)
        self._insert_observations(accepted, placer, numbers, new)
        self._insert_activity(batch, placer, new, numbers.identities, written)
        self._insert_rejections(new)
        self._insert_leaves(accepted, new)
        self._resolve(
            [accepted.sha256[n] for n in new.accepted]
            + [document.rejection.sha256 for document in new.rejected]
        )
        return written

    def _new(self, batch: Batch, source_ids: dict[int, int]) -> _New:
        """Leave out what was accepted before, in the store or earlier in the batch."""
        accepted = batch.accepted
        rejections = [r.rejection.sha256 for r in batch.rejected]
        known = self.known([*accepted.sha256, *rejections])
        first: dict[bytes, int] = {}
        for number, digest in enumerate(accepted.sha256):
            if digest not in known:
                first.setdefault(digest, number)
        rejected = [
            r
            for r, digest in zip(batch.rejected, rejections, strict=True)
            if digest not in known
            and (digest not in first or accepted.place[first[digest]] > r.place)
        ]
        fresh = self._fresh_rejections(rejected)
        places = [accepted.place[n] for n in first.values()] + [r.place for r in fresh]
        start = self._next("ledger_entries", "entry_index")
        index = {place: number for number, place in enumerate(sorted(places), start)}
        return _New(list(first.values()), fresh, rejected, index, source_ids)

    def _next(self, table: str, column: str) -> int:
        """The number after the last one; 0 for an empty table."""
        sql = f"SELECT coalesce(max({column}) + 1, 0) FROM {table}"  # noqa: S608 - own names
        return int(self._bulk.query(sql)[0][0])

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

    def _insert_documents(self, batch: Batch, new: _New) -> None:
        if not new.accepted:
            return
        dictionary_id = self._compression_id(batch.dictionary)
        a = batch.accepted
        values: Values = [
            [new.ledger_index[a.place[n]] for n in new.accepted],
            [a.sha256[n] for n in new.accepted],
            [a.size[n] for n in new.accepted],
            [dictionary_id] * len(new.accepted),
            [a.content[n] for n in new.accepted],
        ]
        self._bulk.insert("documents", columns.DOCUMENTS, values)

    def _compression_id(self, dictionary: bytes) -> int:
        known = self._compression
        if dictionary not in known:
            sql = "SELECT content, dictionary_id FROM compression_dictionaries"
            known.update({bytes(content): number for content, number in self._bulk.query(sql)})
        if dictionary not in known:
            known[dictionary] = len(known)
            values = row(known[dictionary], dictionary)
            self._bulk.insert("compression_dictionaries", columns.COMPRESSION_DICTIONARIES, values)
        return known[dictionary]

    def _insert_versions(
        self, batch: Batch, placer: Placer, numbers: StoreNumbers, written: Written
    ) -> None:
        new = placer.new_versions
        keys, version_nos = placer.job_key, placer.version_no
        of_versions = [keys[n] for n in new], [version_nos[n] for n in new]
        versions = [*of_versions, *numbers.versions(batch.accepted, new)]
        self._bulk.insert("job_versions", columns.JOB_VERSIONS, versions)

        chosen = _Chosen(new, len(batch.accepted))
        of, task_no, *names = chosen.rows(batch.tasks, 5)
        terms = [[numbers.terms[term] for term in column] for column in names]
        tasks = [[keys[n] for n in of], [version_nos[n] for n in of], task_no, *terms]
        self._bulk.insert("tasks", columns.TASKS, tasks)

        of, task_no, counts, pairs = chosen.lists(batch.levels, 3, batch.meta)
        pairs = [numbers.pairs[pair] for pair in pairs]
        levels = [keys[n] for n in of], [version_nos[n] for n in of], task_no
        meta = [*(_repeated(column, counts) for column in levels), pairs]
        self._bulk.insert("meta_entries", columns.META_ENTRIES, meta)
        written.meta_pairs = len(pairs)

        of, pairs = chosen.rows(batch.labels, 2)
        labels = [keys[n] for n in of], [version_nos[n] for n in of]
        pairs = [numbers.pairs[pair] for pair in pairs]
        self._bulk.insert("label_entries", columns.LABEL_ENTRIES, [*labels, pairs])

        first = [n for n in new if version_nos[n] == 1]
        pair_jobs = self._pair_jobs(batch, first, placer, numbers.pairs)
        self._bulk.insert("pair_jobs", columns.PAIR_JOBS, pair_jobs)
        if len(first) < len(new):  # an earlier version of the job may have brought the same pair
            later = [n for n in new if version_nos[n] > 1]
            pair_jobs = self._pair_jobs(batch, later, placer, numbers.pairs)
            self._bulk.insert_missing("pair_jobs", columns.PAIR_JOBS, pair_jobs)

    def _pair_jobs(
        self, batch: Batch, new: list[int], placer: Placer, pair_ids: list[int]
    ) -> Values:
        """Columns of the reverse index, sorted: it is the one table that grows in its middle.

        A row is sorted as one integer: the pair, and the rank of the job by time.
        """
        created_at, keys = batch.accepted.created_at, placer.job_key
        times = sorted([((created_at[n] or 0) // NS_PER_HOUR, keys[n], n) for n in new])
        ranks = [0] * len(batch.accepted)
        for rank, (_, _, n) in enumerate(times):
            ranks[n] = rank
        chosen = _Chosen(new, len(batch.accepted))
        of, counts, pairs = chosen.lists(batch.searches, 2, batch.searchable)
        rank_of_pairs = _repeated([ranks[n] for n in of], counts)
        packed = sorted(
            {
                pair_ids[pair] << RANK_BITS | rank
                for pair, rank in zip(pairs, rank_of_pairs, strict=True)
            }
        )
        all_ranks = (1 << RANK_BITS) - 1
        in_order = [times[row & all_ranks] for row in packed]
        return [
            [row >> RANK_BITS for row in packed],
            [hour for hour, _, _ in in_order],
            [key for _, key, _ in in_order],
        ]

    def _insert_observations(
        self, a: Accepted, placer: Placer, numbers: StoreNumbers, new: _New
    ) -> None:
        keys = placer.job_key
        by_job = sorted(new.accepted, key=keys.__getitem__)
        values = [
            [keys[n] for n in by_job],
            [new.ledger_index[a.place[n]] for n in by_job],
            *numbers.observations(a, by_job, placer.version_no),
            [new.source_ids[a.source[n]] for n in by_job],
            [a.ordinal[n] for n in by_job],
            [a.line[n] for n in by_job],
        ]
        self._bulk.insert("observations", columns.OBSERVATIONS, values)

    def _insert_activity(
        self, batch: Batch, placer: Placer, new: _New, identities: list[int], written: Written
    ) -> None:
        def at(n: int) -> tuple[int, int]:
            return placer.job_key[n], new.ledger_index[batch.accepted.place[n]]

        executions = [
            (*at(n), position, execution_id, identities[node], *rest)
            for n, position, execution_id, node, *rest in batch.executions
            if placer.job_key[n]
        ]
        events = [
            (*at(n), position, time, kind, execution_id, identities[node], *rest)
            for n, position, time, kind, execution_id, node, *rest in batch.events
            if placer.job_key[n]
        ]
        findings = [(*at(n), *finding) for n, *finding in batch.findings if placer.job_key[n]]
        written.findings.update(str(code) for _, _, _, code, *_ in findings)
        self._bulk.insert("executions", columns.EXECUTIONS, rows(executions))
        self._bulk.insert("job_events", columns.JOB_EVENTS, rows(events))
        self._bulk.insert("findings", columns.FINDINGS, rows(findings))

    def _insert_rejections(self, new: _New) -> None:
        values = []
        for document in new.rejected:
            r = document.rejection
            at = (
                new.ledger_index[document.place],
                new.source_ids[document.source],
                r.ordinal,
                r.line,
            )
            what = r.reason, r.message, r.format, r.sha256, r.size, document.content
            values.append((*at, *what))
        self._bulk.insert("rejections", columns.REJECTIONS, rows(values))

    def _insert_leaves(self, a: Accepted, new: _New) -> None:
        leaves = [(a.place[n], a.leaf_hash[n], a.source[n]) for n in new.accepted]
        leaves += [(r.place, r.leaf_hash, r.source) for r in new.rejected]
        entries = [
            (new.ledger_index[place], leaf, new.source_ids[source])
            for place, leaf, source in sorted(leaves)
        ]
        self._bulk.insert("ledger_entries", columns.LEDGER_ENTRIES, rows(entries))

    def _resolve(self, digests: list[bytes]) -> None:
        """Mark rejections whose very bytes were accepted, now or before.

        So that the table follows from the others and `verify` can compute it again.
        """
        if not digests or not self._bulk.query("SELECT 1 FROM rejections LIMIT 1"):
            return
        resolved = list(self._bulk.among(_RESOLVED, sorted(set(digests))))
        self._bulk.insert("rejection_resolutions", columns.REJECTION_RESOLUTIONS, rows(resolved))


class _Chosen:
    """Picks the rows of some documents out of a batch's flat rows."""

    def __init__(self, numbers: list[int], total: int) -> None:
        self._is_all = len(numbers) == total
        self._is_chosen = bytearray(total)
        for n in numbers:
            self._is_chosen[n] = True

    def rows(self, flat: list[int], width: int) -> list[list[int]]:
        """Columns; the first one holds the numbers of the documents."""
        by_column = [flat[n::width] for n in range(width)]
        if self._is_all:
            return by_column
        chosen = [self._is_chosen[n] for n in by_column[0]]
        return [list(compress(column, chosen)) for column in by_column]

    def lists(self, flat: list[int], width: int, listed: list[int]) -> list[list[int]]:
        """Columns, the last one the lengths of lists, and these lists one after the other."""
        if not self._is_all:
            chosen = [self._is_chosen[n] for n in flat[::width]]
            listed = list(compress(listed, _repeated(chosen, flat[width - 1 :: width])))
        return [*self.rows(flat, width), listed]


def _repeated(values: Iterable[int], counts: Iterable[int]) -> list[int]:
    """Each value so many times."""
    return list(chain.from_iterable(map(repeat, values, counts)))
