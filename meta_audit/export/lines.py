"""Export a row per job as JSON lines or CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_audit.render.layout import Screen
from meta_audit.render.rows import write_rows
from meta_audit.store.session import SelectedRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.export.matched import MatchedJobs


def write(jobs: MatchedJobs, format_: str) -> Iterator[bytes]:
    """Yield the rows in `ndjson` or `csv`."""
    return write_rows(SelectedRows(jobs.columns, jobs.rows()), format_, Screen())
