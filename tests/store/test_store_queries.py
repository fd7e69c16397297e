"""How many statements a batch takes: none per document, none per row."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from bench.generate import Generator
from meta_audit.cli.progress import Quiet
from meta_audit.ingest.run import Import
from meta_audit.schema.tables import metadata
from meta_audit.sources import find
from meta_audit.store.opening import open_to_write

ROWS_PER_STATEMENT = 100
CONSTANT = 80
"""Statements of a batch, whatever its size: beginning, numbering, ending."""
DOCUMENTS = Generator(4)


def ingest(db: Path, path: Path) -> tuple[int, int]:
    """Ingest one file in one chunk; statements executed, and rows added."""
    statements: list[str] = []
    store = open_to_write(str(db))

    @sa.event.listens_for(store.engine, "checkout")
    def trace(connection: sa.engine.interfaces.DBAPIConnection, *_: object) -> None:
        connection.set_trace_callback(statements.append)

    before = count_rows(store.engine)
    statements.clear()
    Import(store, Quiet(), jobs=0, coerce_scalars=False).run(find([str(path)]), [])
    executed = len(statements)
    after = count_rows(store.engine)
    store.close()
    return executed, after - before


def count_rows(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return sum(
            connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in metadata.tables
        )


@pytest.mark.parametrize("count", [20, 1_500])
def test_a_statement_takes_many_rows(empty_store: Path, tmp_path: Path, count: int) -> None:
    db, path = tmp_path / "audit.db", tmp_path / "jobs.ndjson"
    shutil.copy(empty_store, db)
    path.write_text("\n".join(DOCUMENTS.documents(0, count)))
    statements, rows = ingest(db, path)
    assert rows > 15 * count
    assert statements <= rows / ROWS_PER_STATEMENT + CONSTANT

    # Later states of half of the jobs, and as many new jobs, all of them looked up.
    later = [*DOCUMENTS.states(0, count), *DOCUMENTS.documents(count, count)]
    path.write_text("\n".join(later))
    statements, rows = ingest(db, path)
    assert statements <= (rows + 5 * len(later)) / ROWS_PER_STATEMENT + CONSTANT

    # Nothing new: a look at the digest of each document, many at once.
    path.write_text("\n".join([*later, ""]))
    statements, _ = ingest(db, path)
    assert statements <= len(later) / ROWS_PER_STATEMENT + CONSTANT
