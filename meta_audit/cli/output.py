"""Write what a command has to say: results to stdout, notes and errors to stderr."""

from __future__ import annotations

import os
import shutil
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from meta_audit.cli import log, options, pager

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Unpack

    from meta_audit.api import AuditStore
    from meta_audit.cli import Exit
    from meta_audit.query.matching import SearchChoice
    from meta_audit.render.layout import Screen
    from meta_audit.render.page import Page


PARTS_PER_WRITE: Final = 1_000


def write(page: Page[Any], format_: str, *, to_stderr: bool = False) -> None:
    """Write a result in a format, and its notes; to stderr where stdout is for other things."""
    from meta_audit.render.formats import render

    content = render(page, format_, screen())
    for line in page.notes():
        note(line)
    if to_stderr:
        if content:
            log.say(content.decode().rstrip("\n"))
    elif format_ != "text" or pager.fits(content):
        write_bytes(content)
    else:
        write_stream([content])


def write_about_job(found: Any, page: type[Page[Any]], format_: str) -> Exit:
    """Write a result about one job; or the jobs that an ambiguous JOB may mean."""
    from meta_audit.cli import Exit
    from meta_audit.query.results import Candidates

    if isinstance(found, Candidates):
        from meta_audit.render.jobs import CandidatesPage

        write(CandidatesPage(found), format_)
        return Exit.ATTENTION
    write(page(found), format_)
    return Exit.DONE


def nothing_found(store: AuditStore, *expressions: str, **choice: Unpack[SearchChoice]) -> Exit:
    """Explain on stderr why no job matches. Raises `NotFoundError` as `AuditStore.find`."""
    from meta_audit.cli import Exit
    from meta_audit.render.jobs import FoundPage

    write(FoundPage(store.find(*expressions, limit=1, **choice)), "text", to_stderr=True)
    return Exit.ATTENTION


def write_report(page: Page[Any], format_: str, code: Exit) -> Exit:
    """Write the result of work; with --quiet the text only where there is something to report."""
    if code or format_ != "text" or not options.is_quiet():
        write(page, format_)
    return code


def done(line: str) -> None:
    """Print a line about work that went well, unless --quiet is given. The caller escapes it."""
    if not options.is_quiet():
        click.echo(line)


def note(line: str) -> None:
    """Print a line on stderr, unless --quiet is given. The caller escapes it."""
    if not options.is_quiet():
        log.say(line)


def screen() -> Screen:
    """Describe the terminal that stdout is, if it is one. NO_COLOR and TERM=dumb are respected."""
    from meta_audit.render.layout import Screen

    encoding = sys.stdout.encoding or "utf-8"
    if not sys.stdout.isatty():
        return Screen(encoding=encoding)
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return Screen(shutil.get_terminal_size().columns, color=not plain, encoding=encoding)


def write_bytes(content: bytes) -> None:
    """Write bytes to stdout, nothing added."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def write_stream(chunks: Iterable[bytes]) -> None:
    """Write text to stdout as it comes; at a terminal through the pager."""
    sys.stdout.flush()
    command = pager.pager()
    if command and pager.show(chunks, command):
        return
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def write_parts(parts: Iterator[bytes], format_: str) -> None:
    """Write the parts of a page as they come."""
    if format_ == "text":
        write_stream(parts)
        return
    while some := b"".join(islice(parts, PARTS_PER_WRITE)):
        write_bytes(some)


def write_file(path: str, content: bytes) -> None:
    """Write a file that the command line names, completely or not at all. Raises `UsageError`.

    Raises `OSError` if the disk fails.
    """
    from meta_audit.cli import DISK_ERRORS
    from meta_audit.errors import UsageError
    from meta_audit.store.durable import write_whole

    target = Path(path).resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
        else:
            write_whole(target, [content], replace=True)
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
