"""Cuts the documents of all sources into chunks: what one transaction takes in.

A chunk spans sources, so that a directory of a million small files costs no million
transactions; and a source spans chunks, so that a file of any size needs little memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from meta_audit.errors import SourceError
from meta_audit.ingest.build import Offered, sha256_of
from meta_audit.record.runs import KnownSource, SourceLog
from meta_audit.sources import Found, Skipped, Source, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

CHUNK_DOCUMENTS: Final = 8_000
FIRST_CHUNK_DOCUMENTS: Final = 3_000
"""Enough to train a dictionary with; until then nothing can be built in other processes."""
CHUNK_BYTES: Final = 16_000_000
SAMPLE: Final = 12
"""Documents of a block that are looked up to see whether the block is worth it."""
CHUNK_LOG: Final = 60_000
"""Most notes on sources: of a directory of files that are all known, there is nothing else."""


@dataclass(slots=True)
class Chunk:
    """Documents to take in, and what else is to be recorded with them."""

    is_first: bool = False
    offered: list[Offered] = field(default_factory=list)
    size: int = 0
    known: int = 0
    """Documents left out because the store has their bytes."""
    log: list[Callable[[SourceLog], None]] = field(default_factory=list)
    sources: int = 0
    refused: int = 0
    skipped: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to write it."""
        most = min(CHUNK_DOCUMENTS, FIRST_CHUNK_DOCUMENTS) if self.is_first else CHUNK_DOCUMENTS
        return len(self.offered) >= most or self.size >= CHUNK_BYTES or len(self.log) >= CHUNK_LOG


class Reporter(Protocol):
    """Is told what happens to sources."""

    def skipped(self, uri: str, why: str) -> None:
        """A file is no document."""

    def refused(self, uri: str, error: SourceError) -> None:
        """A source could not be read."""

    def read(self, size: int) -> None:
        """So many more bytes were read."""


class Chunker:
    """Reads sources one after the other and yields chunks."""

    def __init__(
        self,
        known_documents: Callable[[Sequence[bytes]], set[bytes]],
        known_source: Callable[[Source], KnownSource | None],
        reporter: Reporter,
    ) -> None:
        self._known_documents = known_documents
        self._known_source = known_source
        self._reporter = reporter
        self._chunk = Chunk(is_first=True)
        self._count = 0

    def chunks(self, found: Iterable[Found]) -> Iterator[Chunk]:
        """Chunks of all sources; the last one may be small, or hold no document at all."""
        for source in found:
            if isinstance(source, Skipped):
                self._chunk.skipped += 1
                self._reporter.skipped(source.uri, source.why)
            elif isinstance(source, Unreadable):
                self._begin(source.uri)
                self._refuse(
                    source.uri, SourceError(source.code, source.message, advice=source.advice)
                )
            else:
                yield from self._read(source)
            if self._chunk.is_full:
                yield self.rest()
        yield self._chunk

    def rest(self) -> Chunk:
        """What was read and not yet yielded, when reading is given up."""
        chunk, self._chunk = self._chunk, Chunk()
        return chunk

    def _begin(self, uri: str) -> int:
        self._count += 1
        number = self._count
        self._chunk.sources += 1
        self._chunk.log.append(lambda log: log.begin(number, uri))
        return number

    def _refuse(self, uri: str, error: SourceError) -> None:
        number, message = self._count, f"{error.code}: {error}"
        self._chunk.refused += 1
        self._chunk.log.append(lambda log: log.end(number, "refused", message, 0, b""))
        self._reporter.refused(uri, error)

    def _read(self, source: Source) -> Iterator[Chunk]:
        number = self._begin(source.uri)
        read = 0
        try:
            known = self._known_source(source)
            if known:
                self._end(number, "known", known.size, known.sha256, known.documents)
                self._chunk.known += known.documents
                self._reporter.read(known.size)
                return
            for documents in source.batches():
                offered = [Offered(d, sha256_of(d), number, source.uri) for d in documents]
                fresh = self._without_known(offered)
                self._chunk.offered += fresh
                self._chunk.size += sum([len(o.document.content) for o in fresh])
                self._end_count(number, len(offered))
                self._reporter.read(source.bytes_read - read)
                read = source.bytes_read
                if self._chunk.is_full:
                    yield self.rest()
        except SourceError as error:
            self._refuse(source.uri, error)
            return
        self._end(number, "complete", source.bytes_read, source.sha256, 0)

    def _end_count(self, number: int, documents: int) -> None:
        self._chunk.log.append(lambda log: log.count(number, documents))

    def _end(self, number: int, status: str, size: int, sha256: bytes, documents: int) -> None:
        def end(log: SourceLog) -> None:
            log.count(number, documents)
            log.end(number, status, "", size, sha256)

        self._chunk.log.append(end)

    def _without_known(self, offered: list[Offered]) -> list[Offered]:
        """Leave out what the store has; where a sample is new, the writer finds the rest."""
        digests = [o.sha256 for o in offered]
        if len(digests) > SAMPLE and not self._known_documents(digests[:: len(digests) // SAMPLE]):
            return offered
        known = self._known_documents(digests)
        if not known:
            return offered
        fresh = [o for o in offered if o.sha256 not in known]
        self._chunk.known += len(offered) - len(fresh)
        return fresh
