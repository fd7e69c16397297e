"""Ways in which somebody with an SQLite file makes it answer with lies, kind by kind."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final

from meta_audit.schema.tables import FACT_TABLES, metadata

Lie = Callable[["Liar"], str]
"""Tells one lie; what was done, or nothing where there was nothing to do."""
UNIQUE: Final = {
    "jobs": "job_id",
    "terms": "digest",
    "meta_keys": "digest",
    "meta_pairs": "digest",
    "identities": "digest",
}
"""Tables with a unique column."""
STRICT: Final = r",?\s*STRICT\s*$"
ALIKE: Final = (
    ("terms", "identities"),
    ("meta_entries", "label_entries"),
    ("tasks", "observations"),
)


class Liar:
    """Somebody who may write to the file in every way."""

    def __init__(self, db: str, chance: random.Random) -> None:
        self._driver = sqlite3.connect(db, isolation_level=None)
        self.chance = chance
        self.run("PRAGMA foreign_keys = OFF")
        self.run("PRAGMA legacy_alter_table = ON")

    def run(self, sql: str, *parameters: object) -> list[tuple]:
        return self._driver.execute(sql, parameters).fetchall()

    def names(self, kind: str) -> list[str]:
        """The store's own, not Alembic's."""
        sql = "SELECT name FROM sqlite_master WHERE type = ? AND sql IS NOT NULL ORDER BY name"
        return [name for (name,) in self.run(sql, kind) if not name.endswith("_version")]

    def sql(self, name: str) -> str:
        return str(self.run("SELECT sql FROM sqlite_master WHERE name = ?", name)[0][0])

    def pick(self, kind: str) -> str:
        return self.chance.choice(self.names(kind))

    def column(self, table: str, kind: str = "") -> str:
        columns = [c.name for c in metadata.tables[table].columns if kind in repr(c.type)]
        return self.chance.choice(columns) if columns else ""

    @contextmanager
    def writable_schema(self) -> Iterator[None]:
        """Edit `sqlite_master` by hand, and let everybody read it again."""
        self.run("PRAGMA writable_schema = ON")
        yield
        ((version,),) = self.run("PRAGMA schema_version")
        self.run(f"PRAGMA schema_version = {version + 1}")
        self.run("PRAGMA writable_schema = OFF")

    def rewrite(self, name: str, old: str, new: str) -> str:
        """Change the text of an object by hand."""
        sql = self.sql(name)
        changed = re.sub(old, new, sql, count=1)
        if changed == sql:
            return ""
        with self.writable_schema():
            self.run("UPDATE sqlite_master SET sql = ? WHERE name = ?", changed, name)
        return f"{name}: {old} -> {new}"


@contextmanager
def liar(db: str, chance: random.Random) -> Iterator[Liar]:
    one = Liar(db, chance)
    with closing(one._driver):
        yield one


def view_value(one: Liar) -> str:
    name = one.pick("view")
    sql = one.sql(name)
    columns = re.findall(r'\n    (.*) AS "(\w+)"', sql)
    expression, column = one.chance.choice(columns)
    one.run(f"DROP VIEW {name}")
    one.run(sql.replace(f'{expression} AS "{column}"', f"'innocent' AS \"{column}\"", 1))
    return f"{name}.{column}"


def view_filter(one: Liar) -> str:
    name = one.pick("view")
    body = one.sql(name).split(" AS ", 1)[1]
    one.run(f"DROP VIEW {name}")
    one.run(f"CREATE VIEW {name} AS {body} LIMIT 0")
    return name


def view_distinct(one: Liar) -> str:
    return one.rewrite(one.pick("view"), "AS SELECT", "AS SELECT DISTINCT")


def view_of_constants(one: Liar) -> str:
    name = one.pick("view")
    columns = [row[1] for row in one.run(f"PRAGMA table_info({name})")]
    one.run(f"DROP VIEW {name}")
    said = ", ".join(f"'x' AS \"{column}\"" for column in columns)
    one.run(f"CREATE VIEW {name} AS SELECT {said}")
    return name


def view_as_table(one: Liar) -> str:
    name = one.pick("view")
    one.run(f"CREATE TABLE copied AS SELECT * FROM {name}")
    one.run(f"DROP VIEW {name}")
    one.run(f"ALTER TABLE copied RENAME TO {name}")
    return name


def view_dropped(one: Liar) -> str:
    name = one.pick("view")
    one.run(f"DROP VIEW {name}")
    return name


def table_behind_view(one: Liar) -> str:
    name = one.chance.choice(FACT_TABLES)
    one.run(f"ALTER TABLE {name} RENAME TO hidden")
    one.run(f"CREATE VIEW {name} AS SELECT * FROM hidden")
    return name


def table_dropped(one: Liar) -> str:
    name = one.chance.choice([*FACT_TABLES, "schema_comments"])
    one.run(f"DROP TABLE {name}")
    return name


def _twin(one: Liar, *changes: str) -> str:
    """Put the index of a changed copy of a table in the place of the table's own."""
    table, key = one.chance.choice(list(UNIQUE.items()))
    index = f"sqlite_autoindex_{table}_1"
    one.run(re.sub(rf'CREATE TABLE "?{table}"?', "CREATE TABLE twin", one.sql(table), count=1))
    one.run(f"INSERT INTO twin SELECT * FROM {table}")
    for change in changes:
        one.run(change.format(key=key))
    roots = dict(one.run("SELECT name, rootpage FROM sqlite_master"))
    with one.writable_schema():
        theirs = roots["sqlite_autoindex_twin_1"]
        one.run("UPDATE sqlite_master SET rootpage = ? WHERE name = ?", theirs, index)
        one.run("DELETE FROM sqlite_master WHERE tbl_name = 'twin'")
    return f"{index}: {changes}"


def index_swapped(one: Liar) -> str:
    """Two rows are found by each other's keys."""
    return _twin(
        one,
        "CREATE TEMP TABLE kept AS SELECT rowid, {key} FROM twin ORDER BY rowid LIMIT 2",
        "UPDATE twin SET {key} = CAST('free' AS BLOB) WHERE typeof({key}) = 'blob' AND rowid = 1",
        "UPDATE twin SET {key} = 'free' WHERE typeof({key}) = 'text' AND rowid = 1",
        "UPDATE twin SET {key} = (SELECT {key} FROM kept WHERE rowid = 1) WHERE rowid = 2",
        "UPDATE twin SET {key} = (SELECT {key} FROM kept WHERE rowid = 2) WHERE rowid = 1",
    )


def index_lacks_a_row(one: Liar) -> str:
    return _twin(one, "DELETE FROM twin WHERE rowid = (SELECT max(rowid) FROM twin)")


def index_has_a_ghost(one: Liar) -> str:
    """A key that no row has leads to a row."""
    return _twin(
        one,
        "CREATE TEMP TABLE ghost AS SELECT * FROM twin LIMIT 1",
        "UPDATE ghost SET {key} = CASE typeof({key}) WHEN 'blob' THEN x'00' ELSE 'ghost' END",
        "UPDATE twin SET {key} = (SELECT {key} FROM ghost) WHERE rowid = 1",
    )


def index_partial(one: Liar) -> str:
    name = one.pick("index")
    sql = one.sql(name)
    one.run(f"DROP INDEX {name}")
    one.run(f"{sql} WHERE 1 = 0")
    return name


def index_dropped(one: Liar) -> str:
    name = one.pick("index")
    one.run(f"DROP INDEX {name}")
    return name


def index_descends(one: Liar) -> str:
    name = one.pick("index")
    sql = one.sql(name)
    one.run(f"DROP INDEX {name}")
    one.run(sql[:-1] + " DESC)")
    return name


def index_added(one: Liar) -> str:
    table = one.chance.choice(FACT_TABLES)
    unique = one.chance.choice(["", "", "UNIQUE "])
    keys = ", ".join(f'"{c.name}"' for c in metadata.tables[table].primary_key.columns)
    one.run(f'CREATE {unique}INDEX added ON {table} ({keys}, "{one.column(table)}")')
    return table


def index_forgotten(one: Liar) -> str:
    """An index that a constraint made, gone from `sqlite_master`."""
    rows = "SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_autoindex%'"
    name = one.chance.choice([name for (name,) in one.run(rows)])
    with one.writable_schema():
        one.run("DELETE FROM sqlite_master WHERE name = ?", name)
    return name


def trigger_dropped(one: Liar) -> str:
    name = one.pick("trigger")
    one.run(f"DROP TRIGGER {name}")
    return name


def trigger_never_fires(one: Liar) -> str:
    return one.rewrite(one.pick("trigger"), " BEGIN", " WHEN 0 BEGIN")


def trigger_added(one: Liar) -> str:
    table = one.chance.choice(FACT_TABLES)
    one.run(f"CREATE TRIGGER added AFTER INSERT ON {table} BEGIN SELECT 1; END")
    return table


def trigger_on_view(one: Liar) -> str:
    name = one.pick("view")
    one.run(f"CREATE TRIGGER added INSTEAD OF INSERT ON {name} BEGIN SELECT 1; END")
    return name


def trigger_that_writes(one: Liar) -> str:
    table = one.chance.choice(FACT_TABLES)
    one.run("CREATE TABLE notes (x)")
    how = one.chance.choice(["INSERT INTO {}", "INSERT OR IGNORE INTO {}", 'REPLACE INTO "{}"'])
    how = how.format(table) + f" SELECT * FROM {table}"
    how = one.chance.choice([how, f"UPDATE {table} SET rowid = 1", f"DELETE FROM [{table}]"])
    one.run(f"CREATE TRIGGER mine AFTER INSERT ON notes BEGIN {how}; END")
    return how


def lock_row_added(one: Liar) -> str:
    one.run("INSERT INTO writer_lock VALUES (2)")
    return "writer_lock"


def trigger_under_another_name(one: Liar) -> str:
    """A row of `sqlite_master` that says that it is a table and is a trigger."""
    table = one.chance.choice(FACT_TABLES)
    one.run("CREATE TABLE notes (x)")
    one.run(f"CREATE TRIGGER added AFTER INSERT ON {table} BEGIN SELECT 1; END")
    with one.writable_schema():
        one.run("UPDATE sqlite_master SET tbl_name = 'notes' WHERE name = 'added'")
    return table


def column_retyped(one: Liar) -> str:
    other = one.chance.choice(["TEXT", "BLOB", "REAL", "ANY"])
    table = one.chance.choice(FACT_TABLES)
    name = one.column(table, "BigInteger")
    return one.rewrite(table, rf"{name}\"? INTEGER", f"{name} {other}") if name else ""


def not_strict(one: Liar) -> str:
    return one.rewrite(one.chance.choice(FACT_TABLES), STRICT, "")


def null_allowed(one: Liar) -> str:
    return one.rewrite(one.chance.choice(FACT_TABLES), " NOT NULL", "")


def collation_changed(one: Liar) -> str:
    return one.rewrite(one.chance.choice(FACT_TABLES), " TEXT", " TEXT COLLATE NOCASE")


def constraint_renamed(one: Liar) -> str:
    return one.rewrite(one.chance.choice(FACT_TABLES), "CONSTRAINT pk_", "CONSTRAINT kp_")


def foreign_key_dropped(one: Liar) -> str:
    name = one.chance.choice(["sources", "source_results", "meta_pairs", "checkpoints"])
    return one.rewrite(name, r",\s*CONSTRAINT fk_[^)]*\)[^)]*\)", "")


def default_added(one: Liar) -> str:
    return one.rewrite(one.chance.choice(FACT_TABLES), " NOT NULL", " DEFAULT 7 NOT NULL")


def check_added(one: Liar) -> str:
    return one.rewrite(one.chance.choice(FACT_TABLES), r" NOT NULL", " NOT NULL CHECK (1)")


def column_added(one: Liar) -> str:
    table = one.chance.choice(FACT_TABLES)
    one.run(f"ALTER TABLE {table} ADD COLUMN added INTEGER")
    return table


def column_generated(one: Liar) -> str:
    table = one.chance.choice(FACT_TABLES)
    one.run(f"ALTER TABLE {table} ADD COLUMN added INTEGER GENERATED ALWAYS AS (1) VIRTUAL")
    return table


def column_renamed(one: Liar) -> str:
    table = one.chance.choice(FACT_TABLES)
    name = one.column(table)
    one.run("PRAGMA legacy_alter_table = OFF")
    one.run(f'ALTER TABLE {table} RENAME COLUMN "{name}" TO renamed')
    return f"{table}.{name}"


def roots_swapped(one: Liar) -> str:
    """Two tables of one shape read each other's rows."""
    pair = one.chance.choice(ALIKE[:1])
    roots = dict(one.run("SELECT name, rootpage FROM sqlite_master"))
    with one.writable_schema():
        for name, other in (pair, pair[::-1]):
            one.run("UPDATE sqlite_master SET rootpage = ? WHERE name = ?", roots[other], name)
    return " and ".join(pair)


def index_of_another_table(one: Liar) -> str:
    """An index reads the pages of another one."""
    rows = "SELECT name, rootpage FROM sqlite_master WHERE type = 'index'"
    first, second = one.chance.sample(one.run(rows), 2)
    with one.writable_schema():
        one.run("UPDATE sqlite_master SET rootpage = ? WHERE name = ?", second[1], first[0])
    return f"{first[0]} reads {second[0]}"


def value_retyped(one: Liar) -> str:
    """A value of another type, written while the table was not strict."""
    table = one.chance.choice(FACT_TABLES)
    name = one.chance.choice(
        [c.name for c in metadata.tables[table].columns if not c.primary_key] or [""]
    )
    triggers = [(t, one.sql(t)) for t in one.names("trigger") if t.startswith(f"tr_{table}_")]
    sql = one.sql(table)
    if not one.run(f"SELECT 1 FROM {table} LIMIT 1"):
        return ""
    if not name or not one.rewrite(table, STRICT, ""):
        return ""
    for trigger, _ in triggers:
        one.run(f"DROP TRIGGER {trigger}")
    wrong = one.chance.choice([2.5, b"\xff\xfe", "12x"])
    kind = repr(metadata.tables[table].columns[name].type)
    if ("LargeBinary" in kind) == isinstance(wrong, bytes) or ("Text" in kind) == isinstance(
        wrong, str
    ):
        wrong = 2.5 if "Text" not in kind else b"\xff\xfe"
    keys = ", ".join(f'"{c.name}"' for c in metadata.tables[table].primary_key.columns)
    one.run(
        f'UPDATE {table} SET "{name}" = ? WHERE ({keys}) = (SELECT {keys} FROM {table} LIMIT 1)',
        wrong,
    )
    with one.writable_schema():
        one.run("UPDATE sqlite_master SET sql = ? WHERE name = ?", sql, table)
    for _, text in triggers:
        one.run(text)
    return f"{table}.{name}: {wrong!r}"


def comment_changed(one: Liar) -> str:
    ((relation, column),) = one.run(
        'SELECT relation, "column" FROM schema_comments ORDER BY random() LIMIT 1'
    )
    one.run(
        "UPDATE schema_comments SET comment = 'lie' WHERE relation = ? AND \"column\" = ?",
        relation,
        column,
    )
    return f"{relation}.{column}"


def comment_removed(one: Liar) -> str:
    name = one.chance.choice(FACT_TABLES)
    one.run("DELETE FROM schema_comments WHERE relation = ?", name)
    return name


def revision_changed(one: Liar) -> str:
    (table,) = [
        n
        for (n,) in one.run("SELECT name FROM sqlite_master WHERE type = 'table'")
        if n.endswith("_version")
    ]
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


LIES: Final[tuple[Lie, ...]] = (
    view_value,
    view_filter,
    view_distinct,
    view_of_constants,
    view_as_table,
    view_dropped,
    table_behind_view,
    table_dropped,
    index_swapped,
    index_lacks_a_row,
    index_has_a_ghost,
    index_partial,
    index_dropped,
    index_descends,
    index_added,
    index_forgotten,
    index_of_another_table,
    trigger_dropped,
    trigger_never_fires,
    trigger_added,
    trigger_on_view,
    trigger_that_writes,
    lock_row_added,
    trigger_under_another_name,
    column_retyped,
    not_strict,
    null_allowed,
    collation_changed,
    constraint_renamed,
    foreign_key_dropped,
    default_added,
    check_added,
    column_added,
    column_generated,
    column_renamed,
    roots_swapped,
    value_retyped,
    comment_changed,
    comment_removed,
    revision_changed,
)
