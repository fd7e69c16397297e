"""Check the rows of jobs as they are now: compute them again, and name what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.schema.current_jobs import COLUMNS, current_jobs
from meta_audit.verify.outcome import Check

if TYPE_CHECKING:
    from meta_audit.verify.work import Work

_GREATEST: Final = 2**63 - 1
_NAMES: Final = ", ".join(COLUMNS)
_KEPT: Final = f"SELECT {_NAMES} FROM current_jobs WHERE job_key BETWEEN ? AND ?"  # noqa: S608
_EXPECTED: Final = current_jobs("BETWEEN ? AND ?")


def check_current(work: Work, low: int, high: int) -> None:
    """Compare the rows of jobs from `low` to below `high` with those that follow from the facts."""
    query = work.session.query
    last = high - (high < _GREATEST)
    expected = {row[0]: row for row in query(_EXPECTED, low, last)}
    for row in query(_KEPT, low, last):
        wanted = expected.pop(row[0], None)
        if wanted is None:
            _add(work, "added", row[0], "is not there in the facts")
        elif tuple(wanted) != tuple(row):
            differences = [
                f"{name} is {found!r:.40}, not {right!r:.40}"
                for name, found, right in zip(COLUMNS, row, wanted, strict=True)
                if found != right
            ]
            _add(work, "edited", row[0], "; ".join(differences))
    for job_key in expected:
        _add(work, "missing", job_key, "has no row")


def _add(work: Work, kind: str, job_key: int, what: str) -> None:
    detail = f"current_jobs: job {job_key} {what}"
    work.damages.add(Check.DERIVED, kind, detail, job=work.job_id(job_key))  # type: ignore[arg-type]
