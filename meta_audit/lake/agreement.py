"""Tell which columns of a row do not follow from its entry, its job or its other columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.lake.expected import OF_DOCUMENTS, OF_VERSIONS
from meta_audit.lake.tables import exact_times
from meta_audit.model import ORIGIN_RANK, TRUSTS

if TYPE_CHECKING:
    from meta_audit.lake.store_rows import LakeRow
    from meta_audit.ledger.entry import AcceptedEntry, RejectedEntry

_NAMES_OF_ACTIVITY: Final = ("job_id", "state", "state_message", "revision")
_NAMES: Final = (
    *(*_NAMES_OF_ACTIVITY, "namespace", "name", "type", "origin", "layout"),
    *("priority", "count", "version"),
)
"""Columns of `v_jobs` that are fields of an entry."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ROUNDED: Final = 2
"""Microseconds by which PostgreSQL may round the time of a nanosecond."""


class ToldByEntries(NamedTuple):
    """Hold what a range of entries tells of documents and jobs."""

    accepted: dict[int, AcceptedEntry]
    observed: dict[int, tuple[int, int]]
    """Key and version of the job, by entry."""
    names: dict[int, tuple[str, str]]
    """ID and namespace of jobs, by key."""


def problem(table: str, row: LakeRow, known: ToldByEntries) -> str:
    """Say what of a row does not fit, or nothing."""
    for time, exact in exact_times(table).items():
        if not _same_time(row[time], row[exact]):
            return f"{time} is not the time of {exact}"
    if table in OF_VERSIONS:
        name = known.names.get(row["job_key"])
        return "" if name in (None, (row["job_id"], row["namespace"])) else _other_job(row)
    index = row.get("entry_index")
    entry = None if index is None else known.accepted.get(index)
    if entry is None or table not in (*OF_DOCUMENTS, "v_jobs"):
        return ""
    key, version = known.observed.get(entry_index := row["entry_index"], (None, None))
    named = row["job_id"], row["namespace"]
    is_of_entry = named == (entry.job_id, entry.namespace)
    if named[0] != entry.job_id or (entry.namespace and not is_of_entry):
        return _other_job(row)
    if is_of_entry and row["job_key"] != key and entry_index in known.observed:
        return f"job_key {row['job_key']} is not that of the job"
    if table == "v_uses":
        no = row["task_no"]
        task = entry.tasks[no - 1][0] if no and 0 < no <= len(entry.tasks) else None
        return "" if row["task"] == task else f"task {row['task']!r} is not task {no}"
    if table == "v_jobs" and is_of_entry and row["version_no"] != version:
        return f"version_no {row['version_no']} is not that of the entry"
    return ""


def rejection_problem(row: LakeRow, entry: RejectedEntry) -> str:
    """Say which column of a rejection is not what its entry says, or nothing."""
    said = {
        "reason": entry.reason,
        "message": entry.message,
        "source": entry.source_uri,
        "ordinal": entry.ordinal,
        "line": entry.line,
        "size": entry.size,
        "document_sha256": entry.document.hex(),
    }
    wrong = [column for column, value in said.items() if row[column] != value]
    return f"{wrong[0]} is not {said[wrong[0]]!r}" if wrong else ""


def says(entry: AcceptedEntry, row: LakeRow) -> bool:
    """Tell whether a row of `v_jobs` is what an entry says."""
    names = _NAMES if entry.spec_sha256 else _NAMES_OF_ACTIVITY
    who = (
        (row[role], row[f"{role}_trust"], row[f"{role}_verdict"]) == _best(entry, role)
        for role in ("client", "requester")
    )
    times = row["created_ns"] == entry.created_at, row["modified_ns"] == entry.modified_at
    same = [(row[n] or type(getattr(entry, n))()) == getattr(entry, n) for n in names]
    return all(same) and all(times) and all(who)


def _best(entry: AcceptedEntry, role: str) -> tuple[str | None, str | None, str | None]:
    """Return who is named best in a role, with trust and verdict, as `v_jobs` shows it."""
    ranks = {trust: rank for rank, trust in enumerate(TRUSTS)}
    ranked = [
        (ranks.get(trust, len(ranks)), basis, value, verdict, trust)
        for of, value, basis, trust, verdict in entry.attributions
        if of == role
    ]
    if not ranked:
        return None, None, None
    _, _, value, verdict, trust = min(ranked)
    return value, trust, verdict


def rank(row: LakeRow) -> tuple[int, int, int, int]:
    """Return what the newest document of a job is chosen by."""
    return (
        ORIGIN_RANK.get(row["origin"], 0),
        row["version"] or 0,
        row["modified_ns"] or 0,
        row["revision"] or 0,
    )


def _other_job(row: LakeRow) -> str:
    return f"{row['job_id']!r} in namespace {row['namespace']!r} is not the job"


def _same_time(time: datetime | None, exact: int | None) -> bool:
    if time is None or exact is None:
        return time is None and exact is None
    return abs((time - _EPOCH) // _MICROSECOND - exact // 1000) <= _ROUNDED
