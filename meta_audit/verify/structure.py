"""Check what rows are read through: the schema, the indexes, the types of values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import sqlalchemy as sa

from meta_audit.errors import TransientStoreError
from meta_audit.schema import FIRST, HEAD, OLD_VERSION_TABLE, reference
from meta_audit.schema.tables import metadata
from meta_audit.store.opening import check_current, version_table
from meta_audit.verify.checks import cells, definitions, indexes
from meta_audit.verify.guard import guarded
from meta_audit.verify.outcome import Check, Damages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.schema.objects import Objects
    from meta_audit.store.opening import Store
    from meta_audit.store.session import Session
    from meta_audit.verify.checks.indexes import Index
    from meta_audit.verify.work import Work

TABLES: Final = tuple(metadata.tables)
LOOKUPS: Final = "index lookups"
"""Name of the parts that compare an index of PostgreSQL with its table."""
_STRICT: Final = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict"
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table'"


class Expected(NamedTuple):
    """Hold the schema that this version makes, or the reason why it could not be made."""

    objects: Objects | None
    reason: str = ""


def expected(store: Store, revision: str = HEAD) -> Expected:
    """Make the schema that the store should have, or had at an older revision."""
    if store.file:
        return Expected(reference.of_sqlite(revision))
    try:
        with store.engine.connect() as connection:
            return Expected(reference.of_postgresql(connection, revision))
    except AssertionError as error:  # of SQLAlchemy, if the server does not say its version
        return Expected(None, str(error))
    except sa.exc.DBAPIError as error:
        failed = store.backend.failure(store.name, error.orig or error)
        if isinstance(failed, TransientStoreError):
            raise failed from error
        return Expected(None, str(error.orig).split("\n")[0])


def check_schema(store: Store, session: Session, made: Expected, damages: Damages) -> list[str]:
    """Compare the schema of the store; what could not be checked, and why.

    Raises `StoreError` for a store of another version of this program.
    """
    with guarded(session, damages, Check.SCHEMA, "the schema"):
        table = version_table(session, store.backend)
        held = definitions.check_revision(session.query, table, damages)
        found = Damages()
        _compare(session, made, table, found)
        if found.counts and len(held) == 1 and _is_of(store, session, held[0], table):
            check_current(store)
        damages.merge(found.kept, found.counts)
        _check_that_views_answer(store, session, made, damages)
        definitions.check_writer_lock(session.query, damages)
        left = [] if session.is_sqlite else definitions.not_comparable(session.query)
        if made.objects is None:
            left.append(f"definitions of the schema, only its names: {made.reason}")
        return left
    return []


def _compare(session: Session, made: Expected, table: str, damages: Damages) -> None:
    if made.objects is None:
        definitions.check_postgresql_names(session.query, damages)
        return
    is_old = table == OLD_VERSION_TABLE
    objects = definitions.without_version_table(made.objects) if is_old else made.objects
    compare = definitions.check_sqlite if session.is_sqlite else definitions.check_postgresql
    compare(session.query, objects, damages)


def _check_that_views_answer(
    store: Store, session: Session, made: Expected, damages: Damages
) -> None:
    """Ask each view that is there, since one whose text is as it should be may be damaged."""
    views = (
        [name for name in made.objects.relations if name.startswith("v_")] if made.objects else []
    )
    for view in sorted(views):
        with guarded(session, damages, Check.SCHEMA, f"{view} does not answer"):
            if store.backend.has_table(session, view):
                session.query(f"SELECT * FROM {view} LIMIT 0")  # noqa: S608 - a name of ours


def _is_of(store: Store, session: Session, revision: str, table: str) -> bool:
    """Tell whether a store, whose schema is not this version's, is of the version that it says.

    Nobody knows the schema of a newer one.
    """
    if not FIRST <= revision < HEAD:
        return revision > HEAD
    made = expected(store, revision)
    found = Damages()
    if made.objects is not None:
        _compare(session, made, table, found)
    return not found.counts


def table_parts(session: Session) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Cut the comparison of indexes with their tables into parts: name, and arguments."""
    if session.is_sqlite:
        there = {name for (name,) in session.query(_TABLES)}
        strict = {name for (name,) in session.query(_STRICT)}
        for table in TABLES:
            if table in there:
                yield "table", (table, table in strict)
        return
    amcheck = indexes.amcheck_schema(session.query)
    for index in indexes.postgresql_indexes(session.query, frozenset(TABLES)):
        yield LOOKUPS, (index, amcheck)


def check_table(work: Work, table: str, is_strict: bool) -> None:
    """Compare an SQLite table with its indexes and its types."""
    query = work.session.query
    wrong = indexes.check_sqlite_table(query, table, work.damages)
    if wrong or not is_strict:
        names = cells.present(query, table, is_sqlite=True)
        cells.check_types(query, table, names, work.damages)


def check_index_lookups(work: Work, index: Index, amcheck: str) -> None:
    """Compare an index of PostgreSQL with its table."""
    by_index, damages = work.by_index, work.damages
    if amcheck and index.is_plain:
        why = indexes.check_with_amcheck(by_index, index, amcheck, damages)
    else:
        why = indexes.check_by_lookups(by_index, index, work.options.secret, damages)
    if why:
        work.not_checked.append(f"the index {index.name}: {why}")


def check_values(session: Session, damages: Damages, *, has_bad_text: bool) -> None:
    """Name the rows of values that cannot be, where something said that there are some."""
    edited = Check.SCHEMA in damages.counts
    for table in TABLES:
        with guarded(session, damages, Check.VALUES, table):
            if not has_bad_text and (session.is_sqlite or not edited):
                continue
            names = cells.present(session.query, table, is_sqlite=session.is_sqlite)
            if not session.is_sqlite:
                cells.check_nulls(session.query, table, names, damages)
            if has_bad_text:
                cells.check_texts(session.query, table, names, damages)
