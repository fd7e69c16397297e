"""Know which jobs have come to rest, so that following a server need not ask for them again.

A job's last execution may end a moment after the job, which does not modify the job. So the parts
of a job are read again until the job has been the same for a while.
"""

from __future__ import annotations

import time
from typing import Final

from meta_audit.sources.orchestrator.job_list import Element

FINAL_STATES: Final = frozenset({"Completed", "Failed", "Stopped", "Cancelled"})
"""States that a job does not leave by itself."""


class Settling:
    """Remember since when each job that may be shown again has been as it is."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[int, float] = {}
        self._now: dict[int, float] = {}
        """The same, of those that this pull shows."""

    def begin(self) -> None:
        """Begin a pull: forget the jobs that the last one did not show."""
        self._since, self._now = self._now, {}

    def is_settled(self, job: Element) -> bool:
        """Tell whether the parts of a job were read after it had come to rest.

        If not, they have to be read now.
        """
        key, now = hash(job.item.content), time.monotonic()
        since = self._since.get(key, now)
        if job.state not in FINAL_STATES:
            return False
        is_settled = since < 0
        self._now[key] = -1.0 if now - since > self._seconds else since
        return is_settled
