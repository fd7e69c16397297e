"""Which lists Bacalhau wraps around jobs, and how such a page is told from a job itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meta_audit.model import LIST_FIELDS

JOB_FIELDS: Final = frozenset(
    {
        "apiversion",
        "data",
        "engine",
        "id",
        "job",
        "job_create_payload",
        "jobid",
        "meta",
        "metadata",
        "name",
        "payload",
        "spec",
        "tasks",
    }
)
"""Fields that make an object one record, whatever lists stand beside them.

`{Job, State, Events, History}` of v1.0 is one job with its activity, and no page.
"""


def is_page(fields: Iterable[tuple[str, bool]]) -> bool:
    """Whether an object with these fields is a page of records: its elements are cut out.

    `fields`: the name of each, and whether its value is an array (or null, as Go writes an
    array that has no elements).
    """
    found = False
    for name, is_array in fields:
        folded = name.lower()
        if folded in JOB_FIELDS:
            return False
        found = found or (is_array and folded in LIST_FIELDS)
    return found
