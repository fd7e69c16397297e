"""Export OpenLineage run events, a line each: the start of a job, and the newest state seen.

https://openlineage.io/spec/2-0-2/OpenLineage.json. Datasets are named as OpenLineage's
spec/Naming.md says. The facet `metaAudit` says who sent the job, how we know, and which document
shows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from meta_audit.render.json import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.export.matched import MatchedJobs

Uses = Sequence[tuple[str, str, str]]
"""Kind, type and place of what a job reads and writes."""
PRODUCER: Final = "urn:meta-audit"
SCHEMA: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACET_SCHEMA: Final = "urn:meta-audit:openlineage-facet:1"
_RUNS: Final = UUID("5a5f0f4e-5b0e-5e0c-9a4d-6d6574612d61")
"""Namespace of the IDs of runs whose job has no UUID."""
_UUID: Final = re.compile(r"(?:j-)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_ENDS: Final = {
    "completed": "COMPLETE",
    "failed": "FAIL",
    "error": "FAIL",
    "running": "RUNNING",
    "stopped": "ABORT",
    "cancelled": "ABORT",
    "canceled": "ABORT",
}
"""State of a job in lower case: the event that it is; others are OTHER."""
_FACET: Final = (
    *("job_id", "namespace", "state", "client", "client_trust", "client_verdict"),
    *("requester", "requester_trust", "requester_verdict", "entry_index", "document"),
)


def write(jobs: MatchedJobs, _: str) -> Iterator[bytes]:
    """Yield the events. A job without any time gives none."""
    for batch in jobs.facts():
        storage = jobs.storage(batch)
        for job in batch:
            events = list(_events(job, storage[job["job_key"]]))
            jobs.left_out += not events
            yield from events


def _events(job: dict[str, Any], uses: Uses) -> Iterator[bytes]:
    started = job["created_at"]
    seen = job["modified_at"] or started
    if started:
        yield _event("START", started, job, uses)
    if seen and job["state"]:
        yield _event(_ENDS.get(job["state"].lower(), "OTHER"), seen, job, uses)


def _event(kind: str, time: str, job: dict[str, Any], uses: Uses) -> bytes:
    match = _UUID.fullmatch(job["job_id"])
    run_id = match[1] if match else str(uuid5(_RUNS, f"{job['namespace']}\0{job['job_id']}"))
    facet = {"_producer": PRODUCER, "_schemaURL": FACET_SCHEMA}
    facet |= {name: job[name] for name in _FACET if job.get(name) is not None}
    return to_json(
        {
            "eventType": kind,
            "eventTime": time,
            "run": {"runId": run_id, "facets": {"metaAudit": facet}},
            "job": {"namespace": job["namespace"], "name": job["name"] or job["job_id"]},
            "inputs": _datasets(uses, "input"),
            "outputs": _datasets(uses, "result") or _datasets(uses, "output"),
            "producer": PRODUCER,
            "schemaURL": SCHEMA,
        },
        indent=0,
    )


def _datasets(uses: Uses, kind: str) -> list[dict[str, str]]:
    """Return the places that a job reads or writes, each once."""
    found = dict.fromkeys(
        _dataset(type_.lower(), place)
        for of, type_, place in uses
        if of == kind and place and type_.lower() != "inline"
    )
    return [{"namespace": namespace, "name": name} for namespace, name in found]


def _dataset(type_: str, place: str) -> tuple[str, str]:
    """Return namespace and name of a dataset."""
    scheme, mark, rest = place.partition("://")
    if mark:
        host, _, path = rest.partition("/")
        return f"{scheme}://{host}", path or "/"
    return "file" if type_ == "localdirectory" else type_, place
