"""Show long text through a pager, as git does: only where a person sits at a terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LESS: Final = "FRX"
"""Options of less: stop if it fits the screen, show colours, leave the text there."""


def pager() -> list[str]:
    """Return the command of the pager: PAGER, else less; empty where none is to be used."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        return []
    chosen = os.environ.get("PAGER")
    if chosen is None:
        chosen = "less" if shutil.which("less") else ""
    try:
        return shlex.split(chosen)
    except ValueError:
        return []


def fits(content: bytes) -> bool:
    """Tell whether a text fits the terminal with a line for the prompt."""
    return content.count(b"\n") < shutil.get_terminal_size().lines


def show(chunks: Iterable[bytes], command: list[str]) -> bool:
    """Give text to the pager until it is left. Return False if there is no such program."""
    environment = os.environ | {"LESS": os.environ.get("LESS", LESS)}
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    except OSError:
        return False
    if process.stdin is None:
        return False
    with suppress(BrokenPipeError):
        _feed(process.stdin, chunks)
    while True:
        try:
            process.wait()
        except KeyboardInterrupt:  # it is the pager's
            continue
        return True


def _feed(into: IO[bytes], chunks: Iterable[bytes]) -> None:
    try:
        for chunk in chunks:
            into.write(chunk)
    finally:
        into.close()
