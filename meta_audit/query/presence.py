"""Tell which of many jobs or documents the store has."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from meta_audit.answer import Answer
from meta_audit.nul import escape_nul, shorten_name
from meta_audit.query.texts import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from meta_audit.store.session import Session

PRESENCE_FORMAT: Final = "meta-audit/has/1"
AT_ONCE: Final = 10_000
"""Jobs or documents that are looked up at a time."""

_JOBS: Final = """
    SELECT j.job_id, max(CASE WHEN EXISTS (
        SELECT 1 FROM job_versions v WHERE v.job_key = j.job_key) THEN 1 ELSE 0 END)
    FROM jobs j WHERE j.job_id AMONG KEYS GROUP BY j.job_id"""
_DOCUMENTS: Final = "SELECT sha256 FROM documents WHERE substr(sha256, 1, 8) AMONG KEYS"
_REJECTIONS: Final = "SELECT DISTINCT sha256 FROM rejections WHERE sha256 AMONG KEYS"

Presence = Literal["document", "job", "rejected", "activity", "missing"]


class Asked(NamedTuple):
    """Ask for a job, or for a document of one."""

    line: int
    job_id: Callable[[], str]
    """Read the ID of the job, which takes time for a document; empty if there is none."""
    sha256: bytes = b""
    """Of a document; empty if only the job is asked for."""


class AskedFor(Answer, frozen=True):
    """Say if the store has a job or a document."""

    line: int
    job_id: str
    document_sha256: str
    """Empty if only the job was asked for."""
    found: Presence
    """`document`: these very bytes. `job`: the job; of a document, other documents of its job.
    `rejected`: these bytes were not accepted. `activity`: only executions or events of the job."""

    @property
    def is_here(self) -> bool:
        """Tell if the store has what was asked for: the document, or else the job."""
        return self.found == ("document" if self.document_sha256 else "job")


class AskedForMany(Answer, frozen=True):
    """Say which of many jobs or documents the store has."""

    format: str
    asked: int
    missing: int
    """Number of those that are not here."""
    rows: tuple[AskedFor, ...]
    """In the order in which they were asked for."""


def presence(
    session: Session, asked: Iterable[Asked], *, only_missing: bool = False
) -> AskedForMany:
    """Look up jobs by their whole ID, and documents by their SHA-256."""
    rest = iter(asked)
    rows: list[AskedFor] = []
    number = missing = 0
    while some := list(islice(rest, AT_ONCE)):
        number += len(some)
        for row in _look_up(session, some, only_missing=only_missing):
            missing += not row.is_here
            if not (only_missing and row.is_here):
                rows.append(row)
    return AskedForMany(PRESENCE_FORMAT, number, missing, tuple(rows))


def _look_up(session: Session, asked: Sequence[Asked], *, only_missing: bool) -> Iterator[AskedFor]:
    digests = sorted({one.sha256 for one in asked if one.sha256})
    starts = sorted({digest[:8] for digest in digests})
    kept = {bytes(row[0]) for row in session.among(_DOCUMENTS, starts)}
    refused = {bytes(row[0]) for row in session.among(_REJECTIONS, digests)}
    rest = [one for one in asked if not (only_missing and one.sha256 in kept)]
    ids = [one.job_id() for one in rest]
    names = {job_id: shorten_name(escape_nul(job_id)) for job_id in ids if storable(job_id)}
    jobs: dict[str, int] = dict(session.among(_JOBS, sorted(names.values())))
    for one, job_id in zip(rest, ids, strict=True):
        found: Presence
        if one.sha256 in kept:
            found = "document"
        elif one.sha256 in refused:
            found = "rejected"
        else:
            has_version = jobs.get(names.get(job_id, ""))
            found = "missing" if has_version is None else "job" if has_version else "activity"
        yield AskedFor(one.line, job_id, one.sha256.hex(), found)
