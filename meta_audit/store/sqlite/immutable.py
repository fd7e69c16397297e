"""SQLite files that one may read and not write beside.

A reader shares locks with writers through a file beside the store, and so has to be able to make
it. Where it cannot (no rights, a read-only medium, a full disk) and nothing waits to be moved into
the store from its log or journal, the file is read as it stands, without locks; if it has changed
by the end, what was read is not to be relied on.
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
"""How the names of SQLite's errors begin where it cannot make the file."""
_UNFINISHED: Final = ("-wal", "-journal")


@dataclass(frozen=True)
class Still:
    """A store that is read without locks, as it stood when it was opened."""

    path: str
    stamp: tuple[int, ...]

    @classmethod
    def of(cls, path: str) -> Still | None:
        """The file, where it can only be read so, and may be."""
        still = cls(path, _stamp(path))
        try:
            with closing(sqlite3.connect(uri(path, immutable=False), uri=True)) as connection:
                connection.execute("PRAGMA schema_version").fetchone()
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            if name.startswith(_NO_FILE_BESIDE) and not _is_unfinished(path):
                return still
        return None

    def must_be_unchanged(self, _: object = None) -> None:
        """Raise `StoreError` where it was written to since."""
        if _stamp(self.path) != self.stamp:
            raise StoreError(
                f"the store {self.path} was written to while it was read, and you may not lock it",
                advice="Run the same command again when nobody imports into it.",
            )


def uri(path: str, *, immutable: bool) -> str:
    """The file for SQLite, to be read only."""
    escaped = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    host = "//" if path.startswith("/") else ""  # else a second slash would begin one
    return f"file:{host}{escaped}?{'immutable=1' if immutable else 'mode=ro'}"


def _is_unfinished(path: str) -> bool:
    """Whether something was written that the file does not hold yet, or is to be undone in it."""
    return any(f.exists() and f.stat().st_size for f in [Path(path + e) for e in _UNFINISHED])


def _stamp(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
