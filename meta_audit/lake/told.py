"""Make the rows of the jobs that a range of entries tells of.

The rows of most views follow from the entries of the documents, by the same rules by which
`lake verify` compares them (`lake.expected`). This takes a fifth of the time of the views. Where
a view shows more than one document says, it is asked.
"""

from __future__ import annotations

from itertools import accumulate, chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meta_audit.lake.expected import OF_DOCUMENTS, OF_VERSIONS, has_number, of_document, of_version
from meta_audit.lake.tables import columns, id_hash
from meta_audit.ledger.entry import encode_entry
from meta_audit.ledger.merkle import leaf_hash
from meta_audit.verify.checks.jobs import JobRange
from meta_audit.verify.outcome import VerifyOptions
from meta_audit.verify.work import Plan, Work

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from meta_audit.ledger.entry import AcceptedEntry
    from meta_audit.store.session import Row, Session
    from meta_audit.verify.checks.jobs import Observed

Columns = dict[str, Any]
"""Columns of a table, as lists or Arrow arrays. Times that others have exactly may be missing."""
_SAME_ID: Final = """
    SELECT DISTINCT b.job_key FROM jobs a JOIN jobs b ON b.job_id = a.job_id
    WHERE a.job_key AMONG KEYS"""
_CURRENT: Final = "SELECT job_key FROM current_jobs WHERE job_key AMONG KEYS"
_SOURCES: Final = """
    SELECT s.source_id, s.import_id, m.actor, m.started_at
    FROM sources s JOIN imports m ON m.import_id = s.import_id WHERE s.source_id AMONG KEYS"""
_STARTED: Final = "SELECT import_id, started_at FROM imports"
_SHARED: Final = ("v_uses", "v_executions", "v_events")
"""Views that show rows of a document without a namespace with other jobs of the same ID."""


class _Shown(NamedTuple):
    """Hold what a row or some rows are made of."""

    job_key: int
    version_no: int
    entry: AcceptedEntry
    entry_index: int
    source_id: int


class ToldRows:
    """Hold the jobs that the entries from `low` to below `high` tell of, and all of the same IDs.

    Entries from `end` on are not signed yet: their rows are left out.
    """

    def __init__(
        self,
        session: Session,
        told: Collection[int],
        superseded: Collection[int],
        low: int,
        end: int,
    ) -> None:
        self._session, self._superseded, self._low = session, superseded, low
        self.keys = sorted({row[0] for row in among(session, _SAME_ID, sorted(told))})
        self._jobs = _jobs(session, self.keys)
        self._observed = list(self._jobs.observed())
        first: dict[str, int] = {}
        for one in self._observed:
            job_id = self._jobs.job(one.job_key)[0]
            first[job_id] = min(one.entry_index, first.get(job_id, low))
        ids = {key: self._jobs.job(key)[0] for key in self.keys}
        self.known = [key for key in self.keys if first.get(ids[key], low) < low]
        """Those of the jobs whose rows older entries brought."""
        current = {row[0] for row in among(session, _CURRENT, self.keys)}
        shared = {ids[key] for key in self.keys if key not in current}
        shared.update(
            ids[one.job_key] for one in self._observed if one.entry and has_number(one.entry)
        )
        self._asked = [key for key in self.keys if ids[key] in shared]
        """Jobs of which a view says more than their documents do."""
        self._shown = [
            _Shown(one.job_key, one.version_no, one.entry, one.entry_index, one.source_id)
            for one in self._observed
            if one.entry and one.entry_index < end and one.entry_index not in superseded
        ]
        self._end = end

    # Rows

    def rows(self, view: str) -> Columns:
        """Return the columns of a view for these jobs."""
        if view in OF_VERSIONS:
            return self._of_versions(view)
        if view == "v_jobs":
            return self._newest()
        if view not in _SHARED or not self._asked:
            return self._of_documents(view, self._shown)
        asked = set(self._asked)
        own = self._of_documents(view, [one for one in self._shown if one.job_key not in asked])
        return _together(own, self._view(view, self._asked))

    def _of_versions(self, view: str) -> Columns:
        seen: dict[tuple[int, int], _Shown] = {}
        for one in self._shown:
            if one.version_no:
                seen.setdefault((one.job_key, one.version_no), one)
        shown = list(seen.values())
        found = [of_version(view, one.entry) for one in shown]
        repeated = {"version_no": [one.version_no for one in shown]}
        return self._joined(shown, found, OF_VERSIONS[view], repeated)

    def _of_documents(self, view: str, shown: Sequence[_Shown]) -> Columns:
        found: list[Any] = [of_document(view, one.entry) for one in shown]
        repeated = {"entry_index": [one.entry_index for one in shown]}
        if view == "v_observations":
            repeated |= {"version_no": [one.version_no for one in shown]} | self._sources(shown)
        columns = self._joined(shown, found, OF_DOCUMENTS[view], repeated)
        if view == "v_uses" and columns:
            columns["task"] = [
                _task(one.entry, row[0])
                for one, rows in zip(shown, found, strict=True)
                for row in rows
            ]
        return columns

    def _joined(
        self,
        shown: Sequence[_Shown],
        found: Sequence[Sequence[Any]],
        names: Sequence[str],
        repeated: dict[str, list[Any]],
    ) -> Columns:
        """Return the columns of rows, each beside the columns of what it is a row of."""
        jobs = [self._jobs.job(one.job_key) for one in shown]
        repeated |= {
            "job_id": [job_id for job_id, _ in jobs],
            "namespace": [namespace for _, namespace in jobs],
            "job_key": [one.job_key for one in shown],
        }
        rows = list(chain.from_iterable(found))
        if not rows:
            return {}
        return {
            **{name: list(map(itemgetter(n), rows)) for n, name in enumerate(names)},
            **_repeated(repeated, list(map(len, found))),
        }

    def _sources(self, shown: Sequence[_Shown]) -> dict[str, list[Any]]:
        numbers = sorted({one.source_id for one in shown})
        known = {row[0]: row[1:] for row in self._session.among(_SOURCES, numbers)}
        rows = [known[one.source_id] for one in shown]
        names = ("import_id", "actor", "observed_ns")
        return {name: [row[n] for row in rows] for n, name in enumerate(names)}

    def _newest(self) -> Columns:
        found = self._view("v_jobs", self.keys)
        if not found:
            return found
        started: dict[int, int] = dict(self._session.query(_STARTED))
        for seen, number in (("first_seen", "first_import"), ("last_seen", "last_import")):
            found[seen] = [started[of_import] for of_import in found[number]]
        return found

    def _view(self, view: str, keys: Sequence[int]) -> Columns:
        """Return the columns of a view, without times that others have exactly."""
        names = [name for name, type_ in columns(view) if type_ != "time"]
        listed = ", ".join(f'"{name}"' for name in names)
        sql = f"SELECT {listed} FROM {view} WHERE job_key AMONG KEYS"  # noqa: S608 - own names
        found: Iterable[Row] = among(self._session, sql, keys)
        if view != "v_jobs":
            at = names.index("entry_index")
            found = [row for row in found if row[at] < self._end]
        values = list(zip(*found, strict=True))
        return dict(zip(names, values, strict=True)) if values else {}

    def numbers(self, high: int) -> Columns:
        """Return the numbers of the jobs that entries below `high` are the first to show."""
        first: dict[int, int] = {}
        for one in self._observed:
            first[one.job_key] = min(one.entry_index, first.get(one.job_key, high))
        keys = [key for key, index in first.items() if self._low <= index < high]
        return {"id_hash": [id_hash(self._jobs.job(key)[0]) for key in keys], "job_key": keys}

    # Entries

    def entries(self, low: int, high: int) -> dict[int, tuple[AcceptedEntry, bytes | None]]:
        """Return entries, each with its bytes where they do not follow from other tables."""
        found: dict[int, tuple[AcceptedEntry, bytes | None]] = {}
        for one in self._observed:
            if low <= one.entry_index < high and one.entry:
                content = encode_entry(one.entry)
                follows = self._follows(one) and leaf_hash(content) == one.leaf
                found[one.entry_index] = one.entry, None if follows else content
        return found

    def no_longer(self) -> dict[int, bytes]:
        """Return older entries that do not follow from other tables, or do not any longer."""
        return {
            one.entry_index: encode_entry(one.entry)
            for one in self._observed
            if one.entry and one.entry_index < self._low and not self._follows(one)
        }

    def _follows(self, one: Observed) -> bool:
        return one.entry_index not in self._superseded and one.job_key not in self._asked


def among(session: Session, sql: str, keys: Sequence[int]) -> Iterable[Row]:
    """Return the rows of a query for some keys, ascending; `AMONG KEYS` stands for them in it."""
    if keys and len(keys) == keys[-1] - keys[0] + 1:
        return session.query(sql.replace("AMONG KEYS", "BETWEEN ? AND ?"), keys[0], keys[-1])
    return session.among(sql, keys)


def _jobs(session: Session, keys: Sequence[int]) -> JobRange:
    work = Work(session, Plan(VerifyOptions(), 0, {}))
    if keys and len(keys) == keys[-1] - keys[0] + 1:
        return JobRange.between(work, keys[0], keys[-1] + 1)
    return JobRange.among(work, keys)


def _task(entry: AcceptedEntry, number: int) -> str | None:
    """Return the name of a task."""
    return entry.tasks[number - 1][0] if 0 < number <= len(entry.tasks) else None


def _repeated(values: dict[str, list[Any]], counts: Sequence[int]) -> Columns:
    """Repeat each value as often as counted."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.compute as pc  # noqa: PLC0415

    if all(count == 1 for count in counts):
        return dict(values)
    offsets = pa.array([0, *accumulate(counts)], pa.int32())
    places = pc.list_parent_indices(pa.ListArray.from_arrays(offsets, pa.nulls(sum(counts))))
    return {name: pa.array(some).take(places) for name, some in values.items()}


def _together(some: Columns, others: Columns) -> Columns:
    """Return the rows of both."""
    if not some or not others:
        return some or others
    return {name: [*_listed(some[name]), *_listed(others[name])] for name in others}


def _listed(values: Any) -> Sequence[Any]:
    listed: Sequence[Any] = values.to_pylist() if hasattr(values, "to_pylist") else values
    return listed
