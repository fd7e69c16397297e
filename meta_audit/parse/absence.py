"""Say that an orchestrator no longer has a job: a document of our own, made by a pull.

Only `Pull` gives documents the format `absence`. The same fields in a file are no job document.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from meta_audit.errors import RejectedError
from meta_audit.model import Finding, JobRecord

CODE: Final = "job.vanished"


class Absence(Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    """One job that was there."""

    job_id: str = msgspec.field(name="JobID")
    namespace: str
    server: str
    """URL of the list that no longer shows it, and whose server answers 404 for it."""
    last_seen: str
    """`sha256:` and the hash of the document that showed its newest state."""


def absence_document(absence: Absence) -> bytes:
    """Return the document that says so. The same absence gives the same bytes."""
    return msgspec.json.encode(absence)


def parse_absence(value: Any) -> JobRecord:
    """Return what such a document says. Raises `RejectedError`."""
    try:
        absence = msgspec.convert(value, Absence)
    except msgspec.ValidationError as error:
        raise RejectedError("not_a_job", f"no absence of a job: {error}") from error
    detail = f"{absence.server} has it no longer; its newest document is {absence.last_seen}"
    return JobRecord(
        origin="activity",
        layout="",
        job_id=absence.job_id,
        namespace=absence.namespace,
        spec_sha256=b"",
        findings=(Finding(CODE, detail),),
    )
