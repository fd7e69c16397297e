"""Write an export to a file that appears as a whole, or to one that is open."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from meta_audit.errors import UsageError
from meta_audit.export.writers import FORMATS, written
from meta_audit.store.durable import write_whole

if TYPE_CHECKING:
    from meta_audit.export.matched import MatchedJobs

_DISK: Final = errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG
"""Errors that are not the fault of the name."""


def check_target(path: str, *, replace: bool) -> None:
    """Raise `UsageError` if a file cannot be made there."""
    target = Path(path)
    if os.path.lexists(target):
        if target.is_dir() or not target.is_file():
            raise UsageError(f"{path} is not a file", advice="Name a new file, or - for a pipe.")
        if not replace:
            raise UsageError(f"{path} exists", advice="Name a new file, or add --force.")
    elif not target.parent.is_dir():
        raise UsageError(f"there is no directory {target.parent}", advice="Make it first.")


def write_export(
    jobs: MatchedJobs, to: str | IO[bytes], format_: str, *, replace: bool = False
) -> int:
    """Write jobs in a format, and return how many. Raises `UsageError`, `OSError`."""
    if format_ not in FORMATS:
        raise UsageError(f"unknown format {format_}", advice=f"Use one of {', '.join(FORMATS)}.")
    if not isinstance(to, str):
        for chunk in written(jobs, format_, ""):
            to.write(chunk)
        return jobs.count - jobs.left_out
    try:
        write_whole(Path(to), written(jobs, format_, to), replace=replace)
    except OSError as error:
        if error.errno in _DISK:
            raise
        said = error.strerror or "it exists"
        raise UsageError(f"cannot write {to}: {said}", advice="Name another file.") from error
    return jobs.count - jobs.left_out
