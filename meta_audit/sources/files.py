"""Regular files, opened so that nothing blocks."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import BinaryIO, Final

from meta_audit.cut.alone import document_alone
from meta_audit.cut.blocks import BLOCK_BYTES, Item
from meta_audit.cut.detect import HEAD_BYTES
from meta_audit.errors import SourceError
from meta_audit.sources.compression import Budget
from meta_audit.sources.content_memory import ContentMemory
from meta_audit.sources.interface import Stamp
from meta_audit.sources.stream import ByteStream, unreadable

_KINDS: Final[tuple[tuple[Callable[[int], bool], str], ...]] = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class File(ByteStream):
    """A regular file. `status` is what the system said of it when it was found.

    One that was small enough to be read whole then has its `content`, and is not opened again.
    `absolute` is its path from the root, under which `memory` knows it.
    """

    def __init__(
        self,
        path: str,
        *,
        absolute: str = "",
        status: os.stat_result | None = None,
        memory: ContentMemory | None = None,
        remembered: bytes = b"",
        content: bytes | None = None,
        budget: Budget | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        stamp = status and Stamp(
            path, status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino
        )
        super().__init__(display(path), stamp=stamp, budget=budget, block_bytes=block_bytes)
        self._path = path
        self._absolute = absolute
        self._content = content
        self._memory = memory
        self._mark = memory.mark_of(status) if status and memory else ""
        self.remembered = remembered

    def digest(self) -> bytes:
        """Return the SHA-256 of the file as it is now. Raises `SourceError` as `open_file` does."""
        content = self._content
        sha256 = digest(self._path) if content is None else hashlib.sha256(content).digest()
        self._remember(sha256)
        return sha256

    def batches(self) -> Iterator[list[Item]]:
        """Read it as `ByteStream.batches` says, and remember its hash."""
        yield from self._alone() or super().batches()
        self._remember(self.sha256)

    def _alone(self) -> list[list[Item]]:
        """Return the one document that the content is, where that is plain to see."""
        content = self._content = self._content or self._small()
        if content is None or self.is_stopping():
            return []
        document = document_alone(content, self.uri)
        if document is None:
            return []
        self.sha256, self.bytes_read = hashlib.sha256(content).digest(), len(content)
        self.partial = None
        return [[document]]

    def _small(self) -> bytes | None:
        """Return the content of a small file that was remembered and not opened yet."""
        stamp = self.stamp
        if stamp is None or not self.remembered or stamp.size > HEAD_BYTES:
            return None
        with suppress(SourceError, OSError), open_file(self._path) as file:
            content = file.read(HEAD_BYTES + 1)
            now = os.fstat(file.fileno())
            if len(content) == stamp.size and now.st_mtime_ns == stamp.modified_at:
                return content
        return None

    def _remember(self, sha256: bytes) -> None:
        if self._memory and self._mark:
            self._memory.remember(self._absolute, self._mark, sha256)

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open the file; raise `SourceError` (`source.changed`) when it changed while open."""
        if self._content is not None:
            yield BytesIO(self._content)
            return
        with open_file(self._path) as file:
            before = os.fstat(file.fileno())
            yield file
            self._check_unchanged(before, os.fstat(file.fileno()))

    def _check_unchanged(self, before: os.stat_result, after: os.stat_result) -> None:
        if self.bytes_read == after.st_size and (
            (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        ):
            return
        raise SourceError(
            "source.changed",
            f"it changed while it was read ({before.st_size} bytes before, {after.st_size} "
            f"after, {self.bytes_read} read)",
            advice="Read it again when nothing writes to it, or take a copy first.",
        )


def display(path: str) -> str:
    r"""Return a path as text that can be stored: bytes that are not UTF-8 become `\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def open_file(path: str) -> BinaryIO:
    """Open a regular file, unbuffered, and never wait for a FIFO or wake a device.

    Raises `SourceError`: `source.missing`, `source.unreadable`, `source.not_regular`.
    """
    try:
        _check_regular(os.stat(path).st_mode)
        # What the path names may have changed since: opening must not block even then.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        file = os.fdopen(descriptor, "rb", buffering=0)
    except (OSError, ValueError) as error:
        raise unreadable(error) from error
    try:
        _check_regular(os.fstat(descriptor).st_mode)
    except SourceError:
        file.close()
        raise
    return file


def digest(path: str) -> bytes:
    """Return the SHA-256 of a whole file. Raises `SourceError` as `open_file` does."""
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
    except OSError as error:
        raise unreadable(error) from error


def _check_regular(mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kind = next((name for test, name in _KINDS if test(mode)), "something else")
    raise SourceError(
        "source.not_regular",
        f"not a regular file but {kind}",
        advice="Name a FIFO itself, or pipe a stream in and name the source -.",
    )
