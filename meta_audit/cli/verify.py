"""`meta-audit verify`."""

from __future__ import annotations

import os
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.output import write_json, write_text
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meta_audit.ledger.note import VerifierKey
    from meta_audit.verify.report import Report

MARKS = {"ok": "ok", "warning": "warning", "failed": "FAILED", "skipped": "skipped"}


@click.command(short_help="Is the store what was ingested? Check all of it.")
@click.option(
    "--against",
    multiple=True,
    metavar="FILE",
    help="Checkpoints held outside the store; may be repeated.  [default: the file of"
    " checkpoints beside the store, if there is one]",
)
@click.option(
    "--since",
    type=click.IntRange(1),
    metavar="N",
    help="Check only what is newer than checkpoint N.",
)
@options.KEYS
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="Processes that check.  [default: one per processor]",
)
@click.option("--deep", is_flag=True, help="Also parse every kept document again.")
@options.DB
@options.TEXT_OR_JSON
def command(
    against: tuple[str, ...],
    *,
    since: int | None,
    keys: tuple[str, ...],
    jobs: int | None,
    deep: bool,
    db: str | None,
    format_: str,
) -> Exit:
    """Check the whole store against its ledger, and that against checkpoints held outside.

    Everything is computed again: hashes of the kept bytes, entries from the rows, leaves, the
    root of every checkpoint, signatures. Nothing is written. Give the verifier key that you got
    when the store was made (--key), and checkpoints that were kept elsewhere (--against):
    without them a store that was rewritten whole looks like a true one. The exit code is 0 where
    it is intact and 1 where it is not.
    """
    report = verified(
        db, against=against or _beside(db), since=since, keys=keys, jobs=jobs, deep=deep
    )
    if format_ == "json":
        write_json(report)
    else:
        write_text(_page(report, against or _beside(db)))
    return Exit.DONE if report.verdict == "intact" else Exit.FINDINGS


def verified(
    db: str | None,
    *,
    against: Sequence[str] = (),
    since: int | None = None,
    keys: Sequence[str] = (),
    jobs: int | None = None,
    deep: bool = False,
) -> Report:
    """Verify a store, from the beginning again where that is cut short; what was found."""
    from meta_audit.store.opening import open_to_read
    from meta_audit.verify.run import Verification

    pins = parse_keys(keys)

    def once() -> Report:
        return Verification(
            store,
            against=against,
            since=since or 0,
            pins=pins,
            jobs=jobs or os.cpu_count() or 1,
            deep=deep,
            progress=progress,
        ).run()

    with closing(open_to_read(db)) as store, _progress() as progress:
        return store.retry.call(once, seconds=store.retry.read_seconds)


def _beside(db: str | None) -> tuple[str, ...]:
    """The file of checkpoints beside an SQLite store, if there is one."""
    from meta_audit.store.location import is_sqlite, locate

    url = locate(db)
    path = Path(f"{url.database}.checkpoints")
    return (str(path),) if is_sqlite(url) and path.is_file() and path.stat().st_size else ()


def parse_keys(keys: Sequence[str]) -> list[VerifierKey]:
    """Read verifier keys. Raises `UsageError`."""
    from meta_audit.errors import LedgerError, UsageError
    from meta_audit.ledger.note import VerifierKey

    try:
        return [VerifierKey.parse(key.strip()) for key in keys]
    except LedgerError as error:
        raise UsageError(f"--key: {error}", advice="Give it as name+hash+key.") from error


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _page(report: Report, against: Sequence[str]) -> str:
    counted = [
        _counted(report.entries, "entry", "entries"),
        _counted(report.jobs, "job", "jobs"),
        _counted(report.checkpoints, "checkpoint", "checkpoints"),
    ]
    lines = [f"Store {escape(report.store)}: {', '.join(counted)}, {report.seconds:.1f} s"]
    for step in report.steps:
        detail = f": {escape(step.detail)}" if step.detail else ""
        lines.append(
            f"{step.number:>3}. {MARKS[step.status]:<8}{step.title} ({step.source}){detail}"
        )
    lines += [f"  Signed by {escape(key)}" for key in report.keys]
    lines += [f"  Compared with {escape(path)}" for path in against]
    for damage in report.damages:
        entry = "" if damage.entry is None else f"entry {damage.entry}, "
        job = f"job {escape(damage.job)}, " if damage.job else ""
        lines.append(f"  {damage.check}. {entry}{job}{damage.kind}: {escape(damage.detail)}")
    if report.damage_count > len(report.damages):
        lines.append(f"  and {report.damage_count - len(report.damages):,} more")
    lines.append("Intact." if report.verdict == "intact" else "NOT INTACT.")
    return "\n".join(lines) + "\n"


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A live line on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return

    def show(done: int, total: int) -> None:
        click.echo(f"\rverifying: {100 * done // total} %", err=True, nl=False)

    yield show
    click.echo("\r" + " " * 20 + "\r", err=True, nl=False)
