"""The file format of segments (docs/segments.md): written once, and named by its own hash.

A head of one line in JSON, then parts: four bytes of length (big-endian) and a zstd frame of a
`SegmentPart` in MessagePack. A length of 0 ends the file.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, suppress
from io import BufferedReader
from secrets import token_hex
from typing import TYPE_CHECKING, BinaryIO, Final

import zstandard
from msgspec import DecodeError, Raw, Struct, json, msgpack

from meta_audit.errors import SourceError
from meta_audit.record.source_log import SourceBegan, SourceEnded, SourceRead
from meta_audit.sources.files import display, open_file
from meta_audit.sources.stream import unreadable
from meta_audit.store.durable import sync_directory, write_whole
from meta_audit.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SUFFIX: Final = ".segment"
FORMAT: Final = "meta-audit/segment/1"
MAX_PART_BYTES: Final = 256 << 20
"""Most bytes of a part, decompressed: a chunk is 16 MB of documents, and what they say."""
MAX_HEAD_BYTES: Final = 1 << 16
_LENGTH_BYTES: Final = 4
_AGAIN: Final = "Delete it, and make it again from its source."


class SegmentHead(Struct, frozen=True):
    """The first line of a segment."""

    format: str
    program: str
    """Version of the program that read the documents."""
    source: str
    """Name of its first source."""


class SegmentPart(Struct, frozen=True, array_like=True):
    """Documents of one transaction, and what happened to their sources."""

    events: list[SourceBegan | SourceRead | SourceEnded]
    skipped: int
    """Files that are no documents."""
    documents: Raw
    """As `read_documents.ReadDocument`s."""


class Segment:
    """A segment in a file."""

    def __init__(self, path: Path, name: str = "") -> None:
        self._path = path
        self.name = name or display(str(path))

    def source(self) -> str:
        """Return the name of its first source, or nothing where its head cannot be read."""
        with suppress(SourceError), self._opened() as file:
            return self._head(file).source
        return ""

    @contextmanager
    def here(self) -> Iterator[Segment]:
        """Give it as a file of this machine."""
        yield self

    def broken(self, why: str) -> SourceError:
        """Return the error that names it."""
        return broken(self.name, why)

    def check(self) -> None:
        """Check version and hash.

        Raises `SourceError`: `segment.version`, `segment.broken`, and as `open_file` does.
        """
        with self._opened() as file:
            head = self._head(file)
            if (head.format, head.program) != (FORMAT, __version__):
                raise SourceError(
                    "segment.version",
                    f"{self.name}: {head.program} made it ({head.format}), this is {__version__}",
                    advice=_AGAIN,
                )
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        if digest != self._path.stem:
            raise self.broken("its bytes do not have the hash in its name: damaged, or cut off")

    def parts(self) -> Iterator[SegmentPart]:
        """Yield its parts. Raises `SourceError` (`segment.broken`) where one cannot be read."""
        with self._opened() as file:
            self._head(file)
            try:
                while size := int.from_bytes(_exactly(file, _LENGTH_BYTES)):
                    if size > MAX_PART_BYTES:
                        raise self.broken(f"a part of {size} bytes is too large")
                    yield msgpack.decode(_decompress(_exactly(file, size)), type=SegmentPart)
            except (DecodeError, zstandard.ZstdError, EOFError, RecursionError) as error:
                raise self.broken(str(error)) from error

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with open_file(str(self._path)) as file:
                yield BufferedReader(file)  # type: ignore[type-var]
        except OSError as error:
            raise unreadable(error) from error

    def _head(self, file: BinaryIO) -> SegmentHead:
        return read_head(file.readline(MAX_HEAD_BYTES), self.name)


def read_head(line: bytes, segment: str) -> SegmentHead:
    """Read the first line. Raises `SourceError` (`segment.broken`)."""
    try:
        return json.decode(line, type=SegmentHead)
    except (DecodeError, RecursionError) as error:
        raise broken(segment, f"its first line is not that of a segment: {error}") from error


def broken(segment: str, why: object) -> SourceError:
    """Return the error that names a segment that is not as `write_segment` writes them."""
    return SourceError("segment.broken", f"{segment}: {why}", advice=_AGAIN)


def write_segment(folder: Path, source: str, parts: Iterable[SegmentPart]) -> Path:
    """Write a segment, and return it. It gets its name when it is complete.

    The same parts give the same name: a second writer replaces the file by its like. Raises
    `OSError`.
    """
    digest = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for data in _encoded(source, parts):
            digest.update(data)
            yield data

    unnamed = folder / f".{token_hex(8)}.part"
    write_whole(unnamed, hashed(), replace=False)
    named = unnamed.replace(folder / f"{digest.hexdigest()}{SUFFIX}")
    sync_directory(folder)
    return named


def _encoded(source: str, parts: Iterable[SegmentPart]) -> Iterator[bytes]:
    compress = zstandard.ZstdCompressor().compress
    yield json.encode(SegmentHead(FORMAT, __version__, source)) + b"\n"
    for part in parts:
        frame = compress(msgpack.encode(part))
        yield len(frame).to_bytes(_LENGTH_BYTES)
        yield frame
    yield bytes(_LENGTH_BYTES)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError("it ends within a part")
    return data


def _decompress(frame: bytes) -> bytes:
    size = zstandard.get_frame_parameters(frame).content_size
    if size > MAX_PART_BYTES:
        raise DecodeError(f"a part expands to {size} bytes")
    return zstandard.ZstdDecompressor().decompress(frame)
