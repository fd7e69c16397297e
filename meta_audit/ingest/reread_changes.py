"""Count which fields of kept documents another reading changes, by kind."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from meta_audit.ingest.build import first_reading
from meta_audit.ingest.intake import Intake
from meta_audit.ledger.entry import AcceptedEntry, accepted_entry, decode_entry
from meta_audit.record.batch import NO_ENTRY
from meta_audit.verify.checks.jobs import JobRange
from meta_audit.verify.outcome import VerifyOptions
from meta_audit.verify.work import Plan, Work

if TYPE_CHECKING:
    from meta_audit.ingest.chunks import Chunk
    from meta_audit.ingest.intake import ImportProgress
    from meta_audit.ingest.options import Options
    from meta_audit.ingest.signals import Stopper
    from meta_audit.record.batch import Batch
    from meta_audit.record.preview import Preview
    from meta_audit.record.source_log import SourceLog
    from meta_audit.store.session import Session

KINDS: Final = {
    "identity": ("job_id", "namespace", "attributions"),
    "meta": ("meta", "labels"),
    "spec": (
        *("origin", "layout", "spec_sha256", "name", "type", "priority", "count", "version"),
        *("created_at", "tasks"),
    ),
    "state": ("state", "state_message", "revision", "modified_at"),
    "activity": ("executions", "events"),
    "uses": ("used",),
    "findings": ("findings",),
}
"""Fields of an entry by kind."""


class ChangesIntake(Intake):
    """Take in documents that are read again, and compare each with what the store has of it."""

    def __init__(
        self,
        session: Session,
        preview: Preview,
        progress: ImportProgress,
        options: Options,
        stopper: Stopper,
    ) -> None:
        super().__init__(preview, progress, options, stopper)
        self._work = Work(session, Plan(VerifyOptions(), 0, {}))
        self.changes: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        """Documents by kind and field."""

    def _write(self, chunk: Chunk, batch: Batch, log: SourceLog) -> None:
        super()._write(chunk, batch, log)
        accepted = batch.accepted
        changed = [
            place
            for place, entry in zip(accepted.place, accepted.supersedes, strict=True)
            if entry != NO_ENTRY
        ]
        if changed:
            self._compare(chunk, changed)

    def _compare(self, chunk: Chunk, places: list[int]) -> None:
        keys = [chunk.job_keys[place] for place in places]
        old = JobRange.among(self._work, sorted(set(keys))).entries()
        for place in places:
            offer = chunk.offered[place]
            new = first_reading(offer)
            if new is None or offer.supersedes not in old:
                continue
            where = offer.uri, offer.document.ordinal, offer.document.line
            entry = decode_entry(accepted_entry(offer.sha256, new, *where))
            self._count(decode_entry(old[offer.supersedes]), entry)

    def _count(self, was: object, now: object) -> None:
        if not (isinstance(was, AcceptedEntry) and isinstance(now, AcceptedEntry)):
            return
        for kind, fields in KINDS.items():
            differs = [name for name in fields if getattr(was, name) != getattr(now, name)]
            self.changes[kind].update(differs)
