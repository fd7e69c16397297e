"""`meta-audit segments`: read documents on many machines, and seal the results into one store."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from meta_audit.cli import DISK_ERRORS, Exit, options
from meta_audit.cli.import_output import report
from meta_audit.cli.option import argument, option
from meta_audit.cli.output import done, note
from meta_audit.cli.progress import ImportReporter, progress
from meta_audit.cli.writing import opened_to_write
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.group()
@options.common
def command() -> None:
    """Read documents on many machines, and take the results into one store.

    Each machine reads a part of the sources into a segment, which is one file (`segments make`);
    one process takes all segments in (`segments seal`). The store then says what it would after
    `meta-audit ingest` of the same sources. See docs/segments.md, also for Apache Spark.
    """


@command.command()
@argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@option(
    "--into",
    "folder",
    required=True,
    metavar="FOLDER",
    help="Where the segment is written: a path, or a URL of an object store (s3://BUCKET/PATH).",
)
@options.COERCE_SCALARS
@options.verbosity
def make(sources: tuple[str, ...], folder: str, *, coerce_scalars: bool) -> Exit:
    """Read sources into one segment in FOLDER. It needs no store.

    SOURCE is as for `meta-audit ingest`. To use all processors, run one command for each part of
    the sources. The same sources give the same file, so it is safe to run a command again, also
    after it was killed.
    """
    from meta_audit.ingest.segments import make_segment
    from meta_audit.render.layout import count

    with _written_to(folder), progress("reading") as line:
        reporter = ImportReporter(line, verbose=options.is_verbose())
        made = make_segment(sources, folder, coerce_scalars=coerce_scalars, reporter=reporter)
    if skipped := reporter.skipped_files():
        note(skipped)
    read = f"{count(made.documents, 'document')}, {made.rejected:,} rejected"
    done(f"{read}: {escape(made.path)}")
    if made.refused:
        return Exit.SOURCE
    return Exit.ATTENTION if made.rejected else Exit.DONE


@command.command()
@argument("folder")
@options.JOBS
@options.CHECKPOINT_LOG
@options.ALLOW_UNSAFE_SERVER
@options.TEXT_OR_JSON
@options.common
def seal(
    folder: str,
    *,
    jobs: int | None,
    checkpoint_log: str | None,
    allow_unsafe_server: bool,
    format_: str,
) -> int:
    """Take all segments of FOLDER into the store, in the order of their sources.

    FOLDER is a path, or a URL of an object store, as s3://BUCKET/PATH. Whoever can write to it can
    say what documents mean: give it to nobody whom you would not let write to the store. Run
    `meta-audit verify --deep` afterwards, which parses every document again and names those that
    were read differently. A segment that is damaged, or that another version of the program made,
    is refused: make it again.

    It is safe to run the same command again: what the store has is not taken twice.
    """
    from meta_audit.ingest.options import Limits, Options
    from meta_audit.ingest.run import Import
    from meta_audit.ingest.segments import find_segments

    segments = find_segments(folder)
    chosen = Options(
        options.processes(jobs),
        checkpoint_log=checkpoint_log,
        limits=click.get_current_context().find_object(Limits) or Limits(),
    )
    with opened_to_write(allow_unsafe_server=allow_unsafe_server) as store:
        if store.created:
            note(f"New store: {escape(store.name)}")
        with progress("sealing") as line:
            reporter = ImportReporter(line, verbose=options.is_verbose())
            arguments = ["segments", "seal", folder]
            result = Import(store, reporter, chosen).seal(segments, arguments)
        return report(result, store, format_)


@contextmanager
def _written_to(folder: str) -> Iterator[None]:
    """Say why a folder cannot be written. A full disk is not a wrong folder."""
    from meta_audit.errors import UsageError

    try:
        yield
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise
        raise UsageError(
            f"cannot write to {folder}: {error.strerror}", advice="Name another folder."
        ) from error
