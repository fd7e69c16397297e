"""Progress on stderr: one live line on a terminal; elsewhere nothing but what went wrong."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from meta_audit.cli import log, options
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from meta_audit.errors import SourceError
    from meta_audit.ingest.result import Counts


class Line:
    """Show no progress, but print messages."""

    is_live = False

    def show(self, text: str, done: float = 0, total: float | None = None) -> None:
        """Say how far the work is."""

    def say(self, message: str) -> None:
        """Print a message, escaped by the caller."""
        log.say(message)


class LiveLine(Line):
    """Show progress in one line that changes: text, bar, time left."""

    is_live = True

    def __init__(self, bar: Bar, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def show(self, text: str, done: float = 0, total: float | None = None) -> None:
        """Show how far the work is."""
        self._bar.update(self._task, text=text, completed=done, total=total)

    def say(self, message: str) -> None:
        """Print a message above the live line."""
        self._bar.console.print(message, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(text: str) -> Iterator[Line]:
    """Open a live line where stderr is a terminal and --quiet is not given."""
    if options.is_quiet() or log.is_json() or not sys.stderr.isatty():
        yield Line()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.fields[text]}", markup=False),
        BarColumn(bar_width=24),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield LiveLine(bar, bar.add_task("", total=None, text=escape(text)))


class ImportReporter:
    """Report an import: what was refused, and how many files were skipped."""

    def __init__(
        self, line: Line | None = None, *, verbose: bool = False, total: int | None = None
    ) -> None:
        self._line = line or Line()
        self._verbose = verbose
        self._total = total
        self._skipped: Counter[str] = Counter()
        self._bytes = 0

    def skipped(self, uri: str, why: str) -> None:
        """Count a file that is no document."""
        self._skipped[why] += 1
        if self._verbose:
            self._line.say(f"Skipped {escape(uri)}: {escape(why)}")

    def refused(self, uri: str, error: SourceError) -> None:
        """Report a source that could not be read."""
        why = str(error).removeprefix(f"{uri}: ")
        self._line.say(f"Refused {escape(uri)}: {escape(why)} ({error.code})")
        if error.advice:
            self._line.say(f"  {escape(error.advice)}")

    def read(self, size: int) -> None:
        """Count bytes that were read."""
        self._bytes += size

    def wrote(self, counts: Counts) -> None:
        """Show the counts."""
        from meta_audit.render.layout import count

        text = f"{count(counts.documents, 'document')}, {counts.rejected:,} rejected"
        self._line.show(text, self._bytes, self._total)

    def skipped_files(self) -> str:
        """Return a line that counts the skipped files by kind, or nothing."""
        from meta_audit.render.layout import count

        kinds = ", ".join(
            f"{escape(why)}: {number:,}" for why, number in self._skipped.most_common()
        )
        more = "" if self._verbose else ". --verbose names them"
        total = count(self._skipped.total(), "file")
        return f"Skipped {total} ({kinds}){more}." if kinds else ""


def total_bytes(sources: Sequence[str]) -> int | None:
    """Sum up the bytes of all sources, or None where standard input or a pipe is one of them."""
    if "-" in sources or any(Path(source).is_fifo() for source in sources):
        return None
    total = 0
    for source in map(Path, sources):
        files = source.rglob("*") if source.is_dir() else (source,)
        total += sum(f.stat().st_size for f in files if f.is_file())
    return total
