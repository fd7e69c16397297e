"""Follow the sources of segments: number them anew, and check what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import ValidationError
from msgspec.structs import replace

from meta_audit.nul import NUL
from meta_audit.record.source_log import SourceBegan, SourceEnded, SourceRead

if TYPE_CHECKING:
    from meta_audit.errors import SourceError
    from meta_audit.ingest.segment_file import SegmentPart
    from meta_audit.record.source_log import SourceEvent

_STATUSES: Final = ("complete", "truncated", "partial", "refused")
_MOST: Final = 2**63 - 1


class SegmentSources:
    """The sources of segments that are read one after the other."""

    def __init__(self) -> None:
        self._count = 0
        self._open: dict[int, tuple[int, str]] = {}
        """Number in the run and name, by number in the segment."""

    def are_open(self) -> bool:
        """Tell whether a source has begun and not ended."""
        return bool(self._open)

    def refused(self, uri: str, error: SourceError) -> list[SourceEvent]:
        """Return what happens to a segment that is refused: it counts as a source."""
        self._count += 1
        end = SourceEnded(self._count, "refused", f"{error.code}: {error}")
        return [SourceBegan(self._count, uri), end]

    def take(self, part: SegmentPart) -> tuple[list[SourceEvent], dict[int, tuple[int, str]]]:
        """Return the events of a part, and the sources that its documents may have.

        Raises `ValidationError` where they are not those of sources that are read.
        """
        events: list[SourceEvent] = []
        of_documents = dict(self._open)
        _check(0 <= part.skipped <= _MOST, "a count out of range")
        for event in part.events:
            if isinstance(event, SourceBegan):
                events.append(self._begin(event))
                of_documents[event.source] = self._open[event.source]
                continue
            _check(event.source in self._open, "a source ends or goes on that has not begun")
            number, _ = self._open[event.source]
            if isinstance(event, SourceRead):
                _check(0 <= event.documents <= _MOST, "a count out of range")
                events.append(SourceRead(number, event.documents))
            else:
                events.append(self._end(event, number))
        return events, of_documents

    def _begin(self, event: SourceBegan) -> SourceBegan:
        _check(event.source not in self._open, "a source begins twice")
        _check(NUL not in event.uri, "a name with NUL")
        archive = 0
        if event.archive:
            _check(event.archive in self._open, "a member of no archive")
            archive, _ = self._open[event.archive]
        self._count += 1
        self._open[event.source] = self._count, event.uri
        return SourceBegan(self._count, event.uri, is_archive=event.is_archive, archive=archive)

    def _end(self, event: SourceEnded, number: int) -> SourceEnded:
        del self._open[event.source]
        _check(event.status in _STATUSES, "an end of an unknown kind")
        _check(len(event.sha256) in (0, 32), "a hash that is no SHA-256")
        _check(0 <= event.size <= _MOST, "a size out of range")
        _check(NUL not in event.message, "a message with NUL")
        return replace(event, source=number)


def _check(is_right: bool, what: str) -> None:
    if not is_right:
        raise ValidationError(what)
