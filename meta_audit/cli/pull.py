"""`meta-audit pull`."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, log, options
from meta_audit.cli import metrics as metrics_file
from meta_audit.cli.import_output import report
from meta_audit.cli.option import argument, option
from meta_audit.cli.output import note
from meta_audit.cli.progress import ImportReporter, progress
from meta_audit.cli.server import reach
from meta_audit.cli.writing import opened_to_write
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.errors import SourceError
    from meta_audit.ingest.pulling import Puller
    from meta_audit.store.opening import Store

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def _duration(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Read a time as `60s`, `5m` or `1h`."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,6})([smh]?)", value)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not 1 <= seconds <= 86_400:
        raise click.BadParameter(f"{value!r} is not a time between 1s and 24h, as 60s or 5m")
    return seconds


@click.command()
@argument("url")
@option(
    "--full",
    is_flag=True,
    help="Read the whole list, and executions and history of every job in it. Otherwise only what "
    "was modified since the last pull is read; the whole list the first time, and once a day.",
)
@option(
    "--watch",
    metavar="TIME",
    callback=_duration,
    help="Pull again every TIME (60s, 5m, 1h) until a signal.",
)
@options.of_server
@options.JOBS
@options.CHECKPOINT_LOG
@metrics_file.OPTION
@options.ALLOW_UNSAFE_SERVER
@options.TEXT_OR_JSON
@options.common
def command(
    url: str,
    *,
    full: bool,
    watch: float | None,
    namespace: str,
    labels: tuple[str, ...],
    credentials: str | None,
    ca_file: str | None,
    jobs: int | None,
    checkpoint_log: str | None,
    metrics: str | None,
    allow_unsafe_server: bool,
    format_: str,
) -> int:
    """Take the jobs of an orchestrator into the store, over its API (Bacalhau v1.1 and later).

    URL is as http://HOST:1234. Of each job the server's own bytes are kept: the job, its earlier
    versions, its executions and its history. The store is made on first use. Run the same command
    again, or with --watch, to take what has changed since.

    Credentials are never on the command line: see --credentials. A proxy is taken from the
    environment (HTTPS_PROXY, NO_PROXY).
    """
    from meta_audit.ingest.options import Limits, Options
    from meta_audit.ingest.pulling import Puller
    from meta_audit.render.exposition import ServerMetrics
    from meta_audit.sources.orchestrator import Pull
    from meta_audit.store.opening import has_store

    written = metrics_file.MetricsFile(metrics)
    context = click.get_current_context()
    chosen = Options(
        options.processes(jobs),
        checkpoint_log=checkpoint_log,
        limits=context.find_object(Limits) or Limits(),
    )
    with reach(
        url, namespace=namespace, labels=labels, credentials=credentials, ca_file=ca_file
    ) as (address, transport):
        pull = Pull(address, transport)
        if watch is None or not has_store(options.db()):
            pull.open()  # before a store is made: a typo makes nothing
        with opened_to_write(allow_unsafe_server=allow_unsafe_server) as store:
            if store.created:
                note(f"New store: {escape(store.name)}")
            puller = Puller(store, address, transport, chosen)
            if watch is not None:
                return _Watch(puller, store, written, format_).follow(watch, is_full=full)
            with progress("reading") as line:
                reporter = ImportReporter(line, verbose=options.is_verbose())
                result = puller.pull(pull, reporter, is_full=full)
            is_up = not result.counts.refused
            written.server = ServerMetrics(address.uri, is_up, time.time_ns() if is_up else None)
            return written.write(store, report(result, store, format_))


class _Watch:
    """Pull again and again: report what is new, and what keeps us from reading, once."""

    def __init__(
        self, puller: Puller, store: Store, metrics: metrics_file.MetricsFile, format_: str
    ) -> None:
        self._puller = puller
        self._store = store
        self._metrics = metrics
        self._format = format_
        self._said = ""
        self._read_at: int | None = None

    def trouble(self, error: SourceError | None) -> None:
        """Say why the server cannot be read, or that it can again."""
        words = f"Waiting: {error} ({error.code})" if error else "The server answers again."
        if words != self._said:
            log.say(escape(words), "warning" if error else "info")
        self._said = words if error else ""
        if error:
            self._write(is_up=False)

    def looked(self) -> None:
        """Note that the store has all that the server has."""
        self._read_at = time.time_ns()
        self._write(is_up=True)

    def follow(self, seconds: float, *, is_full: bool) -> int:
        """Pull every so many seconds until a signal, and return the exit code."""
        for result in self._puller.follow(seconds, ImportReporter(), self, is_full=is_full):
            if result.signal:
                note("Stopped. What was read is saved; the next pull goes on from there.")
                return self._metrics.write(self._store, Exit.DONE)
            code = report(result, self._store, self._format)
            if code == Exit.STORE:
                return code
        return Exit.DONE

    def _write(self, *, is_up: bool) -> None:
        from meta_audit.render.exposition import ServerMetrics

        self._metrics.server = ServerMetrics(self._puller.url, is_up, self._read_at)
        self._metrics.write(self._store)
