"""Progress on stderr: a live line on a terminal, only what went wrong elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from meta_audit.errors import SourceError
    from meta_audit.ingest.result import Counts


class Quiet:
    """Says what was skipped or refused, a line each."""

    def skipped(self, uri: str, why: str) -> None:
        """A file is no document."""
        self.say(f"Skipped {escape(uri)}: {escape(why)}")

    def refused(self, uri: str, error: SourceError) -> None:
        """A source could not be read."""
        why = str(error).removeprefix(f"{uri}: ")
        self.say(f"Refused {escape(uri)}: {escape(why)} ({error.code})")
        if error.advice:
            self.say(f"  {escape(error.advice)}")

    def read(self, size: int) -> None:
        """Nothing to say."""

    def wrote(self, counts: Counts) -> None:
        """Nothing to say."""

    def say(self, line: str) -> None:
        """Print a line on stderr."""
        click.echo(line, err=True)


class Live(Quiet):
    """A live line: bytes of total, documents, rate, rejected, time left."""

    def __init__(self, bar: Bar, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def read(self, size: int) -> None:
        """So many more bytes were read."""
        self._bar.advance(self._task, size)

    def wrote(self, counts: Counts) -> None:
        """Show the counts."""
        elapsed = self._bar.tasks[0].elapsed or 1.0
        rate = f"{counts.documents / elapsed:,.0f}/s"
        shown = f"{counts.documents:,} documents, {rate}, {counts.rejected:,} rejected"
        self._bar.update(self._task, counts=shown)

    def say(self, line: str) -> None:
        """Print a line above the live one."""
        self._bar.console.print(line, markup=False, highlight=False)


@contextmanager
def make_progress(sources: Sequence[str]) -> Iterator[Quiet]:
    """A live line on a terminal, else only the bad news."""
    if not sys.stderr.isatty():
        yield Quiet()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.fields[counts]}", markup=False),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield Live(bar, bar.add_task("ingest", total=_total(sources), counts="reading"))


def _total(sources: Sequence[str]) -> int | None:
    """Bytes of all sources, or None where standard input is one of them."""
    if "-" in sources:
        return None
    total = 0
    for source in map(Path, sources):
        files = source.rglob("*") if source.is_dir() else (source,)
        total += sum(f.stat().st_size for f in files if f.is_file())
    return total
