"""Take chunks in: build a batch of each, write it, and count it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from meta_audit.collector import without_collector
from meta_audit.ingest.chunks import Chunk, Reporter
from meta_audit.ingest.pool import Builder
from meta_audit.ingest.result import Counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.ingest.options import Options
    from meta_audit.ingest.signals import Stopper
    from meta_audit.record.batch import Batch
    from meta_audit.record.source_log import SourceLog
    from meta_audit.record.writer import Writer


class ImportProgress(Reporter, Protocol):
    """Hear how the import goes on."""

    def wrote(self, counts: Counts) -> None:
        """Report that a batch was written."""


class Intake:
    """Take in the chunks of one run, in their order."""

    def __init__(
        self, writer: Writer, progress: ImportProgress, options: Options, stopper: Stopper
    ) -> None:
        self._writer = writer
        self._progress = progress
        self._options = options
        self._stopper = stopper
        self.counts = Counts()
        self.cut_off = ""
        """The source that a signal cut off, and that cannot be read again."""

    def take(self, chunks: Iterator[Chunk], log: SourceLog) -> None:
        """Take in all chunks. A signal stops it between two transactions."""
        builder = Builder(self._writer.newest_dictionary(), self._options, self._stopper)
        with without_collector(), closing(builder.batches(chunks)) as batches:
            for chunk, batch in batches:
                with self._stopper.holding():
                    self._write(chunk, batch, log)

    def _write(self, chunk: Chunk, batch: Batch, log: SourceLog) -> None:
        log.apply(chunk.events)
        written = self._writer.write(batch, log, chunk.dismissed, chunk.reason, chunk.alias)
        self.cut_off = chunk.cut_off
        self.counts.skipped += chunk.skipped
        self.counts.add_events(chunk.events)
        self.counts.add_batch(batch, written)
        self._progress.wrote(self.counts)
