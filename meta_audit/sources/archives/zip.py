"""Read zip archives."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import IO, Any, BinaryIO, Final, cast

from meta_audit.cut.blocks import BadEnding
from meta_audit.errors import SourceError
from meta_audit.sources.archives.archive_entry import ArchiveEntry

MAX_DIRECTORY_BYTES: Final = 32 << 20
"""Largest list of members: it is read into memory."""
_LOCAL_HEADER_BYTES: Final = 30
_ENCRYPTED: Final = 1
_PIECE: Final = 4_096
"""Bytes read at once of a member that may be damaged after them."""
_BAD: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""Errors of `zipfile` that mean a damaged archive."""
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""`zipfile` bounds the memory for these only."""


Count = Callable[[int], None]


class _Bounded:
    """A file of which only so much is read at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            size = os.fstat(self._file.fileno()).st_size - self.tell()
        if size > MAX_DIRECTORY_BYTES:
            raise SourceError(
                "archive.budget",
                f"the list of its members is larger than {MAX_DIRECTORY_BYTES} bytes",
            )
        return self._file.read(size)

    def seekable(self) -> bool:
        return True


class _ZipEntry(ArchiveEntry):
    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, count: Count) -> None:
        self.name = info.orig_filename
        self._count = count
        self._archive = archive
        self._info = info
        self._file: IO[bytes] | None = None
        kind = stat.S_IFMT(info.external_attr >> 16)
        if stat.S_ISLNK(kind):
            self.skipped = "a link"
        elif kind not in (0, stat.S_IFREG):
            self.skipped = "a device"
        elif info.flag_bits & _ENCRYPTED:
            self.refused = "it is encrypted"
        elif info.compress_type not in _METHODS:
            self.refused = "it is compressed in an unusual way"

    def head(self, size: int) -> bytes:
        pieces: list[bytes] = []
        try:
            with self._archive.open(self._info) as file:
                while size > 0 and (piece := file.read(min(size, _PIECE))):
                    pieces.append(piece)
                    size -= len(piece)
        except _BAD as error:
            if not pieces:
                message = f"the member is damaged: {error}"
                raise SourceError("archive.broken", message) from error
        return b"".join(pieces)

    def read(self, size: int) -> bytes:
        try:
            if self._file is None:
                self._file = self._archive.open(self._info)
            piece = self._file.read(size)
        except _BAD as error:
            raise BadEnding("truncated", f"the member is damaged: {error}") from error
        self._count(len(piece))
        return piece

    def finish(self) -> None:
        if self._file:
            self._file.close()


class ZipReader:
    """The members of a zip archive."""

    def __init__(self, file: BinaryIO, count: Count) -> None:
        """Take a file. `count` is called with the bytes that members expand to."""
        self._file = file
        self._count = count

    def entries(self) -> Iterator[ArchiveEntry]:
        """Yield the members. Raises `SourceError`: `archive.broken`, `archive.budget`."""
        with self._opened() as archive:
            for info in archive.infolist():
                if info.filename.endswith("/"):
                    continue
                entry = _ZipEntry(archive, info, self._count)
                yield entry
                entry.finish()

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            archive = zipfile.ZipFile(cast("Any", _Bounded(self._file)))
        except _BAD as error:
            raise SourceError(
                "archive.broken",
                f"the list of members at the end of the zip archive cannot be read: {error}",
                advice="It may be truncated. `zip -FF` can repair some.",
            ) from error
        with archive:
            _check_apart(archive)
            yield archive


def _check_apart(archive: zipfile.ZipFile) -> None:
    """Raise `SourceError` where members share bytes: that is how bombs are made."""
    end = archive.start_dir
    spans = sorted(
        (info.header_offset, info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size)
        for info in archive.infolist()
    )
    for (_, stop), (start, _) in pairwise([*spans, (end, end)]):
        if stop > start:
            raise SourceError(
                "archive.budget",
                "members of the zip archive overlap: a decompression bomb?",
                advice="Unpack it if you trust it, and give the files.",
            )
