"""The schema, the indexes and the types of values: what rows are read through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import sqlalchemy as sa

from meta_audit.schema import reference
from meta_audit.schema.tables import metadata
from meta_audit.verify.checks import cells, indexes, schema
from meta_audit.verify.guard import guarded
from meta_audit.verify.report import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.schema.objects import Objects
    from meta_audit.verify.checks.indexes import Index
    from meta_audit.verify.reader import Reader
    from meta_audit.verify.report import Damages
    from meta_audit.verify.work import Work

TABLES: Final = tuple(metadata.tables)
_STRICT: Final = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict"
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table'"


class Expected(NamedTuple):
    """The schema that this version makes; why it could not be made, where it could not."""

    objects: Objects | None
    reason: str = ""


def expected(connection: sa.Connection) -> Expected:
    """Make the schema, on a connection that is in no transaction."""
    if connection.dialect.name == "sqlite":
        return Expected(reference.of_sqlite())
    try:
        return Expected(reference.of_postgresql(connection))
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        return Expected(None, str(error.orig).split("\n")[0])


def check_schema(reader: Reader, made: Expected, damages: Damages) -> Iterator[str]:
    """Compare the schema of the store; what could not be checked, and why."""
    if made.objects is None:
        yield f"the schema: {made.reason}"
        return
    with guarded(reader, damages, Check.SCHEMA, "the schema"):
        if reader.is_sqlite:
            schema.check_sqlite(reader.query, made.objects, damages)
        else:
            schema.check_postgresql(reader.query, made.objects, damages)
        schema.check_revision(reader.query, damages)


def table_parts(reader: Reader) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Cut the comparison of indexes with their tables into parts: name, and arguments."""
    if reader.is_sqlite:
        there = {name for (name,) in reader.query(_TABLES)}
        strict = {name for (name,) in reader.query(_STRICT)}
        for table in TABLES:
            if table in there:
                yield "table", (table, table in strict)
        return
    amcheck = indexes.amcheck_schema(reader.query)
    for index in indexes.postgresql_indexes(reader.query, frozenset(TABLES)):
        yield "lookups", (index, amcheck)


def check_table(work: Work, table: str, is_strict: bool) -> None:
    """Compare an SQLite table with its indexes and its types."""
    query = work.reader.query
    wrong = indexes.check_sqlite_table(query, table, work.damages)
    if wrong or not is_strict:
        names = cells.present(query, table, is_sqlite=True)
        cells.check_types(query, table, names, work.damages)


def check_lookups(work: Work, index: Index, amcheck: str) -> None:
    """Compare an index of PostgreSQL with its table."""
    if amcheck and index.is_plain:
        indexes.check_with_amcheck(work.reader.query, index, amcheck)
        return
    why = indexes.check_by_lookups(work.reader.query, index, work.options.secret, work.damages)
    if why:
        work.not_checked.append(f"the index {index.name}: {why}")


def check_values(reader: Reader, damages: Damages, *, has_bad_text: bool) -> None:
    """Name the rows of values that cannot be, where something said that there are some."""
    edited = Check.SCHEMA in damages.counts
    for table in TABLES:
        with guarded(reader, damages, Check.VALUES, table):
            if not has_bad_text and (reader.is_sqlite or not edited):
                continue
            names = cells.present(reader.query, table, is_sqlite=reader.is_sqlite)
            if not reader.is_sqlite:
                cells.check_nulls(reader.query, table, names, damages)
            if has_bad_text:
                reader.take_bad_text()
                cells.check_texts(reader.query, table, names, damages)
