"""Keep segments: as files of a folder, or as objects below a URL."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

from meta_audit.errors import SourceError
from meta_audit.ingest.segment_file import (
    MAX_HEAD_BYTES,
    SUFFIX,
    Segment,
    SegmentPart,
    read_head,
    write_segment,
)
from meta_audit.sources.object_stores import ObjectFolder, ObjectUrl, is_object_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager


class KeptSegment(Protocol):
    """A segment, wherever it is kept."""

    name: str

    def source(self) -> str:
        """Return the name of its first source, or nothing where its head cannot be read."""

    def here(self) -> AbstractContextManager[Segment]:
        """Give it as a file of this machine. Raises `SourceError`, `OSError`."""


class SegmentFolder(Protocol):
    """A place for segments."""

    def add(self, source: str, parts: Iterable[SegmentPart]) -> str:
        """Write a segment as `write_segment` does, and return its name.

        Raises `OSError`, `SourceError`.
        """

    def segments(self) -> Sequence[KeptSegment]:
        """Return the segments in it. Raises `SourceError`."""


class FileFolder:
    """Segments in a folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, source: str, parts: Iterable[SegmentPart]) -> str:
        """Write a file; make the folder on first use."""
        self._path.mkdir(parents=True, exist_ok=True)
        return str(write_segment(self._path, source, parts))

    def segments(self) -> Sequence[KeptSegment]:
        """Return its files."""
        return [Segment(path) for path in sorted(self._path.glob(f"*{SUFFIX}"))]


class SegmentObjects:
    """Segments in an object store: each is made in a temporary file, and written as a whole."""

    def __init__(self, folder: ObjectFolder) -> None:
        self._folder = folder

    def add(self, source: str, parts: Iterable[SegmentPart]) -> str:
        """Write an object."""
        with TemporaryDirectory(prefix="meta-audit-") as here:
            return self._folder.put(write_segment(Path(here), source, parts))

    def segments(self) -> Sequence[KeptSegment]:
        """Return its objects."""
        names = sorted(name for name in self._folder.names() if name.endswith(SUFFIX))
        return [SegmentObject(self._folder, name) for name in names]


class SegmentObject:
    """A segment in an object store."""

    def __init__(self, folder: ObjectFolder, name: str) -> None:
        self._folder = folder
        self._object = name
        self.name = folder.uri(name)

    def source(self) -> str:
        """Return the name of its first source, or nothing where its head cannot be read."""
        head = b""
        with suppress(SourceError):
            for block in self._folder.blocks(self._object, 1):
                head += block
                if b"\n" in head or len(head) > MAX_HEAD_BYTES:
                    break
            return read_head(head.partition(b"\n")[0], self.name).source
        return ""

    @contextmanager
    def here(self) -> Iterator[Segment]:
        """Copy it into a temporary file."""
        with TemporaryDirectory(prefix="meta-audit-") as here:
            path = Path(here, self._object)
            with path.open("wb") as file:
                self._folder.fetch(self._object, file)
            yield Segment(path, self.name)


def segment_folder(name: str | Path) -> SegmentFolder:
    """Return the place that a path or URL names. Raises `UsageError`."""
    if is_object_url(str(name)):
        return SegmentObjects(ObjectFolder(ObjectUrl.parse(str(name))))
    return FileFolder(Path(name))
