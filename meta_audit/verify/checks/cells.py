"""Name values of other types than their columns have, by table and row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from meta_audit.schema.tables import metadata
from meta_audit.verify.outcome import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meta_audit.schema.signed_rows import Query
    from meta_audit.verify.outcome import Damages

SHOWN: Final = 20
_TYPES: Final = ((sa.Integer, "integer"), (sa.LargeBinary, "blob"), (sa.String, "text"))


def check_types(query: Query, table: str, names: frozenset[str], damages: Damages) -> None:
    """Name values in an SQLite table whose type is not that of their column."""
    columns = _columns(table, names)
    wrong = [f"typeof({_quoted(c.name)}) NOT IN ({_allowed(c)})" for c in columns]
    seen = [f"typeof({_quoted(c.name)})" for c in columns]
    keys = _keys(table, columns)
    if not wrong or not keys:
        return
    selected = ", ".join([*(f"quote({key})" for key in keys), *seen])
    sql = f'SELECT {selected} FROM "{table}" WHERE {" OR ".join(wrong)} LIMIT {SHOWN}'  # noqa: S608
    for row in query(sql):
        place, found = row[: len(keys)], row[len(keys) :]
        for column, type_ in zip(columns, found, strict=True):
            if f"'{type_}'" not in _allowed(column):
                detail = f"{column.name} is {type_}, not {_type(column)}"
                damages.add(Check.VALUES, "edited", f"{_row(table, keys, place)}: {detail}")


def check_nulls(query: Query, table: str, names: frozenset[str], damages: Damages) -> None:
    """Name rows of a PostgreSQL table that lack a value that they must have."""
    columns = [column for column in _columns(table, names) if not column.nullable]
    keys = _keys(table, columns)
    for column in columns:
        sql = (
            f'SELECT {", ".join(keys)} FROM "{table}" WHERE {_quoted(column.name)} IS NULL'  # noqa: S608
            f" LIMIT {SHOWN}"
        )
        for row in query(sql):
            detail = f"{_row(table, keys, row)}: {column.name} is missing"
            damages.add(Check.VALUES, "missing", detail)


def check_texts(
    stream: Callable[[str], Iterable[tuple[Any, ...]]],
    table: str,
    names: frozenset[str],
    damages: Damages,
) -> None:
    """Name texts that are not UTF-8; `stream` gives them with lone surrogates for such bytes."""
    columns = _columns(table, names)
    texts = [column for column in columns if isinstance(column.type, sa.String)]
    keys = _keys(table, columns)
    if not texts or not keys:
        return
    selected = ", ".join([*keys, *(_quoted(column.name) for column in texts)])
    for row in stream(f'SELECT {selected} FROM "{table}"'):  # noqa: S608 - own names
        place, found = row[: len(keys)], row[len(keys) :]
        for column, value in zip(texts, found, strict=True):
            if isinstance(value, str) and not _is_unicode(value):
                detail = f"{_row(table, keys, place)}: {column.name} is not UTF-8"
                damages.add(Check.VALUES, "bytes", detail)


def present(query: Query, table: str, *, is_sqlite: bool) -> frozenset[str]:
    """Names of the columns that a table has."""
    sql = (
        f"SELECT name FROM pragma_table_info('{table}')"  # noqa: S608 - own names
        if is_sqlite
        else "SELECT attname::text FROM pg_catalog.pg_attribute"  # noqa: S608 - own names
        f" WHERE attrelid = pg_catalog.to_regclass('{table}') AND attnum > 0"
    )
    return frozenset(str(row[0]) for row in query(sql))


def _columns(table: str, names: frozenset[str]) -> list[sa.Column[object]]:
    """Columns that the table should have, and has."""
    return [column for column in metadata.tables[table].columns if column.name in names]


def _keys(table: str, columns: Iterable[sa.Column[object]]) -> list[str]:
    names = {column.name for column in columns}
    keys = [column.name for column in metadata.tables[table].primary_key.columns]
    return [_quoted(key) for key in keys if key in names]


def _allowed(column: sa.Column[object]) -> str:
    return f"'{_type(column)}', 'null'" if column.nullable else f"'{_type(column)}'"


def _type(column: sa.Column[object]) -> str:
    return next(name for kind, name in _TYPES if isinstance(column.type, kind))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _quoted(name: str) -> str:
    return f'"{name}"'


def _row(table: str, keys: Iterable[str], values: Iterable[object]) -> str:
    pairs = [f"{key.strip(chr(34))} {value}" for key, value in zip(keys, values, strict=True)]
    return f"{table}, {', '.join(pairs)}"
