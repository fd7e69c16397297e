"""Read the objects of a PostgreSQL schema from the system catalogs.

The server writes the texts itself, so two schemas on one server can be compared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from meta_audit.schema.objects import Named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meta_audit.schema.signed_rows import Query

FUNCTIONS: Final = ("meta_audit_append_only",)
"""Functions that belong to a store."""

# `concat_ws` leaves out NULL. {0} is the OID of the schema.
_RELATIONS: Final = """
    SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'f' THEN 'foreign table' ELSE 'table' END, c.relname::text, '',
        concat_ws(' ', CASE WHEN c.relkind = 'p' THEN 'partitioned' END,
            CASE WHEN c.relispartition THEN 'partition' END,
            CASE WHEN c.relpersistence = 'u' THEN 'unlogged' END,
            CASE WHEN c.relrowsecurity THEN 'row level security' END,
            CASE WHEN c.relforcerowsecurity THEN 'forced' END,
            CASE WHEN c.reloftype <> 0 THEN 'of a type' END,
            (SELECT am.amname FROM pg_catalog.pg_am am WHERE am.oid = c.relam),
            CASE WHEN c.relkind = 'v' AND NOT c.relhasrules THEN 'not used' END,
            CASE WHEN c.relchecks <> (SELECT count(*) FROM pg_catalog.pg_constraint k
                WHERE k.conrelid = c.oid AND k.contype = 'c') THEN 'constraints not used' END,
            CASE WHEN c.relkind = 'v' THEN c.reloptions::text END)
    FROM pg_catalog.pg_class c
    WHERE c.relnamespace = {0} AND c.relkind IN ('r', 'v', 'm', 'p', 'f')"""
_COLUMNS: Final = """
    SELECT 'column', c.relname::text, a.attname::text,
        concat_ws(' ', row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
            pg_catalog.format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attnotnull THEN 'not null' END,
            (SELECT concat('collate ', nullif(concat(n.nspname, '.'), 'pg_catalog.'), o.collname)
             FROM pg_catalog.pg_collation o
             JOIN pg_catalog.pg_namespace n ON n.oid = o.collnamespace
             WHERE o.oid = a.attcollation),
            'identity ' || nullif(a.attidentity::text, ''),
            'generated ' || nullif(a.attgenerated::text, ''),
            'default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid),
            CASE WHEN d.oid IS NOT NULL AND NOT a.atthasdef THEN 'not used' END)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = {0} AND c.relkind IN ('r', 'v', 'm', 'p', 'f')"""
_CONSTRAINTS: Final = """
    SELECT 'constraint', c.relname::text, k.conname::text,
        concat_ws(' ', pg_catalog.pg_get_constraintdef(k.oid),
            CASE WHEN NOT k.convalidated THEN 'not valid' END,
            CASE WHEN k.conparentid <> 0 THEN 'inherited' END,
            CASE WHEN k.contype = 'f' AND (SELECT count(*) FROM pg_catalog.pg_trigger t
                WHERE t.tgconstraint = k.oid) <> 4 THEN 'not used' END)
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = {0} AND k.contype <> 'n'"""
_INDEXES: Final = """
    SELECT 'index', c.relname::text, x.relname::text,
        concat_ws(' ', CASE WHEN i.indisunique THEN 'unique' END,
            CASE WHEN i.indisprimary THEN 'primary' END,
            CASE WHEN NOT i.indisvalid THEN 'not valid' END,
            CASE WHEN NOT i.indisready THEN 'not ready' END,
            CASE WHEN NOT i.indislive THEN 'not live' END,
            CASE WHEN NOT c.relhasindex THEN 'not used' END,
            CASE WHEN NOT i.indimmediate THEN 'deferred' END,
            CASE WHEN i.indisexclusion THEN 'exclusion' END,
            (SELECT 'operator class ' || string_agg(o::text, ' ')
             FROM unnest(i.indclass::pg_catalog.oid[]) o WHERE o >= '16384'),
            regexp_replace(substring(pg_catalog.pg_get_indexdef(i.indexrelid) FROM ' USING (.*)$'),
                ' WITH \\([^)]*\\)', ''))
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    WHERE c.relnamespace = {0} AND c.relkind <> 't'"""
_TRIGGERS: Final = """
    SELECT 'trigger', c.relname::text, t.tgname::text,
        concat_ws(' ', pg_catalog.pg_get_triggerdef(t.oid, true), nullif(t.tgenabled::text, 'O'),
            CASE WHEN NOT c.relhastriggers THEN 'not used' END)
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = {0} AND (NOT t.tgisinternal OR t.tgenabled <> 'O')"""
_RULES: Final = """
    SELECT 'rule', c.relname::text, r.rulename::text,
        concat_ws(' ', pg_catalog.pg_get_ruledef(r.oid), nullif(r.ev_enabled::text, 'O'))
    FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
    WHERE c.relnamespace = {0} AND (c.relkind <> 'v' OR r.rulename <> '_RETURN')"""
_VIEWS: Final = """
    SELECT 'definition', c.relname::text, '', pg_catalog.pg_get_viewdef(c.oid)
    FROM pg_catalog.pg_class c WHERE c.relnamespace = {0} AND c.relkind IN ('v', 'm')"""
# Two functions may have one text: a cast, or what an operator calls.
_CALLS: Final = """
    SELECT 'calls', made.name, made.part,
        (SELECT string_agg(m[1] || ' ' || m[2], ' ')
        FROM regexp_matches(made.tree, ':(opno|opfuncid|funcid|aggfnoid) ([0-9]+)', 'g') m)
    FROM (
        SELECT c.relnamespace space, c.relname::text name, ''::text part, r.ev_action::text tree
        FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
        WHERE c.relkind = 'v' AND r.rulename = '_RETURN'
        UNION ALL SELECT c.relnamespace, c.relname::text, a.attname::text, d.adbin::text
        FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.adnum
        UNION ALL SELECT c.relnamespace, c.relname::text, k.conname::text, k.conbin::text
        FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
        WHERE k.contype = 'c'
        UNION ALL SELECT c.relnamespace, c.relname::text, x.relname::text, i.indexprs::text
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
        JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
        WHERE i.indexprs IS NOT NULL) made
    WHERE made.space = {0}"""
_POLICIES: Final = """
    SELECT 'policy', c.relname::text, p.polname::text,
        concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::text,
            pg_catalog.pg_get_expr(p.polqual, p.polrelid),
            pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
    WHERE c.relnamespace = {0}"""
_INHERITANCE: Final = """
    SELECT 'child table', c.relname::text, i.inhrelid::pg_catalog.regclass::text, ''
    FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
    WHERE c.relnamespace = {0} AND c.relkind NOT IN ('i', 'I')
    UNION ALL
    SELECT 'parent table', c.relname::text, i.inhparent::pg_catalog.regclass::text, ''
    FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    WHERE c.relnamespace = {0} AND c.relkind NOT IN ('i', 'I')"""
_COMMENTS: Final = """
    SELECT 'comment', c.relname::text, coalesce(a.attname::text, ''), d.description
    FROM pg_catalog.pg_description d
    JOIN pg_catalog.pg_class c ON c.oid = d.objoid AND c.relnamespace = {0}
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid
        AND d.objsubid > 0
    WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND c.relkind IN ('r', 'v', 'm', 'p', 'f')"""
_OWN_FUNCTIONS: Final = """
    SELECT 'function', '', p.proname::text,
        concat_ws(' ', pg_catalog.pg_get_function_identity_arguments(p.oid), 'returns',
            pg_catalog.pg_get_function_result(p.oid), l.lanname, p.provolatile, p.proleakproof,
            p.prosecdef, p.proisstrict, p.proconfig::text, p.prosrc)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.pronamespace = {0} AND p.proname = '{1}'"""
_PARTS: Final = (
    _RELATIONS,
    _COLUMNS,
    _CONSTRAINTS,
    _INDEXES,
    _TRIGGERS,
    _RULES,
    _VIEWS,
    _CALLS,
    _POLICIES,
    _INHERITANCE,
    _COMMENTS,
    *(_OWN_FUNCTIONS.replace("{1}", name) for name in FUNCTIONS),
)
_ALL: Final = " UNION ALL ".join(_PARTS)
_TEMPORARY: Final = re.compile(r"\bpg_temp(_\d+)?\.")
_SHOWN: Final = ", ".join(
    f"'{name}'::pg_catalog.regtype"
    for name in ("int8", "int4", "text", "bytea", "timestamptz", "jsonb")
)
"""Types of the columns of tables and views."""
# The server's functions that our views call are named; none of them is written in SQL.
_LIES: Final = f"""
    SELECT 'function ' || p.oid::pg_catalog.regprocedure::pg_catalog.text FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND p.oid >= '16384'
        AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
            WHERE d.objid = p.oid AND d.deptype = 'e')
    UNION ALL SELECT 'function ' || p.oid::pg_catalog.regprocedure::pg_catalog.text
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND p.oid < '12000'
        AND (l.lanname NOT IN ('internal', 'c', 'sql') OR l.lanname = 'sql' AND p.proname IN (
            'count', 'encode', 'jsonb_object_agg', 'max', 'sum', 'to_timestamp'))
    UNION ALL SELECT 'operator ' || o.oid::pg_catalog.regoperator::pg_catalog.text
    FROM pg_catalog.pg_operator o
    WHERE o.oprnamespace = 'pg_catalog'::pg_catalog.regnamespace AND o.oid >= '16384'
        AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
            WHERE d.objid = o.oid AND d.deptype = 'e')
    UNION ALL SELECT 'cast from ' || pg_catalog.format_type(c.castsource, NULL)
        || ' to ' || pg_catalog.format_type(c.casttarget, NULL)
    FROM pg_catalog.pg_cast c
    WHERE c.oid >= '16384' AND c.castsource < '16384' AND (
        c.casttarget = 'text'::pg_catalog.regtype OR c.castsource IN ({_SHOWN})
        AND c.casttarget IN ({_SHOWN}, 'varchar'::pg_catalog.regtype))"""  # noqa: S608 - own texts
_FITS: Final = """
    (a.oid < '16384' OR a.typtype = 'd') AND (b.typtype = 'p' OR b.oid = a.base OR EXISTS (
        SELECT 1 FROM pg_catalog.pg_cast c
        WHERE c.castsource = a.base AND c.casttarget = b.oid AND c.castcontext = 'i'))"""
"""A value of type `a`, the server's own or a domain, may be given where `b` is wanted."""
_BASES: Final = """
    SELECT oid, typtype, typcategory, CASE WHEN typtype = 'd' THEN typbasetype ELSE oid END AS base
    FROM pg_catalog.pg_type"""
# A function for just these types is called instead of one that takes them as others, wherever it
# is found. One for the same types is called if its schema comes first. Here every operator and
# function has just the types that it is given, so that none is called instead.
_INSTEAD: Final = f"""
    WITH path AS (
        SELECT n.oid, (SELECT i FROM pg_catalog.generate_series(1, 1000) i
            WHERE (pg_catalog.current_schemas(true))[i] = n.nspname LIMIT 1) AS place
        FROM pg_catalog.pg_namespace n),
    found AS (SELECT oid FROM path WHERE place IS NOT NULL OR oid = '{{0}}'),
    before AS (SELECT oid FROM path WHERE place < (
        SELECT place FROM path WHERE oid = 'pg_catalog'::pg_catalog.regnamespace)),
    types AS ({_BASES})
    SELECT 'function ' || p.oid::pg_catalog.regprocedure::pg_catalog.text
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_proc q ON q.proname = p.proname
        AND q.oid < '16384' AND q.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
        AND (q.provariadic <> '0' OR q.pronargs = p.pronargs)
    WHERE p.oid >= '16384' AND p.pronamespace IN (SELECT oid FROM found)
        AND (p.pronamespace IN (SELECT oid FROM before) OR NOT EXISTS (
            SELECT 1 FROM pg_catalog.pg_proc same WHERE same.proname = p.proname
                AND same.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
                AND same.oid < '16384' AND same.proargtypes = p.proargtypes))
        AND NOT EXISTS (
            SELECT 1 FROM pg_catalog.generate_series(0, p.pronargs - 1) n
            JOIN types a ON a.oid = p.proargtypes[n]
            LEFT JOIN types b ON b.oid = q.proargtypes[least(n, q.pronargs - 1)]
            WHERE NOT ({_FITS}))
    UNION SELECT 'operator ' || p.oid::pg_catalog.regoperator::pg_catalog.text
    FROM pg_catalog.pg_operator p JOIN pg_catalog.pg_operator q ON q.oprname = p.oprname
        AND q.oid < '16384' AND q.oprnamespace = 'pg_catalog'::pg_catalog.regnamespace
        AND (q.oprleft = '0') = (p.oprleft = '0')
    WHERE p.oid >= '16384' AND p.oprnamespace IN (SELECT oid FROM found)
        AND (p.oprnamespace IN (SELECT oid FROM before) OR NOT EXISTS (
            SELECT 1 FROM pg_catalog.pg_operator same WHERE same.oprname = p.oprname
                AND same.oprnamespace = 'pg_catalog'::pg_catalog.regnamespace
                AND same.oid < '16384' AND same.oprleft = p.oprleft
                AND same.oprright = p.oprright))
        AND NOT EXISTS (
            SELECT 1 FROM (VALUES (p.oprleft, q.oprleft), (p.oprright, q.oprright)) side (a, b)
            JOIN types a ON a.oid = side.a LEFT JOIN types b ON b.oid = side.b
            WHERE a.typcategory = 'A' OR NOT ({_FITS}))"""  # noqa: S608 - own texts
_COMPUTES: Final = """
    o.proacl IS NULL OR o.provolatile = 'i' OR o.prolang = '14' OR o.proname !~ '^(pg|lo|has|inet)_'
    AND o.proname !~ '^(lo|set_config|current_setting|version|query_to|table_to|schema_to)'
    OR o.proname ~ '^pg_(get_.*(def|expr|arguments|result)|describe_|encoding_)'"""
"""A grant is not the reason why a function was changed: 14 is SQL, and queries call functions that
are not named like those of administrators."""
_NAMED_LIKE_TYPE: Final = " AND ".join(
    f"o.typ{column}::text IN (o.typname || '{end}', o.typname || '_{end}')"
    for column, end in (("input", "in"), ("output", "out"), ("receive", "recv"), ("send", "send"))
)
_CATALOGS: Final = (
    ("pg_proc", "pg_proc", "oid", _COMPUTES),
    ("pg_aggregate", "pg_proc", "aggfnoid", "true"),
    (
        "pg_type",
        "pg_type",
        "oid",
        f"o.typacl IS NULL OR o.oid IN ({_SHOWN}) AND NOT ({_NAMED_LIKE_TYPE})",
    ),
    *(
        (name, name, "oid", "true")
        for name in (
            *("pg_operator", "pg_opclass", "pg_amop", "pg_amproc"),
            *("pg_cast", "pg_collation", "pg_rewrite"),
        )
    ),
)
"""Catalogs that queries compute with: name, class and OID of what a row describes, and a condition
that leaves out what a grant may have changed."""
# The server's databases are made at the end of initdb, after all that is its own: by about the
# 750th transaction. Their rows may have been written anew. pg_surgery gives a row the number 2.
_CHANGED: Final = """
    SELECT pg_catalog.pg_describe_object('pg_catalog.{1}'::pg_catalog.regclass, o.{2}, 0)
    FROM pg_catalog.{0} o, (SELECT least(min(d.xmin::text::pg_catalog.int8), 1000) made
        FROM pg_catalog.pg_database d WHERE d.oid < '16384') server
    WHERE o.{2}::pg_catalog.oid < '16384' AND ({3})
        AND (o.xmin::text::pg_catalog.int8 > server.made OR o.xmin::text = '2')
    LIMIT 5"""
_OWN_CATALOGS: Final = (
    *("pg_am", "pg_attrdef", "pg_attribute", "pg_cast", "pg_class", "pg_constraint", "pg_database"),
    *("pg_depend", "pg_description", "pg_event_trigger", "pg_extension", "pg_index", "pg_inherits"),
    *("pg_language", "pg_namespace", "pg_operator", "pg_policy", "pg_proc", "pg_rewrite"),
    *("pg_settings", "pg_trigger", "pg_type", "pg_aggregate", "pg_collation", "pg_opclass"),
    *("pg_amop", "pg_amproc"),
)
"""Catalogs that are asked here."""
# The server finds a relation by name without them.
_IN_PLACE: Final = " UNION ALL ".join(
    f"SELECT 'catalog {name}' WHERE 'pg_catalog.{name}'::pg_catalog.regclass::pg_catalog.oid"
    " >= '16384'"
    for name in _OWN_CATALOGS
)
_UNQUOTED: Final = "SELECT pg_catalog.set_config('quote_all_identifiers', 'off', true)"
_FOREIGN: Final = """
    SELECT DISTINCT c.relname::text, pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0)
    FROM pg_catalog.pg_depend d
    LEFT JOIN pg_catalog.pg_rewrite r
        ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
    LEFT JOIN pg_catalog.pg_attrdef a
        ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND a.oid = d.objid
    LEFT JOIN pg_catalog.pg_constraint k
        ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = d.objid
    LEFT JOIN pg_catalog.pg_index i
        ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND i.indexrelid = d.objid
    JOIN pg_catalog.pg_class c ON c.oid = coalesce(r.ev_class, a.adrelid, k.conrelid, i.indrelid)
    WHERE c.relnamespace = {0} AND d.refobjid >= '16384' AND d.refclassid IN (
        'pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass,
        'pg_catalog.pg_collation'::pg_catalog.regclass,
        'pg_catalog.pg_opclass'::pg_catalog.regclass)"""
_TRIGGERS_OF_OTHERS: Final = """
    SELECT c.relnamespace::pg_catalog.int8, c.relname::text,
        concat('trigger ', t.tgname, ' of ', c.oid::pg_catalog.regclass), p.prosrc
    FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal
    UNION ALL
    SELECT c.relnamespace::pg_catalog.int8, c.relname::text,
        concat('rule ', r.rulename, ' of ', c.oid::pg_catalog.regclass),
        pg_catalog.pg_get_ruledef(r.oid)
    FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
    WHERE r.rulename <> '_RETURN'"""
_SHADOWS: Final = """
    SELECT n.nspname::text, c.relname::text, path.place
    FROM unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY path (name, place)
    JOIN pg_catalog.pg_namespace n ON n.nspname = path.name
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
    WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f')
    ORDER BY path.place, c.relname"""


def definitions(query: Query, schema: int) -> dict[Named, str]:
    """Read every object of a schema, given by OID. It must be first in `search_path`."""
    found: dict[Named, str] = {}
    query(_UNQUOTED)
    for kind, relation, name, text in query(_ALL.format(schema)):
        named = Named(kind, relation, name)
        said = _TEMPORARY.sub("", text or "")
        found[named] = f"{found[named]} ; {said}" if named in found else said
    return found


def replaced_builtins(query: Query) -> list[str]:
    """Return functions, operators and casts that someone put among the server's own."""
    return [str(name) for (name,) in query(_LIES)]


def called_instead(query: Query, schema: int) -> list[str]:
    """Return functions and operators that `search_path` finds instead of the server's own."""
    return [str(name) for (name,) in query(_INSTEAD.format(schema))]


def changed_builtins(query: Query) -> list[str]:
    """Return what is the server's own, and was changed after the server was made.

    PostgreSQL takes catalogs as they are. Grants of functions and types change their rows too:
    they are left out, but for functions that compute.
    """
    changed = [_IN_PLACE, *(_CHANGED.format(*of) for of in _CATALOGS)]
    return [str(name) for sql in changed for (name,) in query(sql)]


def foreign_parts(query: Query, schema: int) -> list[tuple[str, str]]:
    """Return relations of a schema with functions and the like that somebody made and they use.

    A cast in a view may call one, though the text of the view does not show it.
    """
    return [(str(relation), str(used)) for relation, used in query(_FOREIGN.format(schema))]


def triggers_of_others(
    query: Query, schema: int, relations: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield name and text of the triggers and rules of every relation that is not ours."""
    for namespace, relation, name, text in query(_TRIGGERS_OF_OTHERS):
        if namespace != schema or relation not in relations:
            yield name, text


def shadows(query: Query, schema: str, relations: Iterable[str]) -> list[str]:
    """Return relations with our names in schemas that come before `schema` in `search_path`.

    None, if `schema` is not in it.
    """
    ours = frozenset(relations)
    found: list[str] = []
    for name, relation, _ in query(_SHADOWS):
        if name == schema:
            return found
        if relation in ours:
            found.append(f"{name}.{relation}")
    return []
