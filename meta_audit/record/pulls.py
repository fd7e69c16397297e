"""Find how far earlier pulls from a server came.

The arguments of an import hold the time of modification up to which it was to read. That holds
once the import is complete and its source was not refused: then all its data is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.store.session import Session

_AT_ONCE: Final = 500
_COMPLETE: Final = """
    SELECT i.import_id, i.started_at, i.arguments FROM imports i
    JOIN import_results r ON r.import_id = i.import_id
    WHERE i.import_id < ? AND i.arguments LIKE '["pull",%' AND r.status = 'complete'
    ORDER BY i.import_id DESC LIMIT ?"""
_REFUSED: Final = """
    SELECT s.import_id FROM sources s JOIN source_results r ON r.source_id = s.source_id
    WHERE r.status = 'refused' AND r.message NOT LIKE 'server.gaps:%' AND s.import_id AMONG KEYS"""
_HELD_AT_ONCE: Final = 5_000
_HELD: Final = f"""
    SELECT c.job_key, j.job_id, c.namespace, d.sha256 FROM current_jobs c
    JOIN jobs j ON j.job_key = c.job_key
    JOIN documents d ON d.document_id = c.document_id
    WHERE c.job_key > ? AND c.origin = 'orchestrator'
        AND EXISTS (
            SELECT 1 FROM observations o JOIN sources s ON s.source_id = o.source_id
            WHERE o.job_key = c.job_key AND o.version_no > 0 AND s.uri = ?)
        AND NOT EXISTS (
            SELECT 1 FROM findings f WHERE f.job_key = c.job_key AND f.code = 'job.vanished'
                AND f.document_id > c.document_id)
    ORDER BY c.job_key LIMIT {_HELD_AT_ONCE}"""  # noqa: S608
_EVENTS: Final = """
    SELECT j.job_id, e.time, e.kind, e.execution_id, d.sha256, s.uri
    FROM jobs j
    JOIN observations o ON o.job_key = j.job_key AND o.version_no = 0
    JOIN job_events e ON e.job_key = o.job_key AND e.document_id = o.document_id
    JOIN documents d ON d.document_id = e.document_id
    JOIN sources s ON s.source_id = o.source_id
    WHERE j.job_id AMONG KEYS ORDER BY e.document_id"""
_THROUGH: Final = "through="
_SWEEP: Final = "--full"


class EarlierPulls(NamedTuple):
    """The reach of the pulls of one list of jobs."""

    through: int | None = None
    """Time of modification, ns, up to which everything was read; None: nothing was."""
    swept_at: int = 0
    """When the last pull that read the whole list began, ns; 0 for never."""


class HeldJob(NamedTuple):
    """A job that came from a server, and that is not known to be gone from there."""

    job_key: int
    job_id: str
    """As the store has it (`nul.escape_nul`, `nul.shorten_name`)."""
    namespace: str
    sha256: bytes
    """Of its newest document."""


def held_jobs(session: Session, uri: str, after: int) -> list[HeldJob]:
    """Return the next jobs that were pulled from this list, after the one with a key."""
    return [
        HeldJob(job_key, job_id, namespace, bytes(digest))
        for job_key, job_id, namespace, digest in session.query(_HELD, after, uri)
    ]


def held_events(
    session: Session, uri: str, job_ids: Sequence[str]
) -> dict[str, dict[tuple[int | None, str, str], bytes]]:
    """Return the events that came from this list, by job; IDs are as the store has them.

    Time, kind and execution of each, with the SHA-256 of the document that shows it.
    """
    found: dict[str, dict[tuple[int | None, str, str], bytes]] = {}
    for job_id, time, kind, execution_id, digest, source in session.among(_EVENTS, job_ids):
        if source == uri:
            found.setdefault(job_id, {})[time, kind, execution_id] = bytes(digest)
    return found


def pull_arguments(uri: str, through: int, *, is_sweep: bool) -> list[str]:
    """Return the arguments of an import that pulls, as `earlier_pulls` finds them."""
    return ["pull", uri, *([_SWEEP] if is_sweep else []), f"{_THROUGH}{through}"]


def earlier_pulls(session: Session, uri: str) -> EarlierPulls:
    """Return how far the pulls came that the store holds, the newest first."""
    through, before = None, 1 << 62
    while found := session.query(_COMPLETE, before, _AT_ONCE):
        before = found[-1][0]
        refused = {row[0] for row in session.among(_REFUSED, sorted(row[0] for row in found))}
        for import_id, started_at, said in found:
            arguments = msgspec.json.decode(said, type=list[str])
            if import_id in refused or arguments[1:2] != [uri]:
                continue
            if through is None:
                through = _through(arguments)
            if _SWEEP in arguments:
                return EarlierPulls(through, started_at)
    return EarlierPulls()


def _through(arguments: list[str]) -> int:
    given = [a.removeprefix(_THROUGH) for a in arguments if a.startswith(_THROUGH)]
    return int(given[0]) if given else 0
