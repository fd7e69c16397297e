"""Make the file of a new store: completely or not at all."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import time
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Final

from meta_audit.errors import StoreError
from meta_audit.store.durable import sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable

_DRAFT: Final = ".new"
_LEFT_SECONDS: Final = 60
"""Age at which a draft that nobody has locked was left by a process that was killed."""
_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""Errors of a file system without hard links."""


def make_file(path: Path, fill: Callable[[Path], None]) -> bool:
    """Make the file if there is none. Return True if this call made it.

    `fill` gets an empty file in the same directory, which then appears at `path` as a whole. So
    nobody sees half a store, two processes cannot disturb each other, and a failure leaves
    nothing behind. Raises `StoreError`, and any error that `fill` raises.
    """
    if path.exists():
        return False
    missing = [directory for directory in path.parents if not directory.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _make_beside(path, fill)
    except OSError as error:
        raise StoreError(
            f"cannot make the store {path}: {error.strerror}",
            advice="Check write access to its directory, or name another store with --db.",
        ) from error
    finally:
        if not path.exists():
            for directory in missing:
                with suppress(OSError):
                    directory.rmdir()


def _make_beside(path: Path, fill: Callable[[Path], None]) -> bool:
    _remove_left_drafts(path)
    descriptor, name = mkstemp(prefix=f".{path.name}.", suffix=_DRAFT, dir=path.parent)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        fill(Path(name))
        try:
            os.link(name, path)
        except FileExistsError:  # another process was first: use its store
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _make_in_place(path, fill)
        sync_directory(path.parent)
        return True
    finally:
        _remove_draft(Path(name))
        os.close(descriptor)


def _make_in_place(path: Path, fill: Callable[[Path], None]) -> bool:
    """Make the file on a file system that has no hard links.

    `fill` makes all tables in one transaction, so nobody sees half a store here either. But an
    empty file may be left, in which the next process makes them.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    sync_directory(path.parent)
    fill(path)
    return True


def _remove_left_drafts(path: Path) -> None:
    """Remove what processes left that were killed while they made this store."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*{_DRAFT}"):
        with suppress(OSError):
            descriptor = os.open(draft, os.O_RDWR | os.O_NOFOLLOW)
            try:
                # A new one may not be locked yet.
                if time.time() - os.fstat(descriptor).st_mtime > _LEFT_SECONDS:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove_draft(draft)
            finally:
                os.close(descriptor)


def _remove_draft(draft: Path) -> None:
    for ending in ("-wal", "-shm", "-journal", ""):
        Path(f"{draft}{ending}").unlink(missing_ok=True)
