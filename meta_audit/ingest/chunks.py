"""Cut the documents of all sources into chunks: each is the content of one transaction.

A chunk spans sources, so that a directory of a million small files costs no million
transactions; and a source spans chunks, so that a file of any size needs little memory.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from meta_audit.errors import SourceError
from meta_audit.ingest.build import Offered, sha256_of
from meta_audit.ingest.unpack import Unpacking
from meta_audit.model import Rejection
from meta_audit.record.source_log import (
    RecordCompleted,
    SourceBegan,
    SourceEnded,
    SourceRead,
)
from meta_audit.sources import (
    Archive,
    Discovered,
    Item,
    Prefix,
    Skipped,
    Source,
    Stamp,
    Unreadable,
    digest,
    find_grown,
    may_grow,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meta_audit.ingest.options import Limits
    from meta_audit.ingest.read_documents import ReadDocuments
    from meta_audit.ingest.signals import Stopper
    from meta_audit.record.aliases import Alias
    from meta_audit.record.known import Known, KnownSource, Torn
    from meta_audit.record.source_log import SourceEvent

SAMPLE: Final = 12
"""Documents of a block that are looked up first: if none of them is known, the others are not."""


@dataclass(slots=True)
class Chunk:
    """Documents to take in, and what happened to their sources."""

    offered: list[Offered] = field(default_factory=list)
    size: int = 0
    """Bytes of the documents."""
    events: list[SourceEvent] = field(default_factory=list)
    skipped: int = 0
    is_full: bool = False
    """It reached a limit, so more will probably follow: other processes are worth starting."""
    is_urgent: bool = False
    """Write it, and all before it, now: it cannot be read again."""
    dismissed: tuple[int, ...] = ()
    """Rejections that somebody dismisses, all for one `reason`."""
    reason: str = ""
    alias: Alias | None = None
    """A name that somebody gives to an identity, or takes back."""
    cut_off: str = ""
    """The source that a signal cut off, and that cannot be read again."""
    job_keys: list[int] = field(default_factory=list)
    """Of documents that are read again: the job of each."""
    read: ReadDocuments | None = None
    """In place of `offered`: documents that were read on another machine."""


class Reporter(Protocol):
    """Hear what happens to sources."""

    def skipped(self, uri: str, why: str) -> None:
        """Report a file that is no document."""

    def refused(self, uri: str, error: SourceError) -> None:
        """Report a source that could not be read."""

    def read(self, size: int) -> None:
        """Report that so many more bytes were read."""


@dataclass(slots=True)
class OpenSource:
    """A source that is being read."""

    number: int
    source: Source
    torn: list[Torn]
    """Records that were torn when the source was read before."""
    _last: Item | None = None
    _read: int = 0

    def offer(self, documents: list[Item]) -> list[Offered]:
        """Return documents as this source offers them."""
        self._last = documents[-1]
        uri = self.source.uri
        return [Offered(d, sha256_of(d), self.number, uri) for d in documents]

    def advance(self) -> int:
        """Count the bytes read since the last call."""
        before, self._read = self._read, self.source.bytes_read
        return self._read - before

    def end(self) -> SourceEnded:
        """Say how it ended: by what came last, and by what the source says of itself."""
        source, last = self.source, self._last
        status, message = "complete", ""
        if isinstance(last, Rejection) and last.reason == "truncated":
            status, message = "truncated", last.message
        elif source.partial:
            status, message = "partial", str(source.partial)
        return SourceEnded(self.number, status, message, source.bytes_read, source.sha256)


class Chunker:
    """Read sources one after the other and cut them into chunks."""

    def __init__(self, known: Known, reporter: Reporter, limits: Limits, stopper: Stopper) -> None:
        self._known = known
        self._reporter = reporter
        self._limits = limits
        self._stopper = stopper
        self._most = min(limits.chunk_documents, limits.first_chunk_documents)
        self._chunk = Chunk()
        self._count = 0
        self._unpacking: Unpacking | None = None
        self._unasked = 0
        """Documents of small sources to come of which it is not asked whether they are known."""

    def chunks(self, found: Iterable[Discovered]) -> Iterator[Chunk]:
        """Yield the chunks of all sources; the last one may hold no document at all."""
        for one in found:
            yield from self._unpack(one) if isinstance(one, Archive) else self._one(one)
        yield self._chunk

    def _one(self, found: Source | Skipped | Unreadable) -> Iterator[Chunk]:
        if isinstance(found, Skipped):
            self._skip(found)
        elif isinstance(found, Unreadable):
            error = SourceError(found.code, found.message, advice=found.advice)
            self._refuse(self._begin(found.uri), found.uri, error)
        else:
            yield from self._read(found)
        if self._is_full():
            yield self._full()

    def _unpack(self, archive: Archive) -> Iterator[Chunk]:
        """Take the members of an archive. One with nothing to take leaves no trace."""
        unpacking = self._unpacking = Unpacking(archive)
        try:
            known = self._known_bytes(archive.stamp)
            if known:
                self._pass_over(self._begin_archive(unpacking), known)
                return
            for member in archive.members():
                if not isinstance(member, Skipped):
                    self._begin_archive(unpacking)
                yield from self._one(member)
            if unpacking.number:
                self._chunk.events.append(unpacking.end())
            else:
                self._skip(Skipped(archive.uri, "an archive without job documents"))
        except SourceError as error:
            self._refuse(self._begin_archive(unpacking), archive.uri, error)
        finally:
            self._unpacking = None

    def _skip(self, found: Skipped) -> None:
        self._chunk.skipped += 1
        self._reporter.skipped(found.uri, found.why)

    def _is_full(self) -> bool:
        chunk, limits = self._chunk, self._limits
        return (
            len(chunk.offered) >= self._most
            or chunk.size >= limits.chunk_bytes
            or len(chunk.events) >= limits.chunk_events
        )

    def _full(self) -> Chunk:
        chunk, self._chunk = self._chunk, Chunk()
        chunk.is_full = True
        self._most = self._limits.chunk_documents
        return chunk

    def _urgent(self) -> Chunk:
        chunk, self._chunk = self._chunk, Chunk()
        chunk.is_urgent = True
        return chunk

    def _begin(self, uri: str) -> int:
        self._count += 1
        archive = self._unpacking.number if self._unpacking else 0
        self._chunk.events.append(SourceBegan(self._count, uri, archive=archive))
        return self._count

    def _begin_archive(self, unpacking: Unpacking) -> int:
        if not unpacking.number:
            self._count += 1
            unpacking.number = self._count
            uri = unpacking.archive.uri
            self._chunk.events.append(SourceBegan(self._count, uri, is_archive=True))
        return unpacking.number

    def _end(self, end: SourceEnded) -> None:
        self._chunk.events.append(end)
        if self._unpacking:
            self._unpacking.note(end)

    def _refuse(self, number: int, uri: str, error: SourceError) -> None:
        self._end(SourceEnded(number, "refused", f"{error.code}: {error}"))
        self._reporter.refused(uri, error)

    def _read(self, source: Source) -> Iterator[Chunk]:
        number = self._begin(source.uri)
        try:
            torn = self._known.torn(source.uri)
            known = None if torn else self._known_source(source)
            if known:
                self._pass_over(number, known)
                return
            source = self._new_part(number, source, torn)
            reading = OpenSource(number, source, torn)
            if source.is_live:
                with self._stopper.holding():
                    yield from self._read_live(reading)
            elif source.is_repeatable:
                with self._stopper.holding():
                    yield from self._read_repeatable(reading)
            else:
                for documents in source.batches():
                    self._take(reading, documents)
                    if self._is_full():
                        yield self._full()
                self._end(reading.end())
        except SourceError as error:
            self._refuse(number, source.uri, error)

    def _read_repeatable(self, reading: OpenSource) -> Iterator[Chunk]:
        """Read what ends by itself when a signal comes: signals must not break it off."""
        reading.source.is_stopping = self._stopper.is_stopping
        for documents in reading.source.batches():
            self._take(reading, documents)
            if self._is_full():
                yield self._full()
        if not self._stopper.is_stopping():
            self._end(reading.end())

    def _read_live(self, reading: OpenSource) -> Iterator[Chunk]:
        """Read what comes little by little: write it at short intervals, and before a signal stops.

        Signals wait: what is being cut when one comes would be lost.
        """
        source, seconds = reading.source, self._limits.commit_seconds
        source.is_stopping = self._stopper.is_stopping
        batches = source.batches()
        written, is_waiting = time.monotonic(), True
        while True:
            if self._is_full():
                yield self._full()
                written, is_waiting = time.monotonic(), True
            elif time.monotonic() - written >= seconds and (is_waiting or self._chunk.events):
                yield self._urgent()
                written, is_waiting = time.monotonic(), False
            if not source.wait(seconds / 4) and not source.is_stopping():
                continue
            documents = next(batches, None)
            if documents is None:
                break
            self._take(reading, _whole(documents) if source.is_stopping() else documents)
        if source.is_stopping():
            chunk = self._urgent()
            chunk.cut_off = "" if source.is_repeatable else source.uri
            yield chunk
        else:
            self._chunk.events.append(reading.end())

    def _take(self, reading: OpenSource, documents: list[Item]) -> None:
        """Add the documents of a batch that the store does not have."""
        if not documents:
            return
        offered = reading.offer(documents)
        self._chunk.events += completed(reading.torn, offered)
        fresh = self._without_known(offered)
        self._chunk.offered += fresh
        self._chunk.size += sum([len(o.document.content) for o in fresh])
        known = len(offered) - len(fresh)
        self._chunk.events.append(SourceRead(reading.number, len(offered), known))
        self._reporter.read((self._unpacking or reading).advance())

    def _pass_over(self, number: int, known: KnownSource) -> None:
        documents = known.documents
        self._chunk.events += (
            SourceRead(number, documents, documents),
            SourceEnded(number, "known", "", known.size, known.sha256),
        )
        self._reporter.read(known.size)

    def _new_part(self, number: int, source: Source, torn: list[Torn]) -> Source:
        """Return the new part of a file of lines that has grown since it was read; else it all."""
        limits, stamp = self._limits, source.stamp
        if stamp is None or stamp.size < limits.resume_bytes or not may_grow(source):
            return source
        before = self._known.newest_reading(source.uri)
        if before is None:
            return source
        size, documents = 0, before.documents
        if before.is_torn:
            ends = [one.content for one in torn if one.ordinal == documents]  # the newest first
            if not ends:
                return source
            size, documents = len(ends[0]), documents - 1
        prefix = Prefix(before.size, before.sha256, size, documents)
        grown = find_grown(source, prefix, limits.block_bytes)
        if grown is None:
            return source
        self._chunk.events.append(SourceRead(number, documents, documents))
        return grown

    def _known_source(self, source: Source) -> KnownSource | None:
        """Return an earlier complete reading of the same bytes that rejected nothing."""
        if source.remembered and source.size is not None:
            return self._known.source(source.remembered, source.size)
        if source.stamp is None or not self._known.has_source_of_size(source.stamp.size):
            return None
        return self._known.source(source.digest(), source.stamp.size)

    def _known_bytes(self, stamp: Stamp) -> KnownSource | None:
        if not self._known.has_source_of_size(stamp.size):
            return None
        return self._known.source(digest(stamp.path), stamp.size)

    def _without_known(self, offered: list[Offered]) -> list[Offered]:
        """Leave out what the store has; where a sample is new, the writer finds the rest."""
        if self._unasked:
            self._unasked = max(self._unasked - len(offered), 0)
            return offered
        digests = [o.sha256 for o in offered]
        sample = digests[:: max(len(digests) // SAMPLE, 1)]
        if len(digests) > SAMPLE and not self._known.documents(sample):
            return offered
        known = self._known.documents(digests)
        self._unasked = 0 if known else SAMPLE
        return [o for o in offered if o.sha256 not in known] if known else offered


def _whole(documents: list[Item]) -> list[Item]:
    """Leave out a last record that may be torn, as its sender was cut off."""
    last = documents[-1]
    is_torn = isinstance(last, Rejection) and last.reason in ("truncated", "empty")
    return documents[:-1] if is_torn or last.format == "yaml" else documents


def completed(torn: Iterable[Torn], offered: list[Offered]) -> Iterator[RecordCompleted]:
    """Find the records that were torn before and are whole now: same place, same beginning."""
    for rejection_id, ordinal, content in torn:
        for offer in offered:
            document = offer.document
            if (
                document.ordinal == ordinal
                and len(document.content) > len(content)
                and document.content.startswith(content)
                and not (isinstance(document, Rejection) and document.reason == "truncated")
            ):
                yield RecordCompleted(offer.source, rejection_id, offer.sha256)
