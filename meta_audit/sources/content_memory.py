"""Remember which content a file or an object had, so that it need not be read again.

This is a cache and no evidence: a mark (an ETag, or what the system says of a file) only tells
the SHA-256, and the store tells whether it has read such bytes. Losing the file of this memory
costs reading everything once more, and no document.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS contents (
        name TEXT PRIMARY KEY, mark TEXT NOT NULL, sha256 BLOB NOT NULL
    ) WITHOUT ROWID"""
_WAIT_SECONDS: Final = 5
SETTLED: Final = 2_000_000_000
"""Nanoseconds after which a file that changed can be told by its time: clocks tick coarsely."""
AT_ONCE: Final = 10_000
"""Most contents that wait to be written."""
MOST_BYTES: Final = 1 << 29
"""Size of the file above which it is begun anew."""


def memory_file() -> Path | None:
    """Return where this user's memory is kept, None for a user without a home."""
    with suppress(RuntimeError):
        return user_cache_path("meta-audit") / "contents.db"
    return None


class ContentMemory:
    """The contents in one file. Without one, or where it cannot be used, nothing is remembered.

    Unless it `is_read`, nothing is known, and what is read is remembered anew.
    """

    def __init__(
        self,
        file: Path | None = None,
        *,
        is_read: bool = True,
        settled: int = SETTLED,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._file = file
        self._is_read = is_read
        self._settled = settled
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._reader: sqlite3.Connection | None = None
        self._was_asked = False
        self._waiting: list[tuple[str | bytes, str, bytes]] = []

    def mark_of(self, status: os.stat_result) -> str:
        """Return what tells a state of a file from others; empty while it may change unnoticed."""
        changed_at = status.st_ctime_ns
        if time.time_ns() - changed_at < self._settled:
            return ""
        times = f"{status.st_mtime_ns} {changed_at}"
        return f"{status.st_size} {times} {status.st_dev} {status.st_ino}"

    def sha256(self, name: str, mark: str) -> bytes:
        """Return the SHA-256 of content that was read before, else nothing."""
        if not mark or not self._is_read:
            return b""
        with self._lock, suppress(sqlite3.Error):
            if not self._was_asked:
                self._was_asked = True
                if self._file and self._file.exists():
                    self._reader = _connected(self._file)
            if self._reader is not None:
                sql = "SELECT sha256 FROM contents WHERE name = ? AND mark = ?"
                found = self._reader.execute(sql, (_key(name), mark)).fetchone()
                return bytes(found[0]) if found else b""
        return b""

    def remember(self, name: str, mark: str, sha256: bytes) -> None:
        """Remember what was read."""
        if mark and sha256:
            self._waiting.append((_key(name), mark, sha256))
        if len(self._waiting) >= AT_ONCE:
            self.write()

    def write(self) -> None:
        """Write what is not written yet."""
        waiting, self._waiting = self._waiting, []
        file = self._file
        if not waiting or not file:
            return
        with suppress(sqlite3.Error, OSError):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(_connected(file)) as connection, connection:
                connection.execute(_TABLE)
                if file.stat().st_size > self._most_bytes:
                    connection.execute("DELETE FROM contents")
                sql = "INSERT OR REPLACE INTO contents VALUES (?, ?, ?)"
                connection.executemany(sql, waiting)
        self._was_asked = self._reader is not None

    def close(self) -> None:
        """Write what is not written yet, and close the file."""
        self.write()
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None


def _key(name: str) -> str | bytes:
    """Return a name as SQLite takes it: the bytes of a file's name that is not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape")
    return name


def _connected(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=_WAIT_SECONDS, check_same_thread=False)
    connection.execute("PRAGMA synchronous = OFF")  # it may be lost
    return connection
