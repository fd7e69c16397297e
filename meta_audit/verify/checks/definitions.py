"""Compare the schema of the store with the one that this version makes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from meta_audit.schema import HEAD, VERSION_TABLE, postgresql_objects, reference, sqlite_objects
from meta_audit.schema.objects import Named, Objects, comments
from meta_audit.schema.role_paths import SET_PATH, shadowed_for_roles
from meta_audit.schema.tables import FACT_TABLES, indexes, metadata
from meta_audit.verify.outcome import Check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meta_audit.schema.signed_rows import Query
    from meta_audit.verify.outcome import Damages

_SCHEMA: Final = """
    SELECT nspname::text, oid::pg_catalog.int8 FROM pg_catalog.pg_namespace
    WHERE nspname = pg_catalog.current_schema()"""
_AT_START: Final = (
    "SELECT pg_catalog.set_config('search_path',"
    " (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path'), true)"
)
_PATH: Final = "SELECT pg_catalog.current_setting('search_path')"
_ENCODING: Final = """
    SELECT pg_catalog.pg_encoding_to_char(encoding)::text FROM pg_catalog.pg_database
    WHERE datname = pg_catalog.current_database()"""
_EVENT_TRIGGERS: Final = """
    SELECT evtname::text FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D' ORDER BY 1"""
_QUOTE: Final = "SELECT pg_catalog.quote_ident(?)"
_NOT_NAMED: Final = "calls", "comment", "constraint", "definition"
_NEVER: Final[dict[str, tuple[str, ...]]] = {
    "table": ("row level security", "unlogged", "partition"),
    "view": ("security_",),
    "column": (" generated ", " identity "),
    "index": ("not valid", "not ready", "not live", "not used", " WHERE ", "operator class"),
    "trigger": (") D", ") R", ") A", "not used", " WHEN "),
}
"""Words that no definition has, by kind."""
_WRITES: Final = re.compile(
    r"""\b(?:into|update(?:\s+or\s+\w+)?|delete\s+from|truncate(?:\s+table)?|copy)\s+
    (?:only\s+)?(?:(?P<schema>[\w"]+)\s*\.\s*)?"?(?P<table>\w+)""",
    re.IGNORECASE | re.VERBOSE,
)
_WRITER_LOCK: Final = "SELECT lock_id FROM writer_lock ORDER BY lock_id LIMIT 5"
LONGEST: Final = 60
"""Characters of a definition that are shown around its first difference."""


def check_revision(query: Query, table: str, damages: Damages) -> list[str]:
    """Compare the revision of the schema. Return what the version table holds."""
    sql = f"SELECT version_num FROM {table} ORDER BY version_num LIMIT 5"  # noqa: S608
    found = [str(revision) for (revision,) in query(sql)] if table else []
    if found != [HEAD]:
        held = ", ".join(found) or "nothing"
        _add(damages, "edited", f"{VERSION_TABLE} holds {held}, not {HEAD}")
    return found


def without_version_table(objects: Objects) -> Objects:
    """Leave out the version table, which has another name in an old store."""
    rest = {n: text for n, text in objects.definitions.items() if n.relation != VERSION_TABLE}
    return objects._replace(definitions=rest)


def check_sqlite(query: Query, expected: Objects, damages: Damages) -> None:
    """Compare an SQLite file."""
    _check_encoding(query("PRAGMA encoding")[0][0], "UTF-8", damages)
    found = sqlite_objects.definitions(query)
    for named in found:
        if not sqlite_objects.is_allowed(named):
            _add(damages, "added", f"{named} was not made by SQLite")
    own = ((str(n), text) for n, text in found.items() if n.relation not in expected.relations)
    _check_writers(own, {"main"}, expected.relations, damages)
    _compare(found, expected, damages)
    _check_comments(query, expected, found, damages)


def check_postgresql(query: Query, expected: Objects, damages: Damages) -> None:
    """Compare the schema that comes first in `search_path`, within a transaction."""
    found = _of_postgresql(query, expected.relations, damages)
    _compare(found, expected, damages)
    _check_comments(query, expected, found, damages)


def check_postgresql_names(query: Query, damages: Damages) -> None:
    """Look for what was added to our relations, or is missing, where no definition is at hand."""
    names = _names()
    relations = frozenset(named.relation for named in names)
    found = _of_postgresql(query, relations, damages)
    for named in names - found.keys():
        _add(damages, "missing", f"{named} is not there")
    for named, definition in found.items():
        if named.relation not in relations or named.kind in _NOT_NAMED:
            continue
        if named not in names:
            _add(damages, "added", f"{named} is not a part of the store: {_short(definition)}")
        elif any(word in definition for word in _NEVER[named.kind]):
            _add(damages, "edited", f"{named} was changed: {_short(definition)}")


def _names() -> frozenset[Named]:
    """Return the objects that are named alike on both engines."""
    made = reference.of_sqlite().definitions
    names = {Named(n.kind, n.relation, "") for n in made if n.kind in ("table", "view")}
    names -= {Named("table", VERSION_TABLE, "")}
    for table in metadata.tables.values():
        names |= {Named("column", table.name, column.name) for column in table.columns}
        names |= {
            Named("index", table.name, str(index.name)) for index in indexes(table, "postgresql")
        }
        names |= {
            Named("index", table.name, str(constraint.name))
            for constraint in table.constraints
            if isinstance(constraint, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
        }
    kept = (*FACT_TABLES, "writer_lock")
    names |= {Named("trigger", table, f"tr_{table}_append_only") for table in kept}
    views = {n.relation for n in names if n.kind == "view"}
    columns = {(r, c) for r, c, _ in reference.of_sqlite().comments if c and r in views}
    return frozenset(names | {Named("column", view, column) for view, column in columns})


def _of_postgresql(query: Query, relations: frozenset[str], damages: Damages) -> dict[Named, str]:
    """Read the schema; name what stands before it, and what stands for the server's own."""
    ((name, oid),) = query(_SCHEMA)
    ((path,),) = query(_PATH)
    _check_encoding(query(_ENCODING)[0][0], "UTF8", damages)
    query(_AT_START)
    for shadow in postgresql_objects.shadows(query, name, relations):
        detail = f"search_path finds {shadow} before the store's own in the schema {name}"
        _add(damages, "added", detail)
    for role, shadow in shadowed_for_roles(query, name, relations):
        detail = f"{role} finds {shadow} before the store's own in the schema {name}"
        _add(damages, "added", f"by search_path, the role {detail}")
    query(_AT_START)
    for other in postgresql_objects.called_instead(query, oid):
        _add(damages, "added", f"{other} is called instead of one of the server's own")
    ((quoted,),) = query(_QUOTE, name)
    query(SET_PATH, quoted)  # definitions name what is in the schema without the schema
    found = postgresql_objects.definitions(query, oid)
    for relation, used in postgresql_objects.foreign_parts(query, oid):
        if relation in relations:
            _add(damages, "edited", f"{relation} uses {used}, which is none of the server's own")
    query(SET_PATH, path)
    for lie in postgresql_objects.replaced_builtins(query):
        _add(damages, "added", f"{lie} was added to those of the server, or changed")
    others = postgresql_objects.triggers_of_others(query, oid, relations)
    _check_writers(others, {name}, relations, damages)
    return found


def _check_encoding(found: object, wanted: str, damages: Damages) -> None:
    """Check how texts are stored: in another encoding they sort and match otherwise."""
    if found != wanted:
        _add(damages, "edited", f"texts are stored in {found!s:.40}, not in {wanted}")


def not_comparable(query: Query) -> list[str]:
    """Return what may change the schema that is compared, or what a server answers by it."""
    return [
        *(
            f"definitions of the schema: the event trigger {name!r} may change what is compared"
            for (name,) in query(_EVENT_TRIGGERS)
        ),
        *(
            f"the server's {name}: somebody changed it after the server was made"
            for name in postgresql_objects.changed_builtins(query)
        ),
    ]


def _check_writers(
    others: Iterable[tuple[str, str]],
    schemas: set[str],
    relations: frozenset[str],
    damages: Damages,
) -> None:
    """Name triggers and rules of others' relations whose text writes to ours."""
    for name, text in others:
        if not name.startswith(("trigger ", "rule ")):
            continue
        for match in _WRITES.finditer(text):
            schema = (match["schema"] or "").strip('"')
            if match["table"].lower() in relations and (not schema or schema in schemas):
                _add(damages, "added", f"{name} writes to {match['table'].lower()}")
                break


def check_writer_lock(query: Query, damages: Damages) -> None:
    """Check that the row that writers lock is there, and no other."""
    found = [number for (number,) in query(_WRITER_LOCK)]
    if found != [1]:
        held = ", ".join(map(str, found)) or "no row"
        kind = "added" if 1 in found else "missing"
        _add(damages, kind, f"writer_lock holds {held}, not only 1")


def _add(damages: Damages, kind: str, detail: str) -> None:
    damages.add(Check.SCHEMA, kind, detail)  # type: ignore[arg-type]


def _compare(found: dict[Named, str], expected: Objects, damages: Damages) -> None:
    relations = expected.relations
    gone = {named.relation for named in expected.definitions if not named.name} - {
        named.relation for named in found if not named.name
    }
    for named, definition in expected.definitions.items():
        if named not in found:
            if named.relation not in gone or not named.name:
                _add(damages, "missing", f"{named} is not there")
        elif found[named] != definition:
            said = _difference(definition, found[named])
            _add(damages, "edited", f"{named} is not the one that this version makes: {said}")
    for named, definition in found.items():
        if named not in expected.definitions and named.relation in relations:
            _add(damages, "added", f"{named} is not a part of the store: {_short(definition)}")


def _check_comments(
    query: Query, expected: Objects, there: Iterable[Named], damages: Damages
) -> None:
    relations = expected.relations
    found = {
        tuple(row)
        for row in query(comments({named.relation for named in there}))
        if row[0] in relations
    }
    for kind, rows in (
        ("missing", expected.comments - found),
        ("added", found - expected.comments),
    ):
        for relation, column, text in sorted(rows, key=repr):
            place = f"{relation}.{column}" if column else relation
            _add(damages, kind, f"the comment on {place}: {_short(str(text))}")


def _difference(expected: str, found: str) -> str:
    """Show both texts from a little before the first difference."""
    same = next(
        (n for n, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b),
        min(len(expected), len(found)),
    )
    begin = max(0, same - LONGEST // 3)
    lead = "…" if begin else ""
    return f"{lead}{_short(found[begin:])!r} instead of {lead}{_short(expected[begin:])!r}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
