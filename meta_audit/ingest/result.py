"""Count what an import does, and say how it ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from meta_audit.record.source_log import SourceBegan, SourceEnded, SourceRead

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from meta_audit.errors import StoreError
    from meta_audit.record.batch import Batch
    from meta_audit.record.sealing import Sealed
    from meta_audit.record.source_log import SourceEvent
    from meta_audit.record.writer import Written

Status = Literal["complete", "interrupted", "failed"]


@dataclass
class Counts:
    """Counts of one import, so far."""

    sources: int = 0
    """Sources read, refused ones included."""
    refused: int = 0
    """Sources that could not be read."""
    skipped: int = 0
    """Files that are no documents."""
    documents: int = 0
    """Documents offered: new + changed + unchanged + rejected."""
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    """Jobs added to the store."""
    meta_pairs: int = 0
    """Meta pairs added to the store, at job and task level."""

    def add_events(self, events: Iterable[SourceEvent]) -> None:
        """Count what happened to sources."""
        for event in events:
            if isinstance(event, SourceBegan):
                self.sources += 1
            elif isinstance(event, SourceRead):
                self.documents += event.known
                self.unchanged += event.known
            elif isinstance(event, SourceEnded):
                self.refused += event.status == "refused"

    def add_batch(self, batch: Batch, written: Written) -> None:
        """Count a batch that was written."""
        self.documents += len(batch)
        self.new += written.changes["new"]
        self.changed += written.changes["changed"]
        self.unchanged += written.changes["unchanged"]
        self.rejected += len(written.rejected)
        self.reasons.update(d.rejection.reason for d in written.rejected)
        self.findings.update(written.findings)
        self.jobs += written.jobs
        self.meta_pairs += written.meta_pairs

    def columns(self) -> dict[str, int]:
        """Return the counts that import_results keeps."""
        names = ("sources", "documents", "new", "changed", "unchanged", "rejected")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class ImportResult:
    """How an import ended."""

    import_id: int
    status: Status
    counts: Counts
    seconds: float
    sealed: Sealed
    """The checkpoint at its end."""
    signal: int = 0
    """The signal that stopped the import; 0 for none, or one that came too late."""
    new_key_file: Path | None = None
    """The signing key, if this import made it."""
    checkpoint_log: Path | None = None
    """The file of checkpoints outside the database."""
    log_error: StoreError | None = None
    """Why the checkpoint could not be appended to that file."""

    def shape(self) -> dict[str, object]:
        """Return the result as `--format json` prints it (docs/output.md)."""
        counts = {
            name: dict(sorted(value.items())) if isinstance(value, Counter) else value
            for name, value in vars(self.counts).items()
        }
        return {
            "import_id": self.import_id,
            "status": self.status,
            **counts,
            "seconds": self.seconds,
            "checkpoint": self.sealed.note,
        }
