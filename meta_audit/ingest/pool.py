"""Build batches from chunks, in their order: in this process, or in others beside it."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from threading import Thread
from typing import TYPE_CHECKING

from meta_audit.errors import ProcessError
from meta_audit.ingest.build import build, build_packed, pack, unpack
from meta_audit.ingest.read_documents import build_read
from meta_audit.ingest.signals import STOP_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from meta_audit.ingest.chunks import Chunk
    from meta_audit.ingest.options import Options
    from meta_audit.ingest.signals import Stopper
    from meta_audit.record.batch import Batch


class Builder:
    """Build batches. Processes start when there is a full chunk to train a dictionary with."""

    def __init__(self, dictionary: bytes, options: Options, stopper: Stopper) -> None:
        self._dictionary = dictionary
        self._options = options
        self._stopper = stopper
        self._pool: ProcessPoolExecutor | None = None

    def batches(self, chunks: Iterator[Chunk]) -> Generator[tuple[Chunk, Batch], None, None]:
        """Yield each chunk with its batch. Close the iterator to end the processes."""
        pending: deque[tuple[Chunk, Batch | Future[bytes]]] = deque()
        try:
            for chunk in chunks:
                if self._options.jobs and chunk.is_full and not self._pool:
                    self._start()
                pending.append((chunk, self._begin(chunk)))
                most = self._options.jobs if self._pool and not chunk.is_urgent else 0
                while len(pending) > most:
                    yield self._finish(*pending.popleft())
            while pending:
                yield self._finish(*pending.popleft())
        finally:
            if self._pool:
                self._pool.shutdown(cancel_futures=True)

    def _start(self) -> None:
        """Start processes; they come up while the first batch is built here."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["__main__", __name__])  # once for all processes
        self._pool = ProcessPoolExecutor(self._options.jobs, context, initializer=_prepare)
        with self._stopper.holding():  # a process that is left half started fails, and says so
            self._pool.submit(_start)

    def _begin(self, chunk: Chunk) -> Batch | Future[bytes]:
        coerce, limits = self._options.coerce_scalars, self._options.limits
        if not self._pool or not self._dictionary:
            if chunk.read:
                training = limits.training_bytes
                batch = chunk.read.build(self._dictionary, training_bytes=training)
            else:
                batch = build(
                    chunk.offered,
                    self._dictionary,
                    coerce_scalars=coerce,
                    training_bytes=limits.training_bytes,
                )
            self._dictionary = batch.dictionary
            return batch
        if chunk.read:
            with self._stopper.holding():
                return self._pool.submit(build_read, chunk.read, self._dictionary)
        packed = pack(chunk.offered)
        if not chunk.job_keys:  # of documents that are read again, which are compared later
            chunk.offered = []
        with self._stopper.holding():
            return self._pool.submit(build_packed, packed, self._dictionary, coerce_scalars=coerce)

    def _finish(self, chunk: Chunk, built: Batch | Future[bytes]) -> tuple[Chunk, Batch]:
        if not isinstance(built, Future):
            return chunk, built
        try:
            return chunk, unpack(built.result())
        except BrokenProcessPool as error:
            raise ProcessError(
                "a parsing process was killed, perhaps because memory ran out",
                advice="Run the command again with --jobs 0 to complete the import.",
            ) from error


def _start() -> None:
    """Do nothing: being asked for it makes a process start."""


def _prepare() -> None:
    """Prepare a parsing process: its parent handles signals, and it does not outlive it."""
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
