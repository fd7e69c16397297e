"""Read documents on many machines into segments, and seal these into one store.

`make_segment` is what each machine calls: it cuts, decodes and parses, and needs no store.
`segment_chunks` brings its results to the one process that writes.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import Raw, Struct, ValidationError, msgpack

from meta_audit.collector import without_collector
from meta_audit.errors import NotFoundError, SourceError
from meta_audit.ingest.build import read
from meta_audit.ingest.chunks import Chunk, Chunker, completed
from meta_audit.ingest.first_source import with_first_source
from meta_audit.ingest.options import DEFAULT_LIMITS
from meta_audit.ingest.read_documents import ReadDocument, ReadDocuments
from meta_audit.ingest.segment_file import SegmentPart
from meta_audit.ingest.segment_folders import segment_folder
from meta_audit.ingest.segment_sources import SegmentSources
from meta_audit.ingest.signals import Stopper
from meta_audit.model import Rejection
from meta_audit.record.known import KnowsNothing
from meta_audit.record.source_log import RecordCompleted, SourceBegan, SourceEnded
from meta_audit.sources import find

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from meta_audit.ingest.chunks import Reporter
    from meta_audit.ingest.options import Limits
    from meta_audit.ingest.segment_folders import KeptSegment
    from meta_audit.record.known import Known
    from meta_audit.record.source_log import SourceEvent


class Made(Struct, frozen=True):
    """A segment that was made."""

    path: str
    documents: int
    rejected: int
    """Those of the documents that were rejected."""
    refused: int
    """Sources that could not be read."""


class Silent:
    """Hear what happens to sources, and say nothing: the import that seals tells it."""

    def skipped(self, uri: str, why: str) -> None:
        """Do nothing."""

    def refused(self, uri: str, error: SourceError) -> None:
        """Do nothing."""

    def read(self, size: int) -> None:
        """Do nothing."""


def make_segment(
    sources: Sequence[str],
    folder: str | Path,
    *,
    coerce_scalars: bool = False,
    reporter: Reporter | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Made:
    """Read sources as `meta-audit ingest` does, into one segment in a folder, or below a URL.

    Raises `SourceError` and `NotFoundError` where there is nothing to read: then no folder is
    made. Raises `UsageError`, `OSError` or `SourceError` where `folder` cannot be written.
    """
    reporter = reporter or Silent()
    into = segment_folder(folder)
    found = with_first_source(find(sources, block_bytes=limits.block_bytes), reporter)
    chunks = Chunker(KnowsNothing(), reporter, limits, Stopper(lambda: None)).chunks(found)
    counts = {"documents": 0, "rejected": 0, "refused": 0}

    def parts(chunks: Iterable[Chunk]) -> Iterator[SegmentPart]:
        for chunk in chunks:
            documents = []
            for offer in chunk.offered:
                said = read(offer.document, offer.sha256, coerce_scalars=coerce_scalars)
                one = (said, None) if isinstance(said, Rejection) else (offer.document, said)
                documents.append(ReadDocument(offer.source, *one))
                counts["rejected"] += one[1] is None
            counts["documents"] += len(documents)
            counts["refused"] += sum(_is_refused(event) for event in chunk.events)
            events = [one for one in chunk.events if not isinstance(one, RecordCompleted)]
            yield SegmentPart(events, chunk.skipped, Raw(msgpack.encode(documents)))

    with without_collector():
        first = next(chunks)
        name = next(event.uri for event in first.events if isinstance(event, SourceBegan))
        path = into.add(name, parts(_with(first, chunks)))
    return Made(path, **counts)


def _with(first: Chunk, rest: Iterable[Chunk]) -> Iterator[Chunk]:
    yield first
    yield from rest


def _is_refused(event: SourceEvent) -> bool:
    return isinstance(event, SourceEnded) and event.status == "refused"


def find_segments(folder: str) -> list[KeptSegment]:
    """Return the segments of a folder, in the order in which `ingest` takes their sources.

    Raises `NotFoundError` where there is none, `UsageError` and `SourceError` for a wrong URL.
    """
    found = segment_folder(folder).segments()
    if not found:
        raise NotFoundError(
            f"nothing found: there is no segment in {folder}",
            advice="Name the folder that `meta-audit segments make --into` names.",
        )
    return sorted(found, key=lambda one: one.source().split("/"))


def segment_chunks(
    segments: Sequence[KeptSegment], known: Known, reporter: Reporter
) -> Iterator[Chunk]:
    """Yield what segments bring, in their order.

    One of another version, or that does not have the hash in its name, is refused, and the next
    one read. Raises `SourceError` (`segment.broken`) for one that was not written by
    `write_segment`, though its hash is right.
    """
    sources = SegmentSources()
    for kept in segments:
        with ExitStack() as stack:
            try:
                segment = stack.enter_context(kept.here())
                segment.check()
            except SourceError as error:
                reporter.refused(kept.name, error)
                yield Chunk(events=sources.refused(kept.name, error))
                continue
            for part in segment.parts():
                try:
                    events, of_documents = sources.take(part)
                except ValidationError as error:
                    raise segment.broken(str(error)) from error
                documents = ReadDocuments(segment.name, bytes(part.documents), of_documents)
                chunk = Chunk(events=events, skipped=part.skipped, is_full=True, read=documents)
                chunk.events += _completed(chunk, known)
                yield chunk
            if sources.are_open():
                raise segment.broken("it ends before its sources do")


def _completed(chunk: Chunk, known: Known) -> Iterator[RecordCompleted]:
    """Find the records that were torn when a source was read before, and are whole now."""
    assert chunk.read is not None  # noqa: S101 - by its maker
    for number, uri in chunk.read.sources.values():
        if torn := known.torn(uri):
            offered = [one for one in chunk.read.offered() if one.source == number]
            yield from completed(torn, offered)
