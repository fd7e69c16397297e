"""`meta-audit lake`: stores as Apache Iceberg tables, for scans on many machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.option import argument, option
from meta_audit.cli.output import done, note, screen, write, write_parts, write_stream
from meta_audit.cli.progress import progress
from meta_audit.cli.query_text import QUERY, TIMEOUT, whole
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.api import AuditStore
    from meta_audit.lake.find import LakeSearch
    from meta_audit.ledger.note import VerifierKey

_CATALOG = option(
    "--catalog",
    metavar="URL",
    help="Database that names the newest files, as postgresql+psycopg://HOST/DB.  [default: "
    "LAKE/catalog.db, if LAKE is a folder]",
)


@click.group()
@options.common
def command() -> None:
    """Keep stores as Apache Iceberg tables of Parquet files, with their proofs.

    LAKE is a folder, or a URL such as s3://BUCKET/PATH. Its tables are the views of `meta-audit
    sql`, of one store or many, for DuckDB, Spark, Trino and others. It needs the extra `lake`:
    pip install 'meta-audit[lake]'.
    """


@command.command()
@argument("lake")
@_CATALOG
@options.reads_store
def sync(store: AuditStore, lake: str, catalog: str | None) -> Exit:
    """Bring a lake up to the newest checkpoint of the store.

    The lake is made on first use. It is safe to run the same command again, also after it was
    killed: it goes on from where the lake is.
    """
    from meta_audit.lake.catalog import Lake
    from meta_audit.lake.sync import Sync
    from meta_audit.render.layout import count

    opened = Lake(lake, catalog, make=True)
    with progress("syncing") as line:
        synced = store.read(
            lambda session: Sync(
                session, opened, lambda now, end: line.show("syncing", now, end)
            ).run()
        )
    new = synced.now - synced.before
    there = f"{count(synced.now, 'entry')} in {escape(lake)}"
    done(f"{synced.store}: {count(new, 'entry')} added, {there}")
    if not new:
        note("The lake was up to date.")
    return Exit.DONE


@command.command()
@argument("lake")
@_CATALOG
@options.KEYS
@options.VERIFIERS
@options.TEXT_OR_JSON
@options.verbosity
def verify(
    lake: str, catalog: str | None, keys: list[VerifierKey], jobs: int | None, format_: str
) -> Exit:
    """Check a lake against the signed checkpoints that it holds.

    Entries, leaves and roots are computed again from the rows of the Parquet files alone, and the
    rows of every table are compared with the entries. A difference is named with its file. Without
    --key the keys are those that the lake names, and so show only that it agrees with itself.
    """
    from meta_audit.lake.catalog import Lake
    from meta_audit.lake.checked import LakeReportPage
    from meta_audit.lake.processes import verify_in

    opened = Lake(lake, catalog, make=False)
    with progress("verifying") as line:
        report = verify_in(
            opened, keys, lambda now, total: line.show("verifying", now, total), jobs
        )
    write(LakeReportPage(report), format_)
    return Exit.ATTENTION if report.damage_count else Exit.DONE


@command.command()
@argument("lake")
@options.EXPRESSIONS
@_CATALOG
@options.JOB_SORT
@option(
    "--after",
    metavar="JOB",
    help="Begin behind this job of the list: its ID, or the @CURSOR that was printed.",
)
@options.LIMIT_OR_ALL
@option("--all", "every", is_flag=True, help="Show all, in every format.")
@option("--count", "only_count", is_flag=True, help="Print only how many jobs match.")
@options.COLUMNS
@options.FORMAT
@options.verbosity
def find(
    lake: str,
    expressions: tuple[str, ...],
    *,
    catalog: str | None,
    sort: str,
    after: str | None,
    limit: int | None,
    every: bool,
    only_count: bool,
    columns: tuple[str, ...],
    format_: str,
) -> Exit:
    """List the jobs of a lake that match, newest first, without a store.

    EXPR is what `meta-audit find` takes (docs/find.md), and finds the same jobs, of all stores in
    the lake. A lake cannot answer origin:activity, and what came in after its last sync. The exit
    code is 1 if no job matches; then stderr says why.
    """
    from meta_audit.errors import UsageError
    from meta_audit.lake.catalog import Lake
    from meta_audit.lake.find import lake_search
    from meta_audit.lake.listed import LakeFoundPage
    from meta_audit.query.choice import search_of
    from meta_audit.query.matching import SearchChoice

    if every and limit is not None:
        raise UsageError("--all and --limit cannot be used together")
    opened = Lake(lake, catalog, make=False)
    wanted = search_of(expressions, SearchChoice(sort=sort, after=after, columns=columns))
    with lake_search(opened, wanted) as search:
        if only_count:
            number = search.count()
            click.echo(number)
            if not number:
                write(LakeFoundPage(search.nothing()), "text", to_stderr=True)
            return Exit.DONE if number else Exit.ATTENTION
        most = None if every else options.most(limit, format_)
        if most is None:
            return _write_all(search, columns, sort, format_)
        found = search.first(most)
        has_stores = len(search.stores) > 1
        write(LakeFoundPage(found, columns, sort, has_stores=has_stores), format_)
    return Exit.DONE if found.jobs else Exit.ATTENTION


def _write_all(search: LakeSearch, columns: tuple[str, ...], sort: str, format_: str) -> Exit:
    """Write all jobs, however many they are."""
    from itertools import chain

    from meta_audit.lake.find import NONE
    from meta_audit.lake.listed import LakeFoundPage
    from meta_audit.render.jobs import unknown_key
    from meta_audit.render.streams import stream

    unknown = search.unknown_keys() if columns else ()
    jobs = search.jobs()
    first = next(jobs, None)
    if first is None:
        write(LakeFoundPage(search.nothing(), columns, sort), format_)
        return Exit.ATTENTION
    page = LakeFoundPage(NONE, columns, sort, has_stores=len(search.stores) > 1)
    for key in unknown:
        note(unknown_key(key, page.place))
    write_parts(stream(page, chain([first], jobs), format_, screen()), format_)
    return Exit.DONE


@command.command()
@argument("lake")
@QUERY
@_CATALOG
@TIMEOUT
@options.FORMAT
@options.verbosity
def sql(lake: str, *, query: str | None, catalog: str | None, timeout: float, format_: str) -> Exit:
    """Ask a lake in SQL, with DuckDB; without a query, list the tables and their columns.

    QUERY is one SELECT. It may stand in a FILE, or come from standard input (-). It reads nothing
    but the lake, and writes nothing, whatever it says. All rows are printed; add LIMIT to get
    fewer. The queries of `meta-audit sql` run unchanged; in a lake of several stores, join and
    count by `store` too.
    """
    from meta_audit.lake.catalog import Lake
    from meta_audit.lake.sql import lake_contract, lake_select
    from meta_audit.render.contract import ContractPage
    from meta_audit.render.rows import write_rows

    opened = Lake(lake, catalog, make=False)
    if query is None:
        write(ContractPage(lake_contract()), whole(format_))
        return Exit.DONE
    with lake_select(opened, query, timeout) as found:
        write_stream(write_rows(found, format_, screen()))
    return Exit.DONE


@command.command()
@argument("lake")
@argument("job")
@_CATALOG
@options.TEXT_OR_JSON
@options.verbosity
def trace(lake: str, job: str, catalog: str | None, format_: str) -> Exit:
    """Show what a lake has of one job, without DuckDB or Spark.

    JOB is the whole ID. Only the parts of files that may hold it are read.
    """
    from meta_audit.errors import NotFoundError
    from meta_audit.lake.catalog import Lake
    from meta_audit.lake.shown import LakeJobPage
    from meta_audit.lake.trace import job_rows
    from meta_audit.query.texts import stored_names

    opened = Lake(lake, catalog, make=False)
    tried = (job_rows(opened, job_id) for job_id in stored_names(job))
    found = next((rows for rows in tried if any(rows.values())), None)
    if found is None:
        raise NotFoundError(
            f"the lake has no job {job}", advice="Give the whole ID; a lake finds no beginnings."
        )
    write(LakeJobPage(found), format_)
    return Exit.DONE


@command.command()
@argument("lake")
@_CATALOG
@options.verbosity
def compact(lake: str, catalog: str | None) -> Exit:
    """Merge small files into larger ones: each sync adds some to every table.

    The rows stay what they are. Run it now and then, and `lake expire` after it. The files that
    were merged stay until no snapshot names them.
    """
    from meta_audit.lake.catalog import Lake
    from meta_audit.lake.compact import compact as merge
    from meta_audit.render.layout import count

    opened = Lake(lake, catalog, make=False)
    with progress("compacting") as line:
        merged, made = merge(opened, lambda now, end: line.show("compacting", now, end))
    done(f"{count(merged, 'file')} merged into {made:,}" if merged else "Nothing to merge.")
    return Exit.DONE


@command.command()
@argument("lake")
@_CATALOG
@option(
    "--keep",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="Newest snapshots of each table that stay.",
)
@options.verbosity
def expire(lake: str, catalog: str | None, keep: int) -> Exit:
    """Forget old snapshots of the tables. The newest rows are not touched."""
    from meta_audit.lake.catalog import Lake
    from meta_audit.render.layout import count

    done(f"{count(Lake(lake, catalog, make=False).drop_old(keep), 'snapshot')} forgotten")
    return Exit.DONE
