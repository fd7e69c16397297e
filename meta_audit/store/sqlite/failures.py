"""Errors of SQLite, in words that help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meta_audit.errors import DamagedStoreError, StoreError

if TYPE_CHECKING:
    import sqlite3

ADVICE: Final = {
    "FULL": "The disk is full. Make room, then run the same command again.",
    "IOERR": "The disk failed or is full; the system's log says more. Completed work is saved."
    " Fix the problem and run the command again.",
    "BUSY": "Another program holds the store. Wait for it, then run the same command again.",
    "READONLY": "Check write access to the file and its directory, or name another store with"
    " --db.",
    "READONLY_ROLLBACK": "An import was cut off. Run it again: this repairs the store.",
    "CANTOPEN": "Check that its directory exists, that you may write in it, and that the disk has"
    " room. After an import that was cut off, reading needs that too: run the import again.",
    "CORRUPT": "The file is damaged, or the disk cannot be read. Run `meta-audit verify`; if that"
    " fails too, restore the file from a backup.",
    "NOTADB": "This is not an SQLite file. Name another store with --db.",
    "ERROR": "A part of the store is missing or was changed. Run `meta-audit verify`.",
    "other": "Completed work is saved. Fix the problem and run the command again.",
}
"""By SQLite's error name, whole or its first word."""
_NOT_DAMAGE: Final = (
    *("BUSY", "LOCKED", "FULL", "READONLY", "CANTOPEN", "NOMEM", "INTERRUPT", "PERM", "AUTH"),
    *("CONSTRAINT", "NOTADB"),
)
"""First words of errors that say nothing about the content of the file."""
_NOT_UTF8: Final = "decode to UTF-8"
"""From the message of Python's driver about a text that is not UTF-8."""


def failure(name: str, error: Exception, kind: type[StoreError] | None = None) -> StoreError:
    """Return the error that a person sees, for an error of the driver in the store `name`."""
    code = _code(error)
    damaged = not code.startswith(_NOT_DAMAGE) if code else _NOT_UTF8 in str(error)
    kind = kind or (DamagedStoreError if damaged else StoreError)
    shown = f" (SQLITE_{code})" if code else ""
    advice = ADVICE.get(code) or ADVICE.get(code.split("_")[0], ADVICE["other"])
    return kind(f"the store {name} failed: {error}{shown}", advice=advice)


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether another connection holds the file."""
    return _code(error).startswith("BUSY")


def _code(error: Exception) -> str:
    return getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_")
