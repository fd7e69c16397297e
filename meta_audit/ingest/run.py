"""One import from its first source to its end.

Reading, hashing and writing happen here; decoding and parsing here too, or in other
processes. Batches are written in the order of the documents.
"""

from __future__ import annotations

import gc
import getpass
import multiprocessing
import os
import signal
import socket
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Final, Protocol

import orjson

from meta_audit import __version__
from meta_audit.errors import MetaAuditError, ProcessError, StoreError, TransientStoreError
from meta_audit.ingest.build import build, build_packed, pack, unpack
from meta_audit.ingest.chunks import Chunk, Chunker, Reporter
from meta_audit.ingest.rejected import rejected_chunks
from meta_audit.ingest.result import Summary
from meta_audit.record.batch import Batch
from meta_audit.record.checkpoint_log import append_missing
from meta_audit.record.checkpoint_log import locate as checkpoint_log_path
from meta_audit.record.runs import (
    KnownSource,
    SourceLog,
    begin_import,
    end_import,
    has_source_of_size,
    known_source,
)
from meta_audit.record.sealing import Sealer
from meta_audit.record.signing_key import load_signing_key
from meta_audit.record.writer import Writer
from meta_audit.sources import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from meta_audit.record.sealing import Sealed
    from meta_audit.sources import Found, Source
    from meta_audit.store.opening import Store

    _Pending = tuple[Chunk, Callable[[], Batch]]

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
END_SECONDS: Final = 5.0
"""How long the end of an import that failed is tried to be written."""


class Interrupted(BaseException):
    """A signal asked the import to stop while nothing was being written."""


class ImportProgress(Reporter, Protocol):
    """Is told how the import goes on."""

    def wrote(self, summary: Summary) -> None:
        """A batch was written."""


class Stopper:
    """Turns the first SIGINT or SIGTERM into an orderly stop, never within a transaction."""

    def __init__(self, give_up: Callable[[], None]) -> None:
        self.signal = 0
        self._holding = False
        self._give_up = give_up

    def handle(self, number: int, _: FrameType | None) -> None:
        """Stop now where that is safe, else after the transaction, and wait for no server."""
        self.signal = self.signal or number
        if not self._holding:
            raise Interrupted
        self._give_up()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Listen to the signals. After the first one the process ends: more are ignored."""
        before = {number: signal.signal(number, self.handle) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if self.signal else handler)

    def hold(self) -> None:
        """Signals wait from here on."""
        self._holding = True

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Signals wait until what is done here is done."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self.signal:
            raise Interrupted


class Import:
    """One run of ingest."""

    sealed: Sealed | None = None
    """The checkpoint that the import ended with."""
    log_error: StoreError | None = None
    """Why it could not be appended to the file of checkpoints."""

    def __init__(
        self,
        store: Store,
        progress: ImportProgress,
        *,
        jobs: int,
        coerce_scalars: bool,
        checkpoint_log: str | None = None,
    ) -> None:
        key, self.new_key_file = load_signing_key()
        self.checkpoint_log = checkpoint_log_path(checkpoint_log, store.file)
        self._bulk = store.session()
        self._sealer = Sealer(self._bulk, key)
        self._writer = Writer(self._bulk)
        self._progress = progress
        self._jobs = jobs
        self._coerce_scalars = coerce_scalars
        self._stopper = Stopper(store.retry.stopped.set)
        self._dictionary = self._writer.newest_dictionary()

    def run(self, found: Iterable[Found], arguments: list[str]) -> Summary:
        """Take in all sources.

        Raises `StoreError` where the store fails; then all batches written before it stand,
        and running the same command again completes the import.
        """
        chunker = Chunker(self._writer.known, self._known_source, self._progress)
        return self._run(chunker.chunks(found), arguments)

    def retry(self, arguments: list[str]) -> Summary:
        """Offer every unresolved rejection again. Raises as `run` does."""
        return self._run(rejected_chunks(self._bulk), arguments)

    def _run(self, chunks: Iterator[Chunk], arguments: list[str]) -> Summary:
        began = time.monotonic()
        said = orjson.dumps(arguments).decode()
        import_id = begin_import(self._bulk, actor(), __version__, said)
        self._log = SourceLog(import_id)
        self._summary = summary = Summary(import_id)
        try:
            with self._stopper.installed():
                try:
                    try:
                        self._take_in(chunks)
                    finally:
                        self._stopper.hold()
                except Interrupted:
                    summary.status = "interrupted"
                self._end(summary.status)
        except TransientStoreError:
            raise  # it was waited for long enough: the import stays without an end, and shows so
        except BaseException:
            self._end_failed()
            raise
        finally:
            self._bulk.close()
        summary.seconds = round(time.monotonic() - began, 3)
        return summary

    @property
    def signal(self) -> int:
        """The signal that stopped the import, 0 for none and for one that came too late."""
        return self._stopper.signal if self._summary.status == "interrupted" else 0

    def _end(self, status: str, seconds: float | None = None) -> None:
        """End the import with a checkpoint, and send that out of the store."""
        import_id, counts = self._summary.import_id, self._summary.counts()
        self.sealed = end_import(
            self._bulk, import_id, status, counts, self._sealer, seconds=seconds
        )
        self._summary.checkpoint = self.sealed.note
        if self.checkpoint_log:
            try:
                append_missing(self._bulk, self.checkpoint_log)
            except StoreError as error:
                self.log_error = error

    def _end_failed(self) -> None:
        with suppress(MetaAuditError):
            self._end("failed", END_SECONDS)

    def _take_in(self, chunks: Iterator[Chunk]) -> None:
        with _without_collector(), ExitStack() as stack:
            first = next(chunks, None)
            if first is None:
                return
            pool = self._pool(stack) if self._jobs and first.is_full else None
            batch = self._build(first)
            if pool and self._dictionary:
                self._take_in_parallel(pool, chunks, (first, lambda: batch))
                return
            self._write(first, batch)
            for chunk in chunks:
                self._write(chunk, self._build(chunk))

    def _pool(self, stack: ExitStack) -> ProcessPoolExecutor:
        """Processes, which start while the first batch is built here."""
        context = multiprocessing.get_context("forkserver")
        pool = ProcessPoolExecutor(self._jobs, context, initializer=_prepare_process)
        stack.enter_context(pool)
        with self._stopper.holding():  # a process that is left half started fails, and says so
            pool.submit(_start)
        return pool

    def _take_in_parallel(
        self, pool: ProcessPoolExecutor, chunks: Iterator[Chunk], first: _Pending
    ) -> None:
        """Build batches in other processes, write them here in the order of the documents."""
        pending = deque([first])
        try:
            for chunk in chunks:
                pending.append((chunk, self._submit(pool, chunk)))
                if len(pending) > self._jobs:
                    self._write_next(pending)
            while pending:
                self._write_next(pending)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    def _submit(self, pool: ProcessPoolExecutor, chunk: Chunk) -> Callable[[], Batch]:
        offered, chunk.offered = chunk.offered, []
        coerce = self._coerce_scalars
        what = pack(offered)
        with self._stopper.holding():
            packed = pool.submit(build_packed, what, self._dictionary, coerce_scalars=coerce)
        return lambda: unpack(packed.result())

    def _write_next(self, pending: deque[_Pending]) -> None:
        chunk, built = pending.popleft()
        try:
            batch = built()
        except BrokenProcessPool as error:
            raise ProcessError(
                "a parsing process was killed, perhaps for want of memory",
                advice="Run the same command again to complete the import, with --jobs 0.",
            ) from error
        self._write(chunk, batch)

    def _build(self, chunk: Chunk) -> Batch:
        batch = build(chunk.offered, self._dictionary, coerce_scalars=self._coerce_scalars)
        self._dictionary = self._dictionary or batch.dictionary
        return batch

    def _write(self, chunk: Chunk, batch: Batch) -> None:
        with self._stopper.holding():
            for record in chunk.log:
                record(self._log)
            written = self._writer.write(batch, self._log)
            summary = self._summary
            summary.sources += chunk.sources
            summary.refused += chunk.refused
            summary.skipped += chunk.skipped
            summary.add_known(chunk.known)
            summary.add(batch, written)
            self._progress.wrote(summary)

    def _known_source(self, source: Source) -> KnownSource | None:
        """An earlier complete reading of the same bytes, in which nothing was rejected."""
        if source.path is None or source.size is None:
            return None
        if not has_source_of_size(self._bulk, source.size):
            return None
        return known_source(self._bulk, digest(source.path), source.size)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Batches are millions of small objects without cycles: collecting costs a fifth."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _start() -> None:
    """Nothing: being asked for it makes a process start."""


def _prepare_process() -> None:
    """A parsing process: signals are its parent's business, and it does not outlive it."""
    gc.disable()
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the parent does. One that is killed cannot say so, and the pool would wait."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def actor() -> str:
    """user@host of this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
