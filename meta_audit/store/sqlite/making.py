"""Make the file of a new store: completely, or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

from meta_audit.errors import StoreError
from meta_audit.store.durable import sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable


def make_file(path: Path, fill: Callable[[Path], None]) -> bool:
    """Make the file if there is none; return whether this call made it.

    `fill` gets an empty file beside it, which then takes its place. So nobody sees a store that
    is half made, two processes cannot disturb each other, and a failure leaves nothing behind.
    Raises `StoreError`, and what `fill` raises.
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
    descriptor, name = mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    os.close(descriptor)
    draft = Path(name)
    try:
        fill(draft)
        try:
            os.link(draft, path)
        except FileExistsError:  # another process was first: its store counts
            return False
        sync_directory(path.parent)
        return True
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            Path(f"{name}{ending}").unlink(missing_ok=True)
