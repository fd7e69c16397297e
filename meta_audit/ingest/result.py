"""What an import did, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from meta_audit.record.batch import Batch
    from meta_audit.record.writer import Written

Status = Literal["complete", "interrupted", "failed"]


@dataclass
class Summary:
    """Counts of one import. Shape of `ingest --format json` (docs/output.md)."""

    import_id: int
    status: Status = "complete"
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
    seconds: float = 0.0
    checkpoint: str = ""
    """The signed note of the checkpoint at its end."""

    def add(self, batch: Batch, written: Written) -> None:
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

    def add_known(self, documents: int) -> None:
        """Count documents whose bytes the store has."""
        self.documents += documents
        self.unchanged += documents

    def shape(self) -> dict[str, object]:
        """The summary as `--format json` prints it (docs/output.md)."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            k: dict(sorted(v.items())) if isinstance(v, Counter) else v for k, v in plain.items()
        }

    def counts(self) -> dict[str, int]:
        """The columns of import_results."""
        names = ("sources", "documents", "new", "changed", "unchanged", "rejected")
        return {name: getattr(self, name) for name in names}
