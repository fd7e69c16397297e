"""`meta-audit ingest`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli import metrics as metrics_file
from meta_audit.cli.import_output import report
from meta_audit.cli.option import argument, option
from meta_audit.cli.output import note, write
from meta_audit.cli.progress import ImportReporter, progress, total_bytes
from meta_audit.cli.writing import opened_to_write
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meta_audit.ingest.options import Options
    from meta_audit.ingest.result import Counts
    from meta_audit.sources import Discovered
    from meta_audit.store.opening import Store


@click.command()
@argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@option(
    "--include",
    multiple=True,
    metavar="PATTERN",
    help="In directories and archives, take only files that match, as *.json; may be repeated.",
)
@option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="In directories and archives, leave out files and directories that match; may be "
    "repeated.",
)
@option(
    "--follow-links",
    is_flag=True,
    help="In directories, follow symbolic links to directories and to files outside.",
)
@option(
    "--rehash",
    is_flag=True,
    help="Read every file and object again, also those whose size, times and inode, or ETag, are "
    "those of an earlier reading.",
)
@option(
    "--source-name",
    metavar="NAME",
    help="Name of standard input in the store, as server-a/jobs.ndjson.  [default: stdin]",
)
@option(
    "--follow",
    is_flag=True,
    help="Go on reading the one FILE that is given as it grows, also after it was rotated or "
    "truncated, until a signal stops it.",
)
@option("--dry-run", is_flag=True, help="Say what would be taken, and write nothing.")
@options.COERCE_SCALARS
@options.JOBS
@options.CHECKPOINT_LOG
@metrics_file.OPTION
@options.ALLOW_UNSAFE_SERVER
@options.TEXT_OR_JSON
@options.common
def command(
    sources: tuple[str, ...],
    *,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    follow_links: bool,
    rehash: bool,
    source_name: str | None,
    follow: bool,
    dry_run: bool,
    coerce_scalars: bool,
    jobs: int | None,
    checkpoint_log: str | None,
    metrics: str | None,
    allow_unsafe_server: bool,
    format_: str,
) -> int:
    """Take job documents into the store. The store is made on first use.

    SOURCE is a file, a pipe, a directory (with everything below it), an https:// URL or - for
    standard input; with meta-audit[objects] also s3://, gs:// or az:// (an object, or all below
    it). Documents are JSON, NDJSON or YAML, or stand in a BoltDB job store of a Bacalhau server.
    Files may be compressed with gzip, zstd, xz or bzip2, and packed as tar or zip. In a
    directory, a bucket or an archive only files that look like job documents are taken. A
    document that cannot be taken is kept aside: see `meta-audit rejections list`.

    It is safe to run the same command again. That completes an import that was interrupted.
    """
    from meta_audit.errors import UsageError
    from meta_audit.ingest.first_source import with_first_source
    from meta_audit.ingest.options import Limits, Options
    from meta_audit.ingest.run import Import
    from meta_audit.sources import ContentMemory, display, find, memory_file
    from meta_audit.sources import follow as followed
    from meta_audit.store.opening import has_store

    if source_name is not None and "-" not in sources:
        raise UsageError(
            "--source-name names standard input, and no source is -",
            advice="Give - as a source, or leave the option out.",
        )
    if follow and (dry_run or len(sources) > 1 or not os.path.isfile(sources[0])):
        raise UsageError(
            "--follow takes one file, and not --dry-run",
            advice="Run the command once for each file.",
        )
    context = click.get_current_context()
    limits = context.find_object(Limits) or Limits()
    found: Iterable[Discovered] = find(
        sources,
        stdin_name=display(source_name or "stdin"),
        block_bytes=limits.block_bytes,
        include=include,
        exclude=exclude,
        follow_links=follow_links,
        memory=ContentMemory(memory_file(), is_read=not rehash),
    )
    if follow:
        found = followed(sources[0], block_bytes=limits.block_bytes)
    chosen = Options(
        options.processes(jobs),
        coerce_scalars,
        checkpoint_log,
        limits,
    )
    if dry_run:
        return _dry_run(found, chosen, format_)
    written = metrics_file.MetricsFile(metrics)
    if not has_store(options.db()):
        found = with_first_source(found, ImportReporter())
    with opened_to_write(allow_unsafe_server=allow_unsafe_server) as store:
        if store.created:
            note(f"New store: {escape(store.name)}")
        with progress("reading") as line:
            total = total_bytes(sources) if line.is_live else None
            reporter = _Metered(line, verbose=options.is_verbose(), total=total)
            reporter.meter = written, store
            result = Import(store, reporter, chosen).run(
                found, ["ingest", *sources, *_given(context)]
            )
        if skipped := reporter.skipped_files():
            note(skipped)
        return written.write(store, report(result, store, format_))


class _Metered(ImportReporter):
    """Report an import, and write metrics meanwhile."""

    meter: tuple[metrics_file.MetricsFile, Store]

    def wrote(self, counts: Counts) -> None:
        """Show the counts, and write metrics now and then."""
        super().wrote(counts)
        metrics, store = self.meter
        metrics.write_sometimes(store)


def _dry_run(found: Iterable[Discovered], chosen: Options, format_: str) -> Exit:
    from meta_audit.ingest.dry_run import dry_run
    from meta_audit.render.dry_run import DryRunPage

    with progress("reading") as line:
        reporter = ImportReporter(line, verbose=options.is_verbose())
        counts = dry_run(options.db(), found, reporter, chosen)
    if skipped := reporter.skipped_files():
        note(skipped)
    write(DryRunPage(counts), format_)
    if counts.refused:
        return Exit.SOURCE
    return Exit.ATTENTION if counts.needs_attention or not counts.sources else Exit.DONE


def _given(context: click.Context) -> list[str]:
    """Return the options that say what is taken, as they are recorded with the import."""
    given = context.params
    words = [f"--include={pattern}" for pattern in given["include"]]
    words += [f"--exclude={pattern}" for pattern in given["exclude"]]
    words += [f"--source-name={given['source_name']}"] if given["source_name"] else []
    words += ["--follow"] if given["follow"] else []
    words += ["--follow-links"] if given["follow_links"] else []
    return words + (["--coerce-scalars"] if given["coerce_scalars"] else [])
