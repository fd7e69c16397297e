"""Read an SQLite file in a directory that the reader may not write.

A reader shares locks with writers through a file beside the store, so it must be able to make
that file. Where it cannot (no rights, read-only medium, full disk) and no log or journal waits
to be merged, the file is read as it stands, without locks. If it has changed by the end, the
read has failed.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meta_audit.errors import StoreError

_NO_FILE_BESIDE: Final = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR_SHM")
"""Beginnings of SQLite's error names where it cannot make the file beside the store."""
_UNFINISHED: Final = ("-wal", "-journal")


@dataclass(frozen=True)
class Immutable:
    """A store that is read without locks, as it stood when it was opened."""

    path: str
    stamp: tuple[int, ...]

    @classmethod
    def needed_for(cls, path: str) -> Immutable | None:
        """Return the file if it can be read only this way, and may be."""
        file = cls(path, _stamp(path))
        try:
            with closing(sqlite3.connect(uri(path, immutable=False), uri=True)) as connection:
                connection.execute("PRAGMA schema_version").fetchone()
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            if name.startswith(_NO_FILE_BESIDE) and not _is_unfinished(path):
                return file
        return None

    def check_unchanged(self, _: object = None) -> None:
        """Raise `StoreError` if the file was written to since it was opened."""
        if _stamp(self.path) != self.stamp:
            raise StoreError(
                f"the store {self.path} was written to while it was read, and you may not lock it",
                advice="Run the same command again when nobody imports into it.",
            )


def uri(path: str, *, immutable: bool) -> str:
    """Return the file as a URI for SQLite, to be read only."""
    escaped = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    host = "//" if path.startswith("/") else ""  # else a second slash would begin one
    return f"file:{host}{escaped}?{'immutable=1' if immutable else 'mode=ro'}"


def _is_unfinished(path: str) -> bool:
    """Return whether a log or journal holds changes that the file does not."""
    return any(f.exists() and f.stat().st_size for f in [Path(path + e) for e in _UNFINISHED])


def _stamp(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
