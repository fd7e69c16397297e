"""Say that an orchestrator no longer has a job, or events of it: a document of our own.

Only `Pull` gives documents the format `absence`. The same fields in a file are no job document.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from meta_audit.errors import RejectedError
from meta_audit.model import Finding, JobRecord
from meta_audit.typed import built

VANISHED: Final = "job.vanished"
CUT: Final = "history.cut"


class Absence(Struct, frozen=True, forbid_unknown_fields=True, rename="pascal", omit_defaults=True):
    """Name one job, or some of its events, that were there."""

    job_id: str = msgspec.field(name="JobID")
    namespace: str
    server: str
    """URL of the list from which the job was pulled."""
    last_seen: str
    """`sha256:` and the hash of the newest document that showed what is gone."""
    events: int = 0
    """Events that its history no longer has; 0 if the job itself is gone."""


def absence_document(absence: Absence) -> bytes:
    """Return the document that says so. The same absence gives the same bytes."""
    return msgspec.json.encode(absence)


def parse_absence(value: Any) -> JobRecord:
    """Return what such a document says. Raises `RejectedError`."""
    try:
        absence = msgspec.convert(value, built(Absence))
    except msgspec.ValidationError as error:
        raise RejectedError("not_a_job", f"no absence of a job: {error}") from error
    if absence.events:
        events = "1 event" if absence.events == 1 else f"{absence.events:,} events"
        detail = f"{absence.server} has {events} no longer; the last one is {absence.last_seen}"
    else:
        detail = f"{absence.server} has it no longer; its newest document is {absence.last_seen}"
    return JobRecord(
        origin="activity",
        layout="",
        job_id=absence.job_id,
        namespace=absence.namespace,
        spec_sha256=b"",
        findings=(Finding(CUT if absence.events else VANISHED, detail),),
    )
