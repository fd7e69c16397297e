"""How many statements a batch takes: none per document, none per row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bench.generate import Generator
from meta_audit.cli.progress import ImportReporter
from meta_audit.ingest.run import Import
from meta_audit.schema.tables import metadata
from meta_audit.sources import find
from meta_audit.store.opening import open_to_write

ROWS_PER_STATEMENT = 100
CONSTANT = 80
"""Statements of a batch, whatever its size: beginning, numbering, ending."""
DOCUMENTS = Generator(4)


def ingest(db: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Ingest one file in one chunk; statements executed, and rows added."""
    statements: list[object] = []
    store = open_to_write(db)
    before = count_rows(store.engine)
    if store.file:

        @sa.event.listens_for(store.engine, "checkout")
        def trace(connection: sa.engine.interfaces.DBAPIConnection, *_: object) -> None:
            connection.set_trace_callback(statements.append)
    else:
        for name in ("execute", "copy"):
            monkeypatch.setattr(psycopg.Cursor, name, noting(statements, name))
    Import(store, ImportReporter()).run(find([str(path)]), [])
    executed = len(statements)
    monkeypatch.undo()
    after = count_rows(store.engine)
    store.close()
    return executed, after - before


def noting(statements: list[object], name: str) -> Callable[..., Any]:
    """The method of a cursor, which notes what it is given."""
    original = getattr(psycopg.Cursor, name)

    def note(cursor: Any, statement: object, *rest: Any, **options: Any) -> Any:
        statements.append(statement)
        return original(cursor, statement, *rest, **options)

    return note


def count_rows(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return sum(
            connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in metadata.tables
        )


@pytest.mark.parametrize("count", [20, 1_500])
def test_a_statement_takes_many_rows(
    db_url: str, tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.ndjson"
    path.write_text("\n".join(DOCUMENTS.documents(0, count)))
    statements, rows = ingest(db_url, path, monkeypatch)
    assert rows > 15 * count
    assert statements <= rows / ROWS_PER_STATEMENT + CONSTANT

    # Later states of half of the jobs, and as many new jobs, all of them looked up.
    later = [*DOCUMENTS.states(0, count), *DOCUMENTS.documents(count, count)]
    path.write_text("\n".join(later))
    statements, rows = ingest(db_url, path, monkeypatch)
    assert statements <= (rows + 5 * len(later)) / ROWS_PER_STATEMENT + CONSTANT

    # Nothing new: a look at the digest of each document, many at once.
    path.write_text("\n".join([*later, ""]))
    statements, _ = ingest(db_url, path, monkeypatch)
    assert statements <= len(later) / ROWS_PER_STATEMENT + CONSTANT
