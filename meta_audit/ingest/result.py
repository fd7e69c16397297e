"""Count what an import does, and say how it ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from meta_audit.record.source_log import SourceBegan, SourceEnded, SourceRead
from meta_audit.schema.tables import columns

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from meta_audit.errors import StoreError
    from meta_audit.record.batch import Batch
    from meta_audit.record.sealing import Sealed
    from meta_audit.record.source_log import SourceEvent
    from meta_audit.record.writer import Written

ImportStatus = Literal["complete", "interrupted", "failed"]


@dataclass
class Counts:
    """Counts of one import, so far."""

    sources: int = 0
    """Sources read, refused ones, archives and their members included."""
    archives: int = 0
    """Those of the sources that are archives."""
    refused: int = 0
    """Sources that could not be read."""
    known_sources: int = 0
    """Sources that were read before and brought nothing new: they leave no rows."""
    truncated: int = 0
    """Sources that end too early. Like `partial`, counted only when their bytes are new."""
    partial: int = 0
    """Sources that say of themselves that there is more."""
    skipped: int = 0
    """Files that are no documents."""
    documents: int = 0
    """Documents offered: new + changed + unchanged + rejected + known_rejected."""
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    """Documents rejected that are new to look at."""
    known_rejected: int = 0
    """Documents rejected before, from a source of the same name, for the same reason."""
    dismissed: int = 0
    """Rejections dismissed."""
    reread: int = 0
    """Kept documents that say something else now: each gets a new reading."""
    reasons: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    """Jobs added to the store: those that `find` lists."""
    meta_pairs: int = 0
    """Meta pairs added to the store, at job and task level."""

    def add_events(self, events: Iterable[SourceEvent]) -> None:
        """Count what happened to sources."""
        for event in events:
            if isinstance(event, SourceBegan):
                self.sources += event.is_counted
                self.archives += event.is_archive
            elif isinstance(event, SourceRead):
                self.documents += event.known
                self.unchanged += event.known
            elif isinstance(event, SourceEnded):
                self.refused += event.status == "refused"

    def add_batch(self, batch: Batch, written: Written) -> None:
        """Count a batch that was written."""
        self.documents += len(batch) + batch.unchanged
        self.new += written.changes["new"]
        self.changed += written.changes["changed"]
        self.unchanged += written.changes["unchanged"] + batch.unchanged
        self.rejected += len(written.rejected)
        self.known_rejected += len(written.known_rejected)
        self.dismissed += written.dismissed
        self.reread += written.reread
        self.known_sources += written.sources["repeated"]
        self.truncated += written.sources["truncated"]
        self.partial += written.sources["partial"]
        self.reasons.update(d.rejection.reason for d in written.rejected)
        self.findings.update(written.findings)
        self.jobs += written.jobs
        self.meta_pairs += written.meta_pairs

    @property
    def needs_attention(self) -> bool:
        """Tell whether there is something new to look at. Rejections of before are not new."""
        return bool(self.rejected or self.truncated or self.partial)

    def kept(self) -> dict[str, int]:
        """Return the counts that import_results keeps."""
        return {name: getattr(self, name) for name in columns("import_results")[3:]}


@dataclass(frozen=True)
class ImportResult:
    """Tell how an import ended."""

    import_id: int
    status: ImportStatus
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
    cut_off: str = ""
    """The source that a signal cut off, and that cannot be read again: what came is saved."""

    nothing_found: bool = False
    """There was no source at all: a directory may be empty, or not mounted."""

    @property
    def needs_attention(self) -> bool:
        """Tell whether there is something new to look at."""
        return self.counts.needs_attention or self.nothing_found

    def shape(self) -> dict[str, object]:
        """Return the result as `--format json` prints it (docs/output.md)."""
        return {
            "import_id": self.import_id,
            "status": self.status,
            **plain(self.counts),
            "seconds": self.seconds,
            "checkpoint": self.sealed.note,
        }


def plain(counts: Counts) -> dict[str, object]:
    """Return counts as JSON has them."""
    return {
        name: dict(sorted(value.items())) if isinstance(value, Counter) else value
        for name, value in vars(counts).items()
    }
