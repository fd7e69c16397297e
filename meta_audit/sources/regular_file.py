"""Files opened so that nothing blocks, and what cannot be opened said by name."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from typing import BinaryIO, Final

from meta_audit.errors import SourceError

_KINDS: Final[tuple[tuple[Callable[[int], bool], str], ...]] = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
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


def unreadable(error: OSError | ValueError) -> SourceError:
    """Return the `SourceError` that says what the operating system said."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SourceError("source.missing", "no such file or directory", advice="Check the path.")
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return SourceError("source.not_regular", "a loop of symbolic links")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SourceError(
        "source.unreadable",
        f"cannot be read: {reason}",
        advice="Check that it may be read, and that the disk is sound.",
    )


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
        advice="A stream can be read as standard input: pipe it in and name the source -.",
    )
