"""Read tar archives as a stream, compressed or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meta_audit.cut.blocks import BadEnding, Blocks
from meta_audit.errors import SourceError
from meta_audit.sources.archives.archive_entry import ArchiveEntry
from meta_audit.sources.archives.cursor import ByteCursor
from meta_audit.sources.archives.tar_header import (
    BLOCK,
    DIRECTORIES,
    FILE_TYPES,
    LONG_LINK,
    LONG_NAME,
    OTHERS,
    PAX,
    PAX_GLOBAL,
    SPARSE,
    VOLUME_LABEL,
    TarDamageError,
    TarHeader,
    pax_size,
    read_pax,
    read_tar_header,
)

MAX_HEADER_BYTES: Final = 1 << 20
"""Longest extended header."""
MAX_HEADERS: Final = 64
"""Most extended headers before one member."""
_NO_END: Final = "the archive ends without its end mark: it may be truncated"
_TRUNCATED: Final = "the archive is truncated"


class _TarEntry(ArchiveEntry):
    def __init__(self, cursor: ByteCursor, name: str, size: int) -> None:
        self.name = name
        self._cursor = cursor
        self._left = size

    def head(self, size: int) -> bytes:
        return self._cursor.peek(min(size, self._left))

    def read(self, size: int) -> bytes:
        piece = self._cursor.piece(min(size, self._left)) if self._left else b""
        if self._left and not piece:
            raise BadEnding("truncated", "the archive ends in the middle of this member")
        self._left -= len(piece)
        return piece

    def finish(self) -> int:
        """Pass over what was not read, and return how many bytes were missing."""
        left, self._left = self._left, 0
        return self._cursor.skip(left)


class TarReader:
    """The members of a tar archive, those after its end mark too, as `cat a.tar b.tar` makes."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._cursor = ByteCursor(blocks)
        self._common: dict[bytes, bytes] = {}
        """Pax records for all members that follow."""
        self.truncated = ""
        """Reason to think that the archive had more members. Known at its end."""

    def entries(self) -> Iterator[ArchiveEntry]:
        """Yield the members. Raises `SourceError`: `archive.broken`, `archive.budget`."""
        try:
            yield from self._entries()
        except TarDamageError as error:
            message = f"the tar archive is damaged: {error}; what follows is not read"
            raise SourceError("archive.broken", message) from error
        damage = self._blocks.damage
        if damage is not None and damage.reason != "truncated":
            raise SourceError("archive.broken", damage.message)
        self.truncated = damage.message if damage else self.truncated

    def _entries(self) -> Iterator[ArchiveEntry]:
        has_end = False
        while block := self._cursor.take(BLOCK):
            if len(block) < BLOCK:
                self.truncated = _TRUNCATED
                return
            if not block.strip(b"\0"):
                has_end = True
                continue
            has_end = False
            found = self._with_extensions(read_tar_header(block))
            if found is None:
                self.truncated = _TRUNCATED
                return
            entry, size = found
            if entry is not None:
                yield entry
            missing = entry.finish() if entry else self._cursor.skip(size)
            if missing or self._cursor.skip(-size % BLOCK):
                self.truncated = _TRUNCATED
                return
        self.truncated = "" if has_end else _NO_END

    def _with_extensions(self, header: TarHeader) -> tuple[_TarEntry | None, int] | None:
        """Return the member that a header begins, and its size; None at the end of the archive."""
        long_name = b""
        records = dict(self._common)
        for _ in range(MAX_HEADERS):
            if header.type in PAX or header.type in (LONG_NAME, LONG_LINK, PAX_GLOBAL):
                data = self._data(header.size)
                if data is None:
                    return None
                if header.type == LONG_NAME:
                    long_name = data.partition(b"\0")[0]
                elif header.type == PAX_GLOBAL:
                    self._common |= read_pax(data)
                    records = self._common | records
                elif header.type != LONG_LINK:
                    records |= read_pax(data)
                block = self._cursor.take(BLOCK)
                if len(block) < BLOCK:
                    return None
                header = read_tar_header(block)
                continue
            name = records.get(b"path") or long_name or header.name
            return self._member(header, name, records)
        raise TarDamageError("too many headers before one member")

    def _data(self, size: int) -> bytes | None:
        if size > MAX_HEADER_BYTES:
            raise SourceError("archive.budget", f"a header of the archive has {size} bytes")
        data = self._cursor.take(size + -size % BLOCK)
        return data[:size] if len(data) >= size else None

    def _member(
        self, header: TarHeader, name: bytes, records: dict[bytes, bytes]
    ) -> tuple[_TarEntry | None, int] | None:
        size = header.size
        if header.type not in OTHERS and header.type not in DIRECTORIES:
            size = pax_size(records, size)
        is_extended = header.is_extended
        while is_extended:
            block = self._cursor.take(BLOCK)
            if len(block) < BLOCK:
                return None
            is_extended = block[504] != 0
        if header.type in DIRECTORIES or header.type == VOLUME_LABEL:
            return None, size
        entry = _TarEntry(self._cursor, name.decode("utf-8", "surrogateescape"), size)
        if header.type in OTHERS:
            entry.skipped = OTHERS[header.type]
        elif header.type == SPARSE or any(r.startswith(b"GNU.sparse.") for r in records):
            entry.refused = "it is a sparse file, with holes left out"
        elif header.type not in FILE_TYPES:
            entry.refused = "it is a part of a file, or of a kind that nobody knows"
        return entry, size
