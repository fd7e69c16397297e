"""Append checkpoints to a file outside the database, after each import.

It holds the store's checkpoints in their order, each followed by an empty line, beginning with
any one of them. A torn or a missing append is made good by the next.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meta_audit.errors import StoreError
from meta_audit.store.durable import sync_directory

if TYPE_CHECKING:
    from meta_audit.store.session import Session

ENVIRONMENT: Final = "META_AUDIT_CHECKPOINT_LOG"
_ADVICE: Final = (
    "The import is saved; its checkpoint is in the store only. Fix the problem, or name another"
    " file with --checkpoint-log: the next import appends what is missing."
)


def locate(given: str | None, store_file: Path | None) -> Path | None:
    """Return the path as given, else from the environment, else beside the store.

    Raises `StoreError` for `~` where the user has no home directory.
    """
    text = given or os.environ.get(ENVIRONMENT) or (store_file and f"{store_file}.checkpoints")
    try:
        return Path(text).expanduser() if text else None
    except RuntimeError as error:
        raise StoreError(
            f"this user has no home directory: cannot find {text}",
            advice="Set HOME, or give --checkpoint-log a path without ~.",
        ) from error


def append_missing(session: Session, path: Path) -> None:
    """Append the checkpoints of the store that the file does not hold yet, durably.

    Raises `StoreError` where it cannot be written, or holds what the store does not: those of
    another store, or newer ones than the store has, as when an old copy of it was put back.
    """
    try:
        if path.exists() and not path.is_file():
            raise StoreError(
                f"cannot append to the file of checkpoints {path}: not a regular file",
                advice=_ADVICE,
            )
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            rows = session.query("SELECT note FROM checkpoints ORDER BY checkpoint_id")
            every = "".join([f"{note}\n" for (note,) in rows]).encode()
            held = file.read()
            file.write(_rest(every, held, path))
            file.flush()
            os.fsync(file.fileno())
            if not held:
                sync_directory(path.parent)
    except OSError as error:
        raise StoreError(
            f"cannot append to the file of checkpoints {path}: {error.strerror}", advice=_ADVICE
        ) from error


def _rest(every: bytes, held: bytes, path: Path) -> bytes:
    """Return the bytes that follow those that the file holds."""
    begin = every.find(held)
    while begin > 0 and not _begins_note(every, begin):
        begin = every.find(held, begin + 1)
    if begin < 0:
        raise StoreError(
            f"the file of checkpoints {path} holds what this store does not: it belongs to"
            " another store, was changed, or an old copy of this store was put back",
            advice=f"Run `meta-audit verify --against {shlex.quote(str(path))}`. {_ADVICE}",
        )
    return every[begin + len(held) :]


def _begins_note(every: bytes, at: int) -> bool:
    """Tell whether a checkpoint begins here: after signatures and an empty line."""
    lines = every[:at].rsplit(b"\n", 3)
    return len(lines) == 4 and lines[2:] == [b"", b""] and lines[1].startswith("\u2014 ".encode())
