"""Make changes to files and directories durable."""

from __future__ import annotations

import os
from secrets import token_hex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def sync_directory(path: Path) -> None:
    """Write the entries of a directory to disk. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, chunks: Iterable[bytes], *, replace: bool) -> int:
    """Write a file that appears completely or not at all. Return its bytes.

    An existing file stays as it is until then. Raises `OSError`, and `FileExistsError` if there
    is a file and `replace` is false.
    """
    draft = path.with_name(f".{path.name}.{token_hex(8)}.new")
    try:
        with draft.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
            size = file.tell()
            file.flush()
            os.fsync(file.fileno())
        if not replace and os.path.lexists(path):
            raise FileExistsError(str(path))
        draft.replace(path)
        sync_directory(path.parent)
    finally:
        draft.unlink(missing_ok=True)
    return size
