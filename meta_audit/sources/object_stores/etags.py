"""Remember what content an ETag stands for, so that it need not be read again.

This is a cache and no evidence: an ETag only tells the SHA-256, and the store tells whether it
has read such bytes. Losing the file costs reading everything once more, and no document.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS etags (
        uri TEXT PRIMARY KEY, etag TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL
    ) WITHOUT ROWID"""
_WAIT_SECONDS: Final = 5


class Etags:
    """The ETags in one file. Where it cannot be used, nothing is remembered."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def sha256(self, uri: str, etag: str, size: int) -> bytes:
        """Return the SHA-256 of content that was read before, else nothing."""
        sql = "SELECT sha256 FROM etags WHERE uri = ? AND etag = ? AND size = ?"
        if self._file.exists():
            with suppress(sqlite3.Error), closing(self._connected()) as connection:
                found = connection.execute(sql, (uri, etag, size)).fetchone()
                return bytes(found[0]) if found else b""
        return b""

    def remember(self, uri: str, etag: str, size: int, sha256: bytes) -> None:
        """Remember what was read."""
        with suppress(sqlite3.Error, OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(self._connected()) as connection, connection:
                connection.execute(_TABLE)
                row = (uri, etag, size, sha256)
                connection.execute("INSERT OR REPLACE INTO etags VALUES (?, ?, ?, ?)", row)

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=_WAIT_SECONDS)
        connection.execute("PRAGMA synchronous = OFF")  # it may be lost
        return connection
