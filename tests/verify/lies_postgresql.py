"""Ways in which a superuser of PostgreSQL makes a store answer with lies, kind by kind."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import sqlalchemy as sa

from meta_audit.schema.tables import FACT_TABLES, metadata

Lie = Callable[["Liar"], str]
"""Tells one lie; what was done, or nothing where there was nothing to do."""
_VIEWS: Final = "SELECT viewname FROM pg_views WHERE schemaname = 'public' ORDER BY 1"
_INDEXES: Final = """
    SELECT indexname FROM pg_indexes WHERE schemaname = 'public'
    AND tablename NOT LIKE '%\\_version' ORDER BY 1"""
_PLAIN: Final = f"{_INDEXES.replace('ORDER BY 1', '')} AND indexname LIKE 'ix%' ORDER BY 1"
_TRIGGERS: Final = """
    SELECT tgname || ' ON ' || tgrelid::regclass FROM pg_trigger
    WHERE NOT tgisinternal ORDER BY 1"""


class Liar:
    """A superuser."""

    def __init__(self, db: str, chance: random.Random) -> None:
        url = sa.make_url(db).set(drivername="postgresql")
        said = url.render_as_string(hide_password=False)
        self._driver = psycopg.connect(said, autocommit=True)
        self.database = url.database
        self.chance = chance
        self.run("SET synchronous_commit = off")

    def run(self, sql: str, *parameters: object) -> list[Any]:
        cursor = self._driver.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else []

    def pick(self, sql: str) -> str:
        return str(self.chance.choice(self.run(sql))[0])

    def table(self) -> str:
        return self.chance.choice(FACT_TABLES)

    def column(self, table: str) -> str:
        return self.chance.choice([c.name for c in metadata.tables[table].columns])

    def close(self) -> None:
        self._driver.close()


@contextmanager
def liar(db: str, chance: random.Random) -> Iterator[Liar]:
    one = Liar(db, chance)
    try:
        yield one
    finally:
        one.close()


def _columns(one: Liar, name: str) -> list[tuple[str, str]]:
    return one.run(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        f" WHERE attrelid = '{name}'::regclass AND attnum > 0 ORDER BY attnum"
    )


def view_value(one: Liar) -> str:
    name = one.pick(_VIEWS)
    columns = _columns(one, name)
    lie = one.chance.choice(columns)
    body = one.run(f"SELECT pg_get_viewdef('{name}'::regclass)")[0][0].rstrip(";")
    said = ", ".join(
        f'CASE WHEN false THEN "{column}" END AS "{column}"'
        if (column, kind) == lie
        else f'"{column}"'
        for column, kind in columns
    )
    one.run(f"CREATE OR REPLACE VIEW {name} AS SELECT {said} FROM ({body}) x")
    return f"{name}.{lie[0]}"


def view_filter(one: Liar) -> str:
    name = one.pick(_VIEWS)
    body = one.run(f"SELECT pg_get_viewdef('{name}'::regclass)")[0][0].rstrip(";")
    one.run(
        f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM ({body}) x WHERE current_user <> 'auditor'"
    )
    return name


def view_as_table(one: Liar) -> str:
    name = one.pick(_VIEWS)
    one.run(f"CREATE TABLE copied AS SELECT * FROM {name}")
    one.run(f"DROP VIEW {name}")
    one.run(f"ALTER TABLE copied RENAME TO {name}")
    return name


def view_materialized(one: Liar) -> str:
    name = one.pick(_VIEWS)
    body = one.run(f"SELECT pg_get_viewdef('{name}'::regclass)")[0][0]
    one.run(f"DROP VIEW {name}")
    one.run(f"CREATE MATERIALIZED VIEW {name} AS {body}")
    return name


def view_dropped(one: Liar) -> str:
    name = one.pick(_VIEWS)
    one.run(f"DROP VIEW {name}")
    return name


def view_barrier(one: Liar) -> str:
    name = one.pick(_VIEWS)
    option = one.chance.choice(["security_barrier", "security_invoker"])
    one.run(f"ALTER VIEW {name} SET ({option} = true)")
    return f"{name} {option}"


def view_column_renamed(one: Liar) -> str:
    name = one.pick(_VIEWS)
    column = one.chance.choice(_columns(one, name))[0]
    one.run(f'ALTER VIEW {name} RENAME COLUMN "{column}" TO renamed')
    return f"{name}.{column}"


def view_reads_elsewhere(one: Liar) -> str:
    """The same text, but of tables in another schema."""
    name = one.pick(_VIEWS)
    body = one.run(f"SELECT pg_get_viewdef('{name}'::regclass)")[0][0]
    one.run("CREATE SCHEMA evil")
    for table in metadata.tables:
        one.run(f"CREATE TABLE evil.{table} (LIKE public.{table})")
    one.run("SET search_path = evil, public")
    one.run(f"CREATE OR REPLACE VIEW public.{name} AS {body}")
    return name


def table_behind_view(one: Liar) -> str:
    name = one.table()
    one.run(f"ALTER TABLE {name} RENAME TO hidden")
    one.run(f"CREATE VIEW {name} AS SELECT * FROM hidden")
    return name


def table_dropped(one: Liar) -> str:
    name = one.table()
    one.run(f"DROP TABLE {name} CASCADE")
    return name


def table_unlogged(one: Liar) -> str:
    name = one.chance.choice(["documents", "jobs", "observations", "meta_entries"])
    one.run(f"ALTER TABLE {name} SET UNLOGGED")
    return name


def index_dropped(one: Liar) -> str:
    name = one.pick(_PLAIN)
    one.run(f"DROP INDEX {name}")
    return name


def index_partial(one: Liar) -> str:
    name = one.pick(_PLAIN)
    sql = one.run(f"SELECT pg_get_indexdef('{name}'::regclass)")[0][0]
    one.run(f"DROP INDEX {name}")
    one.run(f"{sql} WHERE false")
    return name


def index_descends(one: Liar) -> str:
    name = one.pick(_PLAIN)
    sql = one.run(f"SELECT pg_get_indexdef('{name}'::regclass)")[0][0]
    if " USING hash " in sql:
        return ""
    one.run(f"DROP INDEX {name}")
    one.run(f"{sql[:-1]} DESC)")
    return name


def index_added(one: Liar) -> str:
    table = one.table()
    unique = one.chance.choice(["", "UNIQUE "])
    keys = ", ".join(f'"{c.name}"' for c in metadata.tables[table].primary_key.columns)
    one.run(f"CREATE {unique}INDEX added ON {table} ({keys})")
    return table


def index_invalid(one: Liar) -> str:
    name = one.pick(_INDEXES)
    flag = one.chance.choice(["indisvalid", "indisready", "indisunique", "indimmediate"])
    if flag == "indisunique" and name.startswith("ix"):
        flag = "indisvalid"
    one.run(f"UPDATE pg_index SET {flag} = false WHERE indexrelid = '{name}'::regclass")
    return f"{name} {flag}"


def index_stale(one: Liar) -> str:
    """An index that was away while a row was written, and has come back."""
    name = one.pick(_INDEXES)
    table = one.run(
        f"SELECT indrelid::regclass::text FROM pg_index WHERE indexrelid = '{name}'::regclass"
    )[0][0]
    if table not in FACT_TABLES or not one.run(f"SELECT 1 FROM {table} LIMIT 1"):
        return ""
    one.run("SET session_replication_role = 'replica'")
    column = metadata.tables[table].columns.keys()[0]
    ready = f"UPDATE pg_index SET indisready = %s WHERE indexrelid = '{name}'::regclass"
    one.run(ready, False)
    one.run(f"VACUUM {table}")
    ids = f"(SELECT ctid FROM {table} LIMIT 1)"
    # No index says that it changed, so that a row of another place needs every index anew.
    with one._driver.transaction():
        one.run(f"CREATE TEMP TABLE kept AS SELECT * FROM {table} WHERE ctid = {ids}")
        one.run(f"DELETE FROM {table} WHERE ctid = {ids}")
        one.run(f"INSERT INTO {table} SELECT * FROM kept")
    one.run(ready, True)
    if has_index := one.chance.random() < 0.7:  # which the vacuum took away
        one.run("UPDATE pg_class SET relhasindex = true WHERE relname = %s", table)
    return f"{name}, a row by {column}, used: {has_index}"


def index_swapped(one: Liar) -> str:
    """The pages of an index of a twin whose rows have other keys."""
    table, key = one.chance.choice(
        [
            ("jobs", "job_id"),
            ("terms", "digest"),
            ("identities", "digest"),
            ("meta_keys", "digest"),
            ("meta_pairs", "digest"),
        ]
    )
    one.run(f"CREATE TABLE twin (LIKE {table} INCLUDING ALL)")
    one.run("SET session_replication_role = 'replica'")
    other = f'(SELECT "{key}" FROM {table} ORDER BY ctid OFFSET {{}} LIMIT 1)'
    lie = f'CASE n WHEN 1 THEN {other.format(1)} WHEN 2 THEN {other.format(0)} ELSE "{key}" END'
    said = ", ".join(
        lie if c.name == key else f'"{c.name}"' for c in metadata.tables[table].columns
    )
    numbered = f"SELECT *, row_number() OVER (ORDER BY ctid) AS n FROM {table}"
    one.run(f"INSERT INTO twin SELECT {said} FROM ({numbered}) x ORDER BY n")
    find = (
        "SELECT indexrelid FROM pg_index WHERE indrelid = '{}'::regclass AND indisunique"
        " AND NOT indisprimary"
    )
    ((ours,),) = one.run(find.format(table))
    ((twin,),) = one.run(find.format("twin"))
    node = "SELECT relfilenode, relpages FROM pg_class WHERE oid = %s"
    mine, theirs = one.run(node, ours)[0][0], one.run(node, twin)[0][0]
    one.run("UPDATE pg_class SET relfilenode = %s WHERE oid = %s", 0x7FFFFFF0, ours)
    one.run("UPDATE pg_class SET relfilenode = %s WHERE oid = %s", mine, twin)
    one.run("UPDATE pg_class SET relfilenode = %s WHERE oid = %s", theirs, ours)
    return f"{table}.{key}"


def trigger_dropped(one: Liar) -> str:
    name = one.pick(_TRIGGERS)
    one.run(f"DROP TRIGGER {name}")
    return name


def trigger_disabled(one: Liar) -> str:
    name, table = one.pick(_TRIGGERS).split(" ON ")
    how = one.chance.choice(["DISABLE", "ENABLE REPLICA", "ENABLE ALWAYS"])
    one.run(f"ALTER TABLE {table} {how} TRIGGER {name}")
    return f"{how} {name}"


def triggers_hidden(one: Liar) -> str:
    """As if the table had none."""
    table = one.table()
    one.run("UPDATE pg_class SET relhastriggers = false WHERE relname = %s", table)
    return table


def indexes_hidden(one: Liar) -> str:
    table = one.table()
    one.run("UPDATE pg_class SET relhasindex = false WHERE relname = %s", table)
    return table


def foreign_keys_disabled(one: Liar) -> str:
    name = one.chance.choice(["sources", "meta_pairs", "rejections", "checkpoints"])
    one.run(f"ALTER TABLE {name} DISABLE TRIGGER ALL")
    return name


def trigger_added(one: Liar) -> str:
    name = one.table()
    one.run(
        "CREATE FUNCTION added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
    )
    one.run(f"CREATE TRIGGER added BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION added()")
    return name


def trigger_that_writes(one: Liar) -> str:
    table = one.table()
    one.run("CREATE TABLE notes (x int)")
    how = one.chance.choice([f"INSERT INTO {table} SELECT * FROM {table}", f"TRUNCATE {table}"])
    if one.chance.random() < 0.5:
        how = f"DELETE FROM ONLY public.{table}"
        one.run(f"CREATE RULE mine AS ON INSERT TO notes DO ALSO {how}")
        return how
    one.run(
        "CREATE FUNCTION writes() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {how}; RETURN NULL; END $$"
    )
    one.run("CREATE TRIGGER mine AFTER INSERT ON notes EXECUTE FUNCTION writes()")
    return how


def lock_row_added(one: Liar) -> str:
    one.run("INSERT INTO writer_lock VALUES (2)")
    return "writer_lock"


def trigger_of_another_function(one: Liar) -> str:
    name, table = one.pick(_TRIGGERS).split(" ON ")
    one.run("CREATE SCHEMA evil")
    one.run(
        "CREATE FUNCTION evil.meta_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN NULL; END $$"
    )
    one.run(f"DROP TRIGGER {name} ON {table}")
    one.run(
        f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION evil.meta_audit_append_only()"
    )
    return name


def function_changed(one: Liar) -> str:
    how = one.chance.choice(
        [
            "CREATE OR REPLACE FUNCTION meta_audit_append_only() RETURNS trigger"
            " LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
            "ALTER FUNCTION meta_audit_append_only() SECURITY DEFINER",
            "ALTER FUNCTION meta_audit_append_only() SET search_path = evil",
            "CREATE FUNCTION meta_audit_append_only(x int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ]
    )
    one.run(how)
    return how


def policy(one: Liar) -> str:
    name = one.table()
    one.run(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    if one.chance.random() < 0.7:
        one.run(f"CREATE POLICY hides ON {name} FOR SELECT USING (current_user <> 'auditor')")
    return name


def policy_waiting(one: Liar) -> str:
    """A policy that only has to be switched on."""
    name = one.table()
    one.run(f"CREATE POLICY hides ON {name} USING (false)")
    return name


def rule(one: Liar) -> str:
    name = one.table()
    action = one.chance.choice(["INSERT", "UPDATE", "DELETE"])
    one.run(f"CREATE RULE added AS ON {action} TO {name} DO INSTEAD NOTHING")
    return f"{name} {action}"


def rule_on_view(one: Liar) -> str:
    name = one.pick(_VIEWS)
    one.run(f"CREATE RULE added AS ON INSERT TO {name} DO INSTEAD NOTHING")
    return name


def child_with_rows(one: Liar) -> str:
    """Rows of a child are read with those of its parent."""
    name = one.table()
    one.run(f"CREATE TABLE child () INHERITS ({name})")
    one.run(f"INSERT INTO child SELECT * FROM ONLY {name} LIMIT 1")
    return name


def child_elsewhere(one: Liar) -> str:
    name = one.table()
    one.run("CREATE SCHEMA evil")
    one.run(f"CREATE TABLE evil.child () INHERITS (public.{name})")
    return name


def parent_added(one: Liar) -> str:
    name = one.table()
    one.run("CREATE TABLE parent ()")
    one.run(f"ALTER TABLE {name} INHERIT parent")
    return name


def column_retyped(one: Liar) -> str:
    kind = one.chance.choice(["numeric", "integer", "text"])
    table, name = one.chance.choice(
        [
            ("executions", "created_at"),
            ("imports", "started_at"),
            ("findings", "position"),
            ("source_results", "rejected"),
            ("checkpoints", "tree_size"),
            ("rejections", "line"),
            ("import_results", "sources"),
        ]
    )
    kind = "numeric" if name.endswith("_at") and kind == "integer" else kind
    for (view,) in one.run(_VIEWS):
        one.run(f"DROP VIEW {view}")
    one.run(f'ALTER TABLE {table} ALTER COLUMN "{name}" TYPE {kind}')
    return f"{table}.{name} {kind}"


def collation_changed(one: Liar) -> str:
    for (view,) in one.run(_VIEWS):
        one.run(f"DROP VIEW {view}")
    one.run('ALTER TABLE executions ALTER COLUMN state TYPE text COLLATE "default"')
    return "executions.state"


def null_allowed(one: Liar) -> str:
    table = one.table()
    primary = metadata.tables[table].primary_key.columns.keys()
    others = [c.name for c in metadata.tables[table].columns if c.name not in primary]
    if not others:
        return ""
    name = one.chance.choice(others)
    nullable = metadata.tables[table].columns[name].nullable
    how = "SET" if nullable else "DROP"
    try:
        one.run(f'ALTER TABLE {table} ALTER COLUMN "{name}" {how} NOT NULL')
    except psycopg.errors.NotNullViolation:
        return ""
    return f"{table}.{name} {how}"


def default_added(one: Liar) -> str:
    table = one.table()
    primary = metadata.tables[table].primary_key.columns.keys()
    others = [c for c in metadata.tables[table].columns if c.name not in primary]
    if not others:
        return ""
    column = one.chance.choice(others)
    value = "'1'" if "Integer" in repr(column.type) else "'x'"
    one.run(f'ALTER TABLE {table} ALTER COLUMN "{column.name}" SET DEFAULT {value}')
    return f"{table}.{column.name}"


def column_added(one: Liar) -> str:
    table = one.table()
    kind = one.chance.choice(
        ["bigint", "bigint GENERATED ALWAYS AS (1) STORED", "text DEFAULT 'x'"]
    )
    one.run(f"ALTER TABLE {table} ADD COLUMN added {kind}")
    return f"{table} {kind}"


def column_renamed(one: Liar) -> str:
    table = one.table()
    name = one.column(table)
    one.run(f'ALTER TABLE {table} RENAME COLUMN "{name}" TO renamed')
    return f"{table}.{name}"


def constraint_dropped(one: Liar) -> str:
    name, table = one.chance.choice(
        one.run(
            "SELECT conname, conrelid::regclass::text FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace AND contype IN ('f', 'p', 'u')"
            " AND conrelid::regclass::text NOT LIKE '%\\_version' ORDER BY 1"
        )
    )
    one.run(f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE")
    return name


def constraint_added(one: Liar) -> str:
    table = one.table()
    valid = one.chance.choice(["", " NOT VALID"])
    one.run(f"ALTER TABLE {table} ADD CONSTRAINT added CHECK (true){valid}")
    return table


def comment_changed(one: Liar) -> str:
    table = one.table()
    said = one.chance.choice(["'a lie'", "NULL"])
    target = one.chance.choice([f"TABLE {table}", f'COLUMN {table}."{one.column(table)}"'])
    one.run(f"COMMENT ON {target} IS {said}")
    return target


def row_of_comments(one: Liar) -> str:
    how = one.chance.choice(
        ["UPDATE schema_comments SET comment = 'lie'", "DELETE FROM schema_comments"]
    )
    one.run(f"{how} WHERE relation = '{one.table()}'")
    return how


def revision_changed(one: Liar) -> str:
    table = one.pick(
        "SELECT tablename FROM pg_tables WHERE tablename LIKE '%\\_version'"
        " AND schemaname = 'public'"
    )
    sql = one.chance.choice(
        [
            "DELETE FROM {}",
            "INSERT INTO {} VALUES ('0000')",
            "UPDATE {} SET version_num = version_num || ' '",
            "UPDATE {} SET version_num = '9999'",
            "UPDATE {} SET version_num = '0001'",
            "UPDATE {} SET version_num = '0000'",
        ]
    )
    one.run(sql.format(table))
    return sql


def shadowed(one: Liar) -> str:
    """A schema that everybody's search_path finds before the store's."""
    one.run("CREATE SCHEMA evil")
    name = one.pick(_VIEWS)
    one.run(f"CREATE VIEW evil.{name} AS SELECT * FROM public.{name} WHERE false")
    one.run(f"ALTER DATABASE {one.database} SET search_path = evil, public")
    return name


def builtin_replaced(one: Liar) -> str:
    how = one.chance.choice(
        [
            "CREATE FUNCTION pg_catalog.coalesced(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
            "CREATE OR REPLACE FUNCTION pg_catalog.lower(text) RETURNS text IMMUTABLE STRICT"
            " LANGUAGE plpgsql AS $$ BEGIN RETURN 'x'; END $$",
            "CREATE CAST (bytea AS text) WITHOUT FUNCTION",
        ]
    )
    one.run("SET allow_system_table_mods = on")
    one.run(how)
    return how


LIES: Final[tuple[Lie, ...]] = (
    view_value,
    view_filter,
    view_as_table,
    view_materialized,
    view_dropped,
    view_barrier,
    view_column_renamed,
    view_reads_elsewhere,
    table_behind_view,
    table_dropped,
    table_unlogged,
    index_dropped,
    index_partial,
    index_descends,
    index_added,
    index_invalid,
    index_stale,
    index_swapped,
    indexes_hidden,
    triggers_hidden,
    trigger_dropped,
    trigger_disabled,
    foreign_keys_disabled,
    trigger_added,
    trigger_that_writes,
    lock_row_added,
    trigger_of_another_function,
    function_changed,
    policy,
    policy_waiting,
    rule,
    rule_on_view,
    child_with_rows,
    child_elsewhere,
    parent_added,
    column_retyped,
    collation_changed,
    null_allowed,
    default_added,
    column_added,
    column_renamed,
    constraint_dropped,
    constraint_added,
    comment_changed,
    row_of_comments,
    revision_changed,
    shadowed,
    builtin_replaced,
)
