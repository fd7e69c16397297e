"""Say what an import would do. Nothing is written, and no store is made."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from meta_audit.ingest.chunks import Chunker
from meta_audit.ingest.intake import Intake
from meta_audit.ingest.options import DEFAULT_OPTIONS, Options
from meta_audit.ingest.reread import kept_chunks
from meta_audit.ingest.reread_changes import ChangesIntake
from meta_audit.ingest.signals import Stopper
from meta_audit.record.preview import Preview
from meta_audit.record.source_log import SourceLog
from meta_audit.store.opening import has_store, open_to_read, open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meta_audit.ingest.intake import ImportProgress
    from meta_audit.ingest.result import Counts
    from meta_audit.sources import Discovered
    from meta_audit.store.opening import Store


def dry_run(
    db: str | None,
    found: Iterable[Discovered],
    progress: ImportProgress,
    options: Options = DEFAULT_OPTIONS,
) -> Counts:
    """Read the sources, and count what an import would, without writing.

    The store is looked into if there is one, as an auditor may. Raises what `open_to_read` does.
    The documents and jobs of the run are remembered: about 1 kB for each new job.
    """
    with _opened(db) as store, closing(store.session()) as session:
        stopper = Stopper(store.retry.stopped.set)
        preview = Preview(session)
        chunker = Chunker(preview.known, progress, options.limits, stopper)
        intake = Intake(preview, progress, options, stopper)
        intake.take(chunker.chunks(found), SourceLog(0))
        return intake.counts


def dry_reread(
    db: str | None, progress: ImportProgress, options: Options = DEFAULT_OPTIONS
) -> tuple[Counts, dict[str, dict[str, int]]]:
    """Read kept documents again, and count what `Import.reread` would append, without writing.

    Return also in how many documents each field differs, by kind. Raises what `open_to_read`
    does.
    """
    with closing(open_to_read(db)) as store, closing(store.session()) as session:
        stopper = Stopper(store.retry.stopped.set)
        intake = ChangesIntake(session, Preview(session), progress, options, stopper)
        intake.take(kept_chunks(session, options.limits), SourceLog(0))
        changes = {kind: dict(fields) for kind, fields in intake.changes.items() if fields}
        return intake.counts, changes


@contextmanager
def _opened(db: str | None) -> Iterator[Store]:
    """Open the store; where there is none, an empty one that is removed afterwards."""
    if has_store(db):
        with closing(open_to_read(db)) as store:
            yield store
        return
    with TemporaryDirectory(prefix="meta-audit-") as folder:
        file = str(Path(folder) / "empty.db")
        open_to_write(file).close()
        with closing(open_to_read(file)) as store:
            yield store
