"""`meta-audit lake`: stores as Apache Iceberg tables, for scans on many machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meta_audit.cli import Exit, options
from meta_audit.cli.output import done, note
from meta_audit.cli.progress import progress
from meta_audit.render.escape import escape

if TYPE_CHECKING:
    from meta_audit.api import AuditStore

_CATALOG = click.option(
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
@click.argument("lake")
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
