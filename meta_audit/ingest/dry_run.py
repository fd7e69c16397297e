"""Read sources as an import does, and write nothing."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from meta_audit.ingest.build import build
from meta_audit.ingest.chunks import Chunker
from meta_audit.ingest.options import DEFAULT_OPTIONS, Options
from meta_audit.ingest.result import Counts
from meta_audit.ingest.signals import Stopper
from meta_audit.record.known import Known, KnownSource, Torn
from meta_audit.record.source_log import SourceEnded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meta_audit.ingest.run import ImportProgress
    from meta_audit.sources import Found
    from meta_audit.store.opening import Store

DRY_RUN_FORMAT: Final = "meta-audit/dry-run/1"


class DryRun(Struct, frozen=True):
    """Counts of what an import of the same sources would do."""

    format: str
    sources: int
    """Sources read, refused ones included."""
    refused: int
    truncated: int
    """Sources that end too early."""
    partial: int
    """Sources that say of themselves that there is more."""
    skipped: int
    documents: int
    """The sum of the next three."""
    known: int
    """Documents whose bytes the store has."""
    accepted: int
    rejected: int
    """Also those that were rejected before."""
    reasons: dict[str, int]
    findings: dict[str, int]

    @property
    def needs_attention(self) -> bool:
        """Tell whether the import would report something."""
        return bool(self.rejected or self.truncated or self.partial or not self.sources)


class _Nothing(Known):
    """What is known without a store."""

    def __init__(self) -> None:
        pass

    def documents(self, digests: Sequence[bytes]) -> set[bytes]:  # noqa: ARG002
        return set()

    def has_source_of_size(self, size: int) -> bool:  # noqa: ARG002
        return False

    def source(self, sha256: bytes, size: int) -> KnownSource | None:  # noqa: ARG002
        return None

    def torn(self, uri: str) -> list[Torn]:  # noqa: ARG002
        return []


def dry_run(
    store: Store | None,
    found: Iterable[Found],
    progress: ImportProgress,
    options: Options = DEFAULT_OPTIONS,
) -> DryRun:
    """Read, decode and parse all sources, and count. Raises `StoreError`.

    Without a store, no document is known.
    """
    counts, ended = Counts(), Counter[str]()
    accepted = 0
    with store.snapshot() if store else nullcontext() as session:
        known = Known(session) if session else _Nothing()
        chunker = Chunker(known, progress, options.limits, Stopper(lambda: None))
        for chunk in chunker.chunks(found):
            batch = build(
                chunk.offered, coerce_scalars=options.coerce_scalars, training_bytes=sys.maxsize
            )
            counts.skipped += chunk.skipped
            counts.add_events(chunk.events)
            ended.update(e.status for e in chunk.events if isinstance(e, SourceEnded))
            counts.documents += len(batch)
            accepted += len(batch.accepted)
            counts.rejected += len(batch.rejected)
            counts.reasons.update(one.rejection.reason for one in batch.rejected)
            counts.findings.update(finding[2] for finding in batch.findings)
            progress.wrote(counts)
    return DryRun(
        DRY_RUN_FORMAT,
        counts.sources,
        counts.refused,
        ended["truncated"],
        ended["partial"],
        counts.skipped,
        counts.documents,
        counts.unchanged,
        accepted,
        counts.rejected,
        dict(sorted(counts.reasons.items())),
        dict(sorted(counts.findings.items())),
    )
