"""Write a batch: one transaction, one writer at a time, no query per row.

Order of work, all under the write lock:
1. leave out documents whose bytes the store has;
2. find or give IDs: terms, pairs, identities, ledger index, job and version of each document;
3. insert rows table by table, in the order of their keys.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, compress, repeat
from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.record.aliases import add_alias
from meta_audit.record.batch import NO_ENTRY
from meta_audit.record.current_jobs import of_new_jobs, recompute
from meta_audit.record.dismissals import dismiss
from meta_audit.record.known import Known
from meta_audit.record.lookups import Lookups
from meta_audit.record.quarantine import Quarantine
from meta_audit.record.two_jobs import CODE, count_two_jobs
from meta_audit.record.versions import Matcher, StoreIds
from meta_audit.schema.tables import columns
from meta_audit.store.session import row, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meta_audit.record.aliases import Alias
    from meta_audit.record.batch import Accepted, Batch, Rejected
    from meta_audit.record.source_log import SourceLog
    from meta_audit.record.versions import Job
    from meta_audit.store.session import Session, Values

NO_DICTIONARY: Final = {b"": 0}


@dataclass(slots=True)
class Written:
    """Count what a batch changed."""

    changes: Counter[str] = field(default_factory=Counter)
    """Documents: `new`, `changed`, `unchanged`."""
    rejected: list[Rejected] = field(default_factory=list)
    """New rejections: never accepted, nor rejected for this reason from this source's name."""
    known_rejected: list[Rejected] = field(default_factory=list)
    """Documents that were rejected before, from a source of the same name, for that reason."""
    sources: Counter[str] = field(default_factory=Counter)
    """Sources that ended, by status; `repeated` those that were read before."""
    dismissed: int = 0
    reread: int = 0
    """Readings that take the place of older entries."""
    jobs: int = 0
    meta_pairs: int = 0
    findings: Counter[str] = field(default_factory=Counter)

    @property
    def rejected_of_sources(self) -> Counter[int]:
        """Count the rejected documents of each source."""
        return Counter(d.source for d in chain(self.rejected, self.known_rejected))


class _New(NamedTuple):
    """The documents of a batch that the store does not have."""

    accepted: list[int]
    """Numbers of documents."""
    rejected: list[Rejected]
    """Those whose bytes and reason are new for the name of their source."""
    known_rejected: list[Rejected]
    ledger_index: dict[int, int]
    """Of each place in the batch, in its order."""
    source_ids: dict[int, int]


class Writer:
    """Write batches through one connection."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known = Known(session)
        self._lookups = Lookups(session)
        self._quarantine = Quarantine(session)
        self._compression: dict[bytes, int] = dict(NO_DICTIONARY)

    def newest_dictionary(self) -> bytes:
        """Return the zstd dictionary to compress with; empty where there is none yet."""
        sql = "SELECT content FROM compression_dictionaries ORDER BY dictionary_id DESC LIMIT 1"
        rows = self._session.query(sql)
        return bytes(rows[0][0]) if rows else b""

    def write(
        self,
        batch: Batch,
        sources: SourceLog,
        dismissed: Sequence[int] = (),
        reason: str = "",
        alias: Alias | None = None,
    ) -> Written:
        """Write a batch, the results of its sources and what somebody says, or nothing of it."""

        def work() -> Written:
            written = self._write(batch, sources)
            if dismissed:
                number = dismiss(self._session, sources.import_id, dismissed, reason)
                written.dismissed = number
            if alias is not None:
                add_alias(self._session, sources.import_id, alias)
            written.sources = sources.write_results(self._session, written.rejected_of_sources)
            return written

        def undo() -> None:
            self._forget()
            sources.undo()

        written = self._session.transaction(work, undo=undo)
        sources.settle(written.rejected_of_sources)
        return written

    def _forget(self) -> None:
        self._lookups.forget()
        self._compression = dict(NO_DICTIONARY)

    def _write(self, batch: Batch, sources: SourceLog) -> Written:
        accepted = batch.accepted
        new = self._new(batch, sources)
        ids = StoreIds(batch, self._lookups)
        remembered = self._remembered()
        matcher = Matcher(self._session, accepted, ids, remembered)
        next_key = self._next("jobs", "job_key")
        if next_key or remembered:
            matcher.recall(new.accepted)
        self._insert_documents(batch, new)
        matcher.match(new.accepted, next_key or 1)
        written = Written(matcher.changes, new.rejected, new.known_rejected)
        written.jobs = matcher.jobs_added
        rejected = len(new.rejected) + len(new.known_rejected)
        written.changes["unchanged"] += len(batch) - len(new.accepted) - rejected

        self._insert("jobs", matcher.new_jobs)
        self._insert_versions(batch, matcher, ids, written)
        self._insert_observations(accepted, matcher, ids, new)
        self._insert_activity(batch, matcher, new, ids.identities, written)
        self._quarantine.insert(new.rejected, new.ledger_index, new.source_ids)
        written.reread = self._insert_readings(accepted, new)
        self._show_current(batch, matcher, ids, new, sources.import_id)
        self._insert_leaves(accepted, new)
        two_jobs = count_two_jobs(self._session, self._lookups, matcher.grown())
        written.findings += Counter({CODE: two_jobs})
        self._quarantine.resolve_torn(sources)
        self._quarantine.resolve(
            [accepted.sha256[n] for n in new.accepted]
            + [document.rejection.sha256 for document in new.rejected]
        )
        self._done(batch, new.accepted, matcher)
        return written

    def _remembered(self) -> dict[tuple[str, int], Job]:
        """Return jobs that are not in the store, though an earlier batch brought them."""
        return {}

    def _done(self, batch: Batch, accepted: list[int], matcher: Matcher) -> None:
        """Remember what the store will not have."""

    def _new(self, batch: Batch, sources: SourceLog) -> _New:
        """Leave out what was accepted before, in the store or earlier in the batch."""
        accepted = batch.accepted
        rejections = [r.rejection.sha256 for r in batch.rejected]
        known = self._known.documents([*accepted.sha256, *rejections])
        first: dict[bytes, int] = {}
        superseded = self._superseded(accepted)
        for number, digest in enumerate(accepted.sha256):
            if accepted.supersedes[number] != NO_ENTRY:
                if accepted.supersedes[number] not in superseded:
                    first[digest] = number
            elif digest not in known:
                first.setdefault(digest, number)
        rejected = [
            r
            for r, digest in zip(batch.rejected, rejections, strict=True)
            if digest not in known
            and (digest not in first or accepted.place[first[digest]] > r.place)
        ]
        fresh, known_rejected = self._quarantine.sort(rejected, sources)
        sources.add_rows(
            self._session, {accepted.source[n] for n in first.values()} | {r.source for r in fresh}
        )
        places = [accepted.place[n] for n in first.values()] + [r.place for r in fresh]
        start = self._next("ledger_entries", "entry_index")
        index = {place: number for number, place in enumerate(sorted(places), start)}
        return _New(list(first.values()), fresh, known_rejected, index, sources.ids)

    def _show_current(
        self, batch: Batch, matcher: Matcher, ids: StoreIds, new: _New, import_id: int
    ) -> None:
        alone, others = matcher.split()
        recompute(self._session, others)
        place = batch.accepted.place
        documents = {n: new.ledger_index[place[n]] for n in alone}
        self._insert("current_jobs", of_new_jobs(batch, matcher, ids, documents, import_id))

    def _superseded(self, accepted: Accepted) -> set[int]:
        """Return the entries that somebody else has read again meanwhile."""
        entries = sorted(set(accepted.supersedes) - {NO_ENTRY})
        sql = "SELECT supersedes FROM readings WHERE supersedes AMONG KEYS"
        return {row[0] for row in self._session.among(sql, entries)}

    def _insert_readings(self, a: Accepted, new: _New) -> int:
        again = [n for n in new.accepted if a.supersedes[n] != NO_ENTRY]
        values = [(new.ledger_index[a.place[n]], a.supersedes[n]) for n in again]
        self._insert("readings", rows(values))
        return len(again)

    def _next(self, table: str, column: str) -> int:
        """Return the number after the last one; 0 for an empty table."""
        sql = f"SELECT coalesce(max({column}) + 1, 0) FROM {table}"  # noqa: S608 - own names
        return int(self._session.query(sql)[0][0])

    def _insert(self, table: str, values: Values) -> None:
        self._session.insert(table, columns(table), values)

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
        self._insert("documents", values)

    def _compression_id(self, dictionary: bytes) -> int:
        known = self._compression
        if dictionary not in known:
            sql = "SELECT content, dictionary_id FROM compression_dictionaries"
            known.update({bytes(content): number for content, number in self._session.query(sql)})
        if dictionary not in known:
            known[dictionary] = len(known)
            values = row(known[dictionary], dictionary)
            self._insert("compression_dictionaries", values)
        return known[dictionary]

    def _insert_versions(
        self, batch: Batch, matcher: Matcher, ids: StoreIds, written: Written
    ) -> None:
        new = matcher.new_versions
        keys, version_nos = matcher.job_key, matcher.version_no
        of_versions = [keys[n] for n in new], [version_nos[n] for n in new]
        versions = [*of_versions, *ids.versions(batch.accepted, new)]
        self._insert("job_versions", versions)

        chosen = _Chosen(new, len(batch.accepted))
        of, task_no, *names = chosen.rows(batch.tasks, 5)
        terms = [[ids.terms[term] for term in column] for column in names]
        tasks = [[keys[n] for n in of], [version_nos[n] for n in of], task_no, *terms]
        self._insert("tasks", tasks)

        of, task_no, counts, pairs = chosen.lists(batch.levels, 3, batch.meta)
        pairs = [ids.pairs[pair] for pair in pairs]
        levels = [keys[n] for n in of], [version_nos[n] for n in of], task_no
        meta = [*(_repeated(column, counts) for column in levels), pairs]
        self._insert("meta_entries", meta)
        written.meta_pairs = len(pairs)

        of, pairs = chosen.rows(batch.labels, 2)
        labels = [keys[n] for n in of], [version_nos[n] for n in of]
        pairs = [ids.pairs[pair] for pair in pairs]
        self._insert("label_entries", [*labels, pairs])

    def _insert_observations(self, a: Accepted, matcher: Matcher, ids: StoreIds, new: _New) -> None:
        keys = matcher.job_key
        by_job = sorted(new.accepted, key=keys.__getitem__)
        values = [
            [keys[n] for n in by_job],
            [new.ledger_index[a.place[n]] for n in by_job],
            *ids.observations(a, by_job, matcher.version_no),
            [new.source_ids[a.source[n]] for n in by_job],
            [a.ordinal[n] for n in by_job],
            [a.line[n] for n in by_job],
            [ids.use_sets[a.use_set[n]] for n in by_job],
        ]
        self._insert("observations", values)

    def _insert_activity(
        self, batch: Batch, matcher: Matcher, new: _New, identities: list[int], written: Written
    ) -> None:
        def at(n: int) -> tuple[int, int]:
            return matcher.job_key[n], new.ledger_index[batch.accepted.place[n]]

        executions = [
            (*at(n), position, execution_id, identities[node], *rest)
            for n, position, execution_id, node, *rest in batch.executions
            if matcher.job_key[n]
        ]
        events = [
            (*at(n), position, time, kind, execution_id, identities[node], *rest)
            for n, position, time, kind, execution_id, node, *rest in batch.events
            if matcher.job_key[n]
        ]
        findings = [(*at(n), *finding) for n, *finding in batch.findings if matcher.job_key[n]]
        written.findings.update(str(code) for _, _, _, code, *_ in findings)
        self._insert("executions", rows(executions))
        self._insert("job_events", rows(events))
        self._insert("findings", rows(findings))

    def _insert_leaves(self, a: Accepted, new: _New) -> None:
        leaves = [(a.place[n], a.leaf_hash[n], a.source[n]) for n in new.accepted]
        leaves += [(r.place, r.leaf_hash, r.source) for r in new.rejected]
        entries = [
            (new.ledger_index[place], leaf, new.source_ids[source])
            for place, leaf, source in sorted(leaves)
        ]
        self._insert("ledger_entries", rows(entries))


class _Chosen:
    """Pick the rows of some documents out of a batch's flat rows."""

    def __init__(self, numbers: list[int], total: int) -> None:
        self._is_all = len(numbers) == total
        self._is_chosen = bytearray(total)
        for n in numbers:
            self._is_chosen[n] = True

    def rows(self, flat: list[int], width: int) -> list[list[int]]:
        """Return columns; the first one holds the numbers of the documents."""
        by_column = [flat[n::width] for n in range(width)]
        if self._is_all:
            return by_column
        chosen = [self._is_chosen[n] for n in by_column[0]]
        return [list(compress(column, chosen)) for column in by_column]

    def lists(self, flat: list[int], width: int, listed: list[int]) -> list[list[int]]:
        """Return columns, the last one the lengths of lists, and these lists joined."""
        if not self._is_all:
            chosen = [self._is_chosen[n] for n in flat[::width]]
            listed = list(compress(listed, _repeated(chosen, flat[width - 1 :: width])))
        return [*self.rows(flat, width), listed]


def _repeated(values: Iterable[int], counts: Iterable[int]) -> list[int]:
    """Repeat each value as often as its count says."""
    return list(chain.from_iterable(map(repeat, values, counts)))
