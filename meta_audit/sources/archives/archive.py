"""Choose the members of an archive that are read."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, Protocol

from meta_audit.cut.blocks import BLOCK_BYTES, Blocks
from meta_audit.errors import SourceError
from meta_audit.sources.archives.archive_entry import ArchiveEntry
from meta_audit.sources.archives.member import Member
from meta_audit.sources.archives.names import is_package, may_hold_jobs, tidy, why_hostile
from meta_audit.sources.archives.tar import TarReader
from meta_audit.sources.archives.zip import ZipReader
from meta_audit.sources.compression import Budget, open_blocks
from meta_audit.sources.content import Look, look
from meta_audit.sources.files import File
from meta_audit.sources.interface import Archive, Skipped, Source, Unreadable
from meta_audit.sources.likely import HEAD_BYTES, NOT_A_JOB, why_not
from meta_audit.sources.stream import unreadable

MAX_MEMBERS: Final = 1_000_000
"""Most members of one archive."""
_BZIP2_BLOCK: Final = 1 << 20
"""Bytes of bzip2 data in which one block of it ends."""
_UNPACK: Final = "If it is what it should be, unpack the archive and give the directory."

WhyNot = Callable[[str], str]
"""Say by the path of a member why it is passed over."""


class _Reader(Protocol):
    def entries(self) -> Iterator[ArchiveEntry]: ...


class ArchiveFile(Archive):
    """A tar or zip archive, whose members are chosen as files in a directory are."""

    def __init__(
        self,
        path: str,
        status: os.stat_result,
        *,
        is_zip: bool,
        why_not: WhyNot,
        budget: Budget | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        file = _Whole(path, status=status, budget=budget, block_bytes=block_bytes)
        assert file.stamp is not None  # noqa: S101 - by the status
        self.uri, self.stamp = file.uri, file.stamp
        self._file = file
        self._is_zip = is_zip
        self._why_not = why_not
        self._budget = budget or Budget()
        self._block_bytes = block_bytes
        self._unpacked = 0

    @property
    def bytes_read(self) -> int:
        """Return the bytes of the file consumed so far."""
        return self._file.bytes_read

    def members(self) -> Iterator[Source | Skipped | Unreadable]:
        """Yield the members as `Archive.members` says.

        Raises `SourceError`: `archive.budget`, `archive.broken`, and as `File.batches` does.
        """
        self._unpacked, self.truncated = 0, ""
        try:
            if self._is_zip:
                with self._file.opened() as file:
                    yield from self._members(ZipReader(file, self.unpack))
                    self._file.hash(file)
            else:
                with self._file.content() as blocks:
                    reader = TarReader(blocks)
                    yield from self._members(reader)
                    self.truncated = reader.truncated
        except OSError as error:
            failed = unreadable(error)
            raise SourceError(failed.code, f"{self.uri}: {failed}", advice=failed.advice) from error
        except SourceError as error:
            raise SourceError(error.code, f"{self.uri}: {error}", advice=error.advice) from error
        self.sha256 = self._file.sha256

    def unpack(self, size: int) -> None:
        """Count bytes that members expanded to. Raises `SourceError` (`archive.budget`)."""
        self._unpacked += size
        consumed = self.stamp.size if self._is_zip else self._file.bytes_read
        self._budget.check(consumed, self._unpacked)

    def _members(self, reader: _Reader) -> Iterator[Source | Skipped | Unreadable]:
        taken: Counter[str] = Counter()
        for number, entry in enumerate(reader.entries(), 1):
            if number > MAX_MEMBERS:
                message = f"the archive has more than {MAX_MEMBERS:,} members"
                raise SourceError("archive.budget", message, advice=_UNPACK)
            self.unpack(0)  # what is beyond the budget ends the archive, not only a member
            yield self._member(entry, taken)

    def _member(self, entry: ArchiveEntry, taken: Counter[str]) -> Source | Skipped | Unreadable:
        name = tidy(entry.name)
        uri = f"{self.uri}!{name}"
        hostile = why_hostile(entry.name)
        why = entry.skipped or ("" if hostile else self._why_not(name))
        if why:
            return Skipped(uri, why)
        if entry.refused and not hostile and not may_hold_jobs(name):
            return Skipped(uri, NOT_A_JOB)
        if hostile or entry.refused:
            return Unreadable(uri, "archive.member", hostile or entry.refused, _UNPACK)
        try:
            found = self._look(entry)
            if found.container in ("tar", "zip"):
                if is_package(name):
                    return Skipped(uri, "archive or database")
                message = "an archive within an archive is not unpacked"
                return Unreadable(uri, "archive.budget", message, _UNPACK)
            why = "" if found.container else why_not(name, found.head)
        except SourceError as error:
            if error.code == "source.format":
                return Skipped(uri, "archive or database")
            return Unreadable(uri, error.code, str(error), error.advice)
        if why:
            return Skipped(uri, why)
        taken[name] += 1
        if taken[name] > 1:
            uri = f"{uri}#{taken[name]}"
        return Member(entry, uri, _MemberBudget(self), self._block_bytes)

    def _look(self, entry: ArchiveEntry) -> Look:
        head = entry.head(HEAD_BYTES)
        if head.startswith(b"BZh"):
            head = entry.head(_BZIP2_BLOCK)
        return look([head], _MemberBudget(self), HEAD_BYTES)


class _Whole(File):
    """A file that is read from its beginning to its end, whatever its members."""

    @contextmanager
    def content(self) -> Iterator[Blocks]:
        """Give the content, decompressed if it is compressed."""
        with self.opened() as file:
            raw = self._raw(file)
            yield open_blocks(raw, self._budget)
            for _ in raw:  # what follows after damage: it belongs to the hash
                pass

    def hash(self, file: BinaryIO) -> None:
        """Hash the whole file, from which some parts were read."""
        file.seek(0)
        self.sha256 = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
        self.bytes_read = file.tell()


class _MemberBudget:
    """Limit how far the members of an archive expand together."""

    def __init__(self, archive: ArchiveFile) -> None:
        self._archive = archive
        self._counted = 0

    def check(self, consumed: int, produced: int) -> None:  # noqa: ARG002 - of the archive
        self._archive.unpack(produced - self._counted)
        self._counted = produced
