"""Compare indexes with their tables: a lookup must find what is there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meta_audit.verify.outcome import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meta_audit.schema.signed_rows import Query
    from meta_audit.verify.outcome import Damages

SHOWN: Final = 10
_OF_TYPE: Final = re.compile(r"(?:non-[A-Z]+|NULL|TEXT|NUMERIC) value ")
"""Beginning of what SQLite says of a value; all else that it says is of pages and indexes."""
_INDEXES: Final = """
    SELECT c.relname::text, x.relname::text, i.indexrelid::pg_catalog.int8,
        i.indisunique, i.indisvalid AND i.indpred IS NULL AND am.amname = 'btree',
        i.indisvalid AND i.indpred IS NULL AND am.amname = 'hash',
        array(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, k, false)
            FROM pg_catalog.generate_series(1, i.indnkeyatts) k),
        coalesce((SELECT bool_or(NOT a.attnotnull) FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey::pg_catalog.int2[])), false)
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    JOIN pg_catalog.pg_am am ON am.oid = x.relam
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = pg_catalog.current_schema() AND c.relkind = 'r'
    ORDER BY c.relpages DESC, x.relname"""
_AMCHECK: Final = """
    SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e
    JOIN pg_catalog.pg_depend d ON d.refobjid = e.oid AND d.deptype = 'e'
    JOIN pg_catalog.pg_proc p ON p.oid = d.objid
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE e.extname = 'amcheck' AND p.proname = 'bt_index_check' AND p.pronargs = 2
        AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE') LIMIT 1"""
_NOT_BY_INDEX: Final = (
    *("seqscan", "bitmapscan", "tidscan", "sort", "material", "memoize"),
    *("hashjoin", "mergejoin"),
)
_BY_INDEX: Final = ("indexscan", "indexonlyscan")
_NOT_ALONE: Final = "the server would not read through it alone"
_WAYS: Final = ((False, False), (True, False), (False, True))
"""Of `_lookups`: leading, ordered."""
_SET: Final = "SELECT " + ", ".join(
    [
        *(f"pg_catalog.set_config('enable_{name}', ?, true)" for name in _NOT_BY_INDEX),
        *(f"pg_catalog.set_config('enable_{name}', 'on', true)" for name in _BY_INDEX),
    ]
)


class Index(NamedTuple):
    """Describe an index of a table of the store."""

    table: str
    name: str
    oid: int
    is_unique: bool
    is_plain: bool
    """True for a valid btree over all rows."""
    is_hash: bool
    """True for a valid hash index over all rows. The server compares what it leads to."""
    keys: tuple[str, ...]
    """Its expressions."""
    has_null: bool

    def __str__(self) -> str:
        """Name it for a person."""
        return f"of the index {self.name}"


def check_sqlite_table(query: Query, table: str, damages: Damages) -> bool:
    """Let SQLite compare a table with its indexes; return whether values have wrong types."""
    wrong = False
    for (text,) in query(f'PRAGMA integrity_check("{table}")'):
        said = str(text)
        if _OF_TYPE.match(said):
            wrong = True
        elif said != "ok":
            damages.add(Check.INDEXES, "edited", f"{table}: {' '.join(said.split())}")
    return wrong


def postgresql_indexes(query: Query, tables: frozenset[str]) -> list[Index]:
    """List the indexes of the store's tables, those of large tables first."""
    found = [Index(*row[:6], tuple(row[6]), row[7]) for row in query(_INDEXES)]  # type: ignore[call-arg]
    return [index for index in found if index.table in tables]


def amcheck_schema(query: Query) -> str:
    """Name the schema of amcheck's functions, empty where they are not there or not allowed."""
    found = query(_AMCHECK)
    return str(found[0][0]) if found else ""


class ByIndex:
    """Let the planner read by indexes alone, as long as only indexes are compared.

    Settings and numbers of rows are those of one transaction.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        self._is_begun = False
        self._rows: dict[str, int] = {}

    def begin(self) -> None:
        """Set the planner, unless it is set already."""
        if not self._is_begun:
            self._set("off")
            self._is_begun = True

    def end(self) -> None:
        """Set the planner back, and forget what was counted."""
        if self._is_begun:
            self._set("on")
        self.forget()

    def forget(self) -> None:
        """Forget what ended with a transaction."""
        self._is_begun = False
        self._rows.clear()

    def rows(self, table: str) -> int:
        """Count the rows of a table once, in the table itself."""
        if table not in self._rows:
            sql = f"SELECT count(*) FROM ONLY {_all_rows(table)}"  # noqa: S608
            self._rows[table] = self.query(sql)[0][0]
        return self._rows[table]

    def _set(self, others: str) -> None:
        self.query(_SET, *[others] * len(_NOT_BY_INDEX))


def check_with_amcheck(by_index: ByIndex, index: Index, schema: str, damages: Damages) -> str:
    """Let amcheck look every row up in an index, and count the entries of the index.

    Return why this is not possible, else an empty text. Raises an error of the driver where
    amcheck finds damage.
    """
    query = by_index.query
    query(f"SELECT {schema}.bt_index_check({index.oid}::pg_catalog.regclass, true)")
    by_index.begin()
    if not _uses(query, _count(index), index.name):
        return _NOT_ALONE
    _check_count(by_index, index, damages)
    return ""


def check_by_lookups(by_index: ByIndex, index: Index, secret: int, damages: Damages) -> str:
    """Look every row up through the index, and count the entries of the index.

    Return why this is not possible, else an empty text.
    """
    if not index.is_plain and not index.is_hash:
        return "it is no plain index"
    query = by_index.query
    by_index.begin()
    statements = []
    ways = [_lookups(index, secret, leading=a, ordered=b) for a, b in _WAYS]
    lookups = list(zip(*ways, strict=True)) if by_index.rows(index.table) else []
    for alike in (*lookups, *([(_count(index),)] if index.is_plain else ())):
        sql = next((sql for sql in alike if _uses(query, sql, index.name)), None)
        if sql is None:
            return _NOT_ALONE
        statements.append(sql)
    for sql in statements[: len(lookups)]:
        for row in query(sql):
            shown = ", ".join(map(repr, row))
            detail = f"{index.table}: the index {index.name} leads from {shown} to other rows"
            damages.add(Check.INDEXES, "edited", detail)
    if index.is_plain:
        _check_count(by_index, index, damages)
    return ""


def _check_count(by_index: ByIndex, index: Index, damages: Damages) -> None:
    held, rows = by_index.query(_count(index))[0][0], by_index.rows(index.table)
    if held != rows:
        detail = f"{index.table}: {rows} rows, {held} in the index {index.name}"
        damages.add(Check.INDEXES, "edited", detail)


def _all_rows(table: str) -> str:
    """Read the table itself, whatever the settings say of sequential scans."""
    return f'"{table}" TABLESAMPLE SYSTEM (100)'


def _lookups(index: Index, secret: int, *, leading: bool, ordered: bool) -> Iterator[str]:
    """SQL that gives the keys from which the index leads elsewhere than to their rows.

    `leading`: compare rows of keys, for which only an index that begins with the first key serves.
    `ordered`: ask for the order of this index, which others that could serve do not have.
    """
    order = f" ORDER BY {', '.join(index.keys)} OFFSET 0" if ordered else ""
    names = [f"k{n}" for n in range(len(index.keys))]
    wanted = ", ".join(f"o.{name}" for name in names)
    columns = ", ".join(f"{key} AS {name}" for key, name in zip(index.keys, names, strict=True))
    table, rows = f'ONLY "{index.table}"', f"ONLY {_all_rows(index.table)}"
    each = [f"{key} = o.{name}" for key, name in zip(index.keys, names, strict=True)]
    one_row = f"({', '.join(index.keys)})", f"({wanted})"
    equal = [f" {sign} ".join(one_row) for sign in (">=", "<=")] if leading else each
    if index.is_unique and not index.has_null:
        yield (
            f"SELECT {wanted} FROM (SELECT {columns}, ctid AS place FROM {rows}) o"  # noqa: S608
            f" WHERE NOT EXISTS (SELECT 1 FROM {table}"
            f" WHERE {' AND '.join(equal)} AND ctid = o.place) LIMIT {SHOWN}"
        )
        return
    # Many rows may have one key: compare the places of all of them at once.
    place = f"sum(pg_catalog.hashtidextended(ctid, {secret}))"
    last = f"({index.keys[-1]} IS NULL) IS TRUE" if leading else f"{index.keys[-1]} IS NULL"
    for where, kept in (
        (equal, [f"o.{names[-1]} IS NOT NULL"]),
        ([*each[:-1], last], [f"o.{names[-1]} IS NULL"]),
    ):
        yield (
            f"SELECT {wanted} FROM (SELECT {columns}, count(*) AS n, {place} AS h"  # noqa: S608
            f" FROM {rows} GROUP BY {', '.join(names)}) o CROSS JOIN LATERAL"
            f" (SELECT count(*) AS n, {place} AS h FROM"
            f" (SELECT ctid FROM {table} WHERE {' AND '.join(where)}{order}) r) i"
            f" WHERE {' AND '.join(kept)} AND (i.n <> o.n OR i.h IS DISTINCT FROM o.h)"
            f" LIMIT {SHOWN}"
        )
        if not index.has_null:
            return


def _count(index: Index) -> str:
    """SQL that counts what the index holds."""
    order = ", ".join(index.keys)
    return f'SELECT count(*) FROM (SELECT 1 FROM ONLY "{index.table}" ORDER BY {order} OFFSET 0) x'  # noqa: S608


def _uses(query: Query, sql: str, name: str) -> bool:
    """Return whether the plan reads through this index and no other."""
    ((plan,),) = query(f"EXPLAIN (FORMAT JSON, COSTS OFF) {sql}")
    found: list[Any] = []
    _walk(json.loads(plan) if isinstance(plan, str) else plan, found.append)
    indexes = [node["Index Name"] for node in found if "Index Name" in node]
    scans = [node for node in found if node.get("Node Type") == "Seq Scan"]
    return indexes == [name] and not scans


def _walk(plan: Any, seen: Callable[[Any], None]) -> None:
    for node in plan if isinstance(plan, list) else plan.values():
        if isinstance(node, dict):
            seen(node)
        if isinstance(node, dict | list):
            _walk(node, seen)
