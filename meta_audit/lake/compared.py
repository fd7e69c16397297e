"""Compare the rows of all tables with the entries of a range."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from meta_audit.lake import expected
from meta_audit.lake.agreement import ToldByEntries, problem, rank, says
from meta_audit.lake.tables import NUMBERS, id_hash
from meta_audit.ledger.entry import AcceptedEntry
from meta_audit.model import ORIGIN_RANK

if TYPE_CHECKING:
    from meta_audit.lake.expected import Rows
    from meta_audit.lake.rebuilt import RangeRows
    from meta_audit.lake.store_rows import LakeRow, StoreRows
    from meta_audit.ledger.entry import Entry


class Say(Protocol):
    """Note a damage of a table, at the row that has a number in a column; None if there is none."""

    def __call__(self, table: str, column: str, value: int | None, detail: str, /) -> None:
        """Note it."""


class ComparedRows:
    """Check the rows that the entries of a range stand for."""

    def __init__(self, store: StoreRows, rows: RangeRows, say: Say) -> None:
        self._store, self._rows, self._say = store, rows, say

    def check(self, entries: dict[int, Entry], superseded: set[int]) -> int:
        """Compare the rows with the entries; return the last job."""
        accepted = {i: e for i, e in entries.items() if isinstance(e, AcceptedEntry)}
        known = self._observations(accepted)
        _, observed, names = known
        for index in sorted(accepted.keys() - observed.keys() - superseded):
            self._say("v_observations", "", None, f"the observation of entry {index} is not there")
        for table, found in self._rows.documents_grouped.items():
            for row in self._rows.of_documents[table]:
                self._fit(table, row, known)
            for index, entry in accepted.items():
                rows = found.get((index, 0), [])
                if index in superseded and not rows:
                    continue
                wanted = expected.of_document(table, entry)
                if expected.has_number(entry):
                    wanted = expected.without_named_states(table, wanted)
                    rows = expected.without_named_states(table, rows)
                if not _same(wanted, rows):
                    detail = f"entry {index}: {_difference(wanted, rows)}"
                    self._say(table, "entry_index", index, detail)
            for index, _ in found:
                if index not in accepted:
                    detail = f"rows of entry {index}, which has none"
                    self._say(table, "entry_index", index, detail)
        self._numbers(names)
        self._versions(known)
        self._newest(known)
        return max(names, default=0)

    def _observations(self, accepted: dict[int, AcceptedEntry]) -> ToldByEntries:
        observed: dict[int, tuple[int, int]] = {}
        names: dict[int, tuple[str, str]] = {}
        for row in self._rows.of_documents["v_observations"]:
            index = row["entry_index"]
            entry = accepted.get(index)
            job = row["job_id"], row["namespace"]
            if entry is None or job != (entry.job_id, entry.namespace):
                self._say("v_observations", "entry_index", index, f"entry {index} says otherwise")
            named = names.setdefault(row["job_key"], job)
            if named != job:
                detail = f"entry {index}: jobs {job[0]} and {named[0]} have one number"
                self._say("v_observations", "entry_index", index, detail)
            observed[index] = row["job_key"], row["version_no"]
        return ToldByEntries(accepted, observed, names)

    def _numbers(self, names: dict[int, tuple[str, str]]) -> None:
        """Check that each job is found by its ID."""
        rows = self._store.among(NUMBERS, "job_key", names.keys() - {None})
        found = Counter((row["job_key"], row["id_hash"]) for row in rows)
        for key, (job_id, _) in names.items():
            if found[key, id_hash(str(job_id))] != 1:
                self._say(NUMBERS, "job_key", key, f"job {job_id}: its number {key} is not there")

    def _versions(self, known: ToldByEntries) -> None:
        shown, (accepted, observed, _) = {}, known
        for index, place in observed.items():
            if place[1] and index in accepted:
                shown[place] = accepted[index]
        for table, found in self._rows.versions_grouped.items():
            for row in self._rows.of_versions[table]:
                self._fit(table, row, known)
            for (key, number), entry in shown.items():
                rows = found.get((key, number), [])
                wanted = expected.of_version(table, entry)
                if not rows and table == "v_versions":
                    detail = f"job {entry.job_id}: version {number} is not there"
                    self._say("v_observations", "job_key", key, detail)
                if not _same(wanted, rows):
                    what = f"job {entry.job_id}, version {number}"
                    self._say(table, "job_key", key, f"{what}: {_difference(wanted, rows)}")

    def _newest(self, known: ToldByEntries) -> None:
        """Check that `v_jobs` says what its entries say, and that none of them is newer."""
        accepted, observed, _ = known
        for row in self._rows.newest:
            entry = accepted.get(row["entry_index"])
            if entry is None or not says(entry, row):
                detail = f"job {row['job_id']}: entry {row['entry_index']} says otherwise"
                self._say("v_jobs", "job_key", row["job_key"], detail)
            self._fit("v_jobs", row, known)
        keys = {key for key, _ in observed.values()} - {None}
        rows = self._store.among("v_jobs", "job_key", keys)
        ranks = {row["job_key"]: rank(row) for row in rows}
        if len(ranks) < len(rows):
            twice = Counter(row["job_key"] for row in rows).most_common(1)[0][0]
            self._say("v_jobs", "job_key", twice, "a job has two rows")
        for index, (key, number) in observed.items():
            entry = accepted.get(index)
            if entry is None or not number:
                continue
            if entry.namespace and key not in ranks:
                self._say("v_jobs", "", None, f"job {entry.job_id} has no row")
            elif key in ranks:
                place = ORIGIN_RANK[entry.origin], entry.version, entry.modified_at or 0
                if (*place, entry.revision) > ranks[key]:
                    detail = f"job {entry.job_id}: entry {index} is newer"
                    self._say("v_jobs", "job_key", key, detail)

    def _fit(self, table: str, row: LakeRow, known: ToldByEntries) -> None:
        """Name a row with a column that does not follow from the others."""
        wrong = problem(table, row, known)
        if wrong:
            column = "entry_index" if "entry_index" in row else "job_key"
            self._say(table, column, row[column], wrong)


def _difference(wanted: Rows, rows: Rows) -> str:
    missing = [row for row in wanted if row not in rows]
    added = [row for row in rows if row not in wanted]
    return f"{missing[0]} is missing" if missing else f"{(added or rows)[0]} was not signed"


def _same(wanted: Rows, rows: Rows) -> bool:
    return wanted == rows or sorted(wanted, key=repr) == sorted(rows, key=repr)
