"""Run one import from its first source to its end.

The path of a document: a source is read and cut into chunks (chunks.py), a chunk is decoded,
parsed and flattened to a batch (pool.py, build.py), and a batch is written (intake.py, record).
Batches are written in the order of the documents.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson

from meta_audit.errors import MetaAuditError, StoreError, TransientStoreError
from meta_audit.ingest.chunks import Chunk, Chunker
from meta_audit.ingest.intake import Intake
from meta_audit.ingest.options import DEFAULT_OPTIONS, Options
from meta_audit.ingest.rejected import rejected_chunks
from meta_audit.ingest.reread import kept_chunks
from meta_audit.ingest.result import ImportResult
from meta_audit.ingest.segments import segment_chunks
from meta_audit.ingest.signals import Interrupted, Stopper
from meta_audit.record.aliases import check_alias, withdrawal
from meta_audit.record.checkpoint_log import append_missing, locate
from meta_audit.record.dismissals import check_dismissals
from meta_audit.record.known import Known
from meta_audit.record.runs import actor, begin_import, end_import
from meta_audit.record.sealing import Sealer
from meta_audit.record.signing_key import load_signing_key
from meta_audit.record.source_log import SourceLog
from meta_audit.record.writer import Writer
from meta_audit.sources import display
from meta_audit.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meta_audit.ingest.intake import ImportProgress
    from meta_audit.ingest.result import ImportStatus
    from meta_audit.ingest.segment_folders import KeptSegment
    from meta_audit.record.aliases import Alias
    from meta_audit.sources import Discovered
    from meta_audit.store.opening import Store


FEW_JOBS: Final = 1_000
"""Up to so many new jobs, PostgreSQL needs no new statistics to plan."""


class Import:
    """One run of ingest."""

    def __init__(
        self, store: Store, progress: ImportProgress, options: Options = DEFAULT_OPTIONS
    ) -> None:
        key, self._new_key_file = load_signing_key()
        self._checkpoint_log = locate(options.checkpoint_log, store.file)
        self._session = store.session()
        self._sealer = Sealer(self._session, key)
        self._progress = progress
        self._options = options
        self._stopper = Stopper(store.retry.stopped.set)
        self._intake = Intake(Writer(self._session), progress, options, self._stopper)

    def is_stopping(self) -> bool:
        """Tell whether a signal has come, even one that came too late to stop anything."""
        return self._stopper.is_stopping()

    def run(self, found: Iterable[Discovered], arguments: list[str]) -> ImportResult:
        """Take in all sources.

        Raises `StoreError` where the store fails; then all batches written before it are kept,
        and running the same command again completes the import.
        """
        known, limits = Known(self._session), self._options.limits
        chunker = Chunker(known, self._progress, limits, self._stopper)
        result = self._run(chunker.chunks(found), arguments)
        is_empty = result.status == "complete" and not result.counts.sources
        return replace(result, nothing_found=is_empty)

    def seal(self, segments: Sequence[KeptSegment], arguments: list[str]) -> ImportResult:
        """Take in what was read on other machines.

        Raises as `run` and `segment_chunks` do; then all batches written before it are kept.
        """
        known = Known(self._session)
        return self._run(segment_chunks(segments, known, self._progress), arguments)

    def dismiss(
        self, rejection_ids: Sequence[int], reason: str, arguments: list[str]
    ) -> ImportResult:
        """Dismiss rejections that somebody has looked at: who did, when and why is signed.

        Raises what `check_dismissals` does; then none is dismissed.
        """
        check_dismissals(self._session, rejection_ids, reason)
        return self._run(iter([Chunk(dismissed=tuple(rejection_ids), reason=reason)]), arguments)

    def give_alias(self, alias: Alias, arguments: list[str]) -> ImportResult:
        """Name an identity: who did, when and why is signed. Raises as `check_alias` does."""
        check_alias(self._session, alias)
        return self._run(iter([Chunk(alias=alias)]), arguments)

    def withdraw_alias(self, alias_no: int, reason: str, arguments: list[str]) -> ImportResult:
        """Take back a name of an identity. Raises as `withdrawal` does."""
        alias = withdrawal(self._session, alias_no, reason)
        return self._run(iter([Chunk(alias=alias)]), arguments)

    def retry(self, arguments: list[str]) -> ImportResult:
        """Offer every unresolved rejection again. Raises as `run` does."""
        return self._run(rejected_chunks(self._session), arguments)

    def reread(self, arguments: list[str]) -> ImportResult:
        """Read every kept document again, and append what differs. Raises as `run` does."""
        return self._run(kept_chunks(self._session, self._options.limits), arguments)

    def _run(self, chunks: Iterator[Chunk], arguments: list[str]) -> ImportResult:
        began = time.monotonic()
        said = orjson.dumps([display(one) for one in arguments]).decode()
        import_id = begin_import(self._session, actor(), __version__, said)
        status: ImportStatus = "complete"
        try:
            with self._stopper.installed():
                try:
                    try:
                        self._intake.take(chunks, SourceLog(import_id))
                    finally:
                        self._stopper.hold()
                except Interrupted:
                    status = "interrupted"
                return self._end(import_id, status, began)
        except TransientStoreError:
            raise  # it was waited for long enough: the import stays without an end, and shows so
        except BaseException:
            with suppress(MetaAuditError):
                self._end(import_id, "failed", began, self._options.limits.end_seconds)
            raise
        finally:
            self._session.close()

    def _gather_statistics(self) -> None:
        """Gather statistics after an import that doubled the store: the server may do it late."""
        new = self._intake.counts.new
        with suppress(StoreError):
            jobs = self._session.value("SELECT max(job_key) FROM jobs") if new > FEW_JOBS else None
            if jobs is not None and new * 2 >= jobs:
                self._session.gather_statistics()

    def _end(
        self, import_id: int, status: ImportStatus, began: float, seconds: float | None = None
    ) -> ImportResult:
        """End the import with a checkpoint, and send that out of the store."""
        counts = self._intake.counts
        sealed = end_import(
            self._session, import_id, status, counts.kept(), self._sealer, seconds=seconds
        )
        self._gather_statistics()
        log_error = None
        if self._checkpoint_log:
            try:
                append_missing(self._session, self._checkpoint_log)
            except StoreError as error:
                log_error = error
        return ImportResult(
            import_id,
            status,
            counts,
            round(time.monotonic() - began, 3),
            sealed,
            self._stopper.signal if status == "interrupted" else 0,
            self._new_key_file,
            self._checkpoint_log,
            log_error,
            self._intake.cut_off,
        )
