"""Changes a store at random as an administrator could, and looks whether verify says so.

    python -m tests.verify.tamper --mutations 2000 --seed 1

Classes 1 to 4 change single rows (edit, delete, insert, reorder), in every fact table and
column in turn; 5 to 8 the store as a whole (truncate, roll back, sign with another key, rewrite
with the right key) and are held against checkpoints outside.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import zstandard

from meta_audit.evidence import decompress
from meta_audit.ledger.note import Note, SigningKey, sign_note
from meta_audit.schema.tables import FACT_TABLES, metadata
from tests.verify.verify_stores import (
    KEY,
    OTHER_KEY,
    Grown,
    administrator,
    copy_store,
    grow,
    run,
    signing,
    verify,
    warned,
)

_DISTINCT: Final = (
    "digest",
    "sha256",
    "verifier",
    "role",
    "import_id",
    "source_id",
    "job_id",
    "value",
    "term",
)
"""Columns that an inserted copy may have otherwise."""
ROW_KINDS: Final = ("edit", "delete", "insert", "reorder")
WHOLE_CLASSES: Final = ("truncate", "roll back", "re-sign", "rewrite")
Cell = tuple[str, str]


class Mutation(NamedTuple):
    """What was done, in words."""

    kind: str
    table: str
    detail: str


class Tampering:
    """Mutates copies of one store."""

    def __init__(self, grown: Grown, folder: Path, seed: int) -> None:
        self.grown = grown
        self.target = folder / "tampered.db"
        self._chance = random.Random(seed)
        self._folder = folder
        self._base = folder / "base.db"
        copy_store(grown.db, self._base)
        with administrator(self._base) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            self._counts = {
                t: connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0]
                for t in FACT_TABLES
            }
        empty = [t for t, count in self._counts.items() if not count]
        assert not empty, f"nothing to tamper with in {empty}"

    def cells(self) -> list[Cell]:
        """Every column of every fact table."""
        return [(t, c.name) for t in FACT_TABLES for c in metadata.tables[t].columns]

    def row_mutations(self) -> Iterator[Mutation]:
        """Endless mutations of single rows, going through tables and columns; done when given."""
        while True:
            cells = self.cells()
            self._chance.shuffle(cells)
            tables = list(FACT_TABLES)
            self._chance.shuffle(tables)
            for number, (table, column) in enumerate(cells):
                yield self._retry("edit", table, column)
                if number % 2 and not self._is_composite_key(table, column):
                    yield self._retry("reorder", table, column)
                if number < len(tables):
                    yield self._retry("delete", tables[number], "")
                    yield self._retry("insert", tables[number], "")

    @staticmethod
    def _is_composite_key(table: str, column: str) -> bool:
        keys = [c.name for c in metadata.tables[table].primary_key.columns]
        return column in keys and len(keys) > 1

    def _retry(self, kind: str, table: str, column: str) -> Mutation:
        """Try until the engine lets the change pass and it is one."""
        for _ in range(25):
            shutil.copy(self._base, self.target)
            with administrator(self.target) as connection, suppress(sqlite3.IntegrityError):
                detail = getattr(self, f"_{kind}")(connection, table, column)
                if detail:
                    return Mutation(kind, table, detail)
        return Mutation("none", table, f"{kind} {column}: nothing to change")

    def _row(self, connection: sqlite3.Connection, table: str) -> sqlite3.Row:
        connection.row_factory = sqlite3.Row
        at = self._chance.randrange(self._counts[table])
        return connection.execute(f"SELECT * FROM {table} LIMIT 1 OFFSET {at}").fetchone()

    @staticmethod
    def _where(table: str, row: sqlite3.Row) -> tuple[str, list[Any]]:
        keys = [c.name for c in metadata.tables[table].primary_key.columns]
        return " AND ".join(f'"{k}" = ?' for k in keys), [row[k] for k in keys]

    def _edit(self, connection: sqlite3.Connection, table: str, column: str) -> str:
        row = self._row(connection, table)
        old = row[column]
        new = self._other(old, nullable=bool(metadata.tables[table].columns[column].nullable))
        if new == old or (column == "content" and _same_content(connection, table, row, new)):
            return ""
        where, keys = self._where(table, row)
        connection.execute(f'UPDATE {table} SET "{column}" = ? WHERE {where}', [new, *keys])
        return f"{column} of {keys}: {old!r:.80} -> {new!r:.80}"

    def _other(self, value: Any, *, nullable: bool) -> Any:
        chance = self._chance
        if nullable and chance.random() < 0.2:
            return None if value is not None else 1
        if isinstance(value, bytes):
            if not value or chance.random() < 0.2:
                return value + b"\0"
            at = chance.randrange(len(value))
            return value[:at] + bytes([value[at] ^ 1 << chance.randrange(8)]) + value[at + 1 :]
        if isinstance(value, str):
            if not value or chance.random() < 0.3:
                return value + chance.choice(["x", " ", "\n"])
            at = chance.randrange(len(value))
            return value[:at] + chance.choice("xyz0 \u00e9") + value[at + 1 :]
        return (value or 0) + chance.choice([-2, -1, 1, 2, 100, -(10**6), 2**40, 2**61 - 1])

    def _delete(self, connection: sqlite3.Connection, table: str, _: str) -> str:
        row = self._row(connection, table)
        where, keys = self._where(table, row)
        connection.execute(f"DELETE FROM {table} WHERE {where}", keys)
        return f"{keys}"

    def _insert(self, connection: sqlite3.Connection, table: str, _: str) -> str:
        """A copy of a row under another key, with whatever else must differ."""
        row = dict(self._row(connection, table))
        columns = metadata.tables[table].columns
        key = self._chance.choice([c.name for c in columns if c.primary_key])
        last = connection.execute(f'SELECT max("{key}") FROM {table}').fetchone()[0]
        row[key] = self._chance.choice([last + 1, row[key] + 1, last + 1000, row[key] - 1])
        for name in _DISTINCT:
            if name in row and name != key and self._chance.random() < 0.5:
                row[name] = self._other(row[name], nullable=False)
        names = ", ".join(f'"{n}"' for n in row)
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", [*row.values()])
        return f"{key} {row[key]}"

    def _reorder(self, connection: sqlite3.Connection, table: str, column: str) -> str:
        """Two rows change places in one column."""
        one, two = self._row(connection, table), self._row(connection, table)
        keys = {c.name for c in metadata.tables[table].primary_key.columns}
        if one[column] == two[column] or (column in keys and len(keys) == len(one.keys())):
            return ""
        if column == "content" and _same_content(connection, table, one, two[column]):
            return ""
        where, first = self._where(table, one)
        _, second = self._where(table, two)
        if column in keys:
            free = -(10**6)
            for new, old in ((free, first[0]), (first[0], second[0]), (second[0], free)):
                sql = f'UPDATE {table} SET "{column}" = ? WHERE {where}'
                connection.execute(sql, [new, old])
            return f"{column} of {first} and {second}"
        connection.execute("BEGIN")
        try:
            sql = f'UPDATE {table} SET "{column}" = ? WHERE {where}'
            connection.execute(sql, [two[column], *first])
            connection.execute(sql, [one[column], *second])
            connection.execute("COMMIT")
        except sqlite3.IntegrityError:
            connection.execute("ROLLBACK")
            raise
        return f"{column} of {first} and {second}"

    def whole(self, kind: str) -> Mutation:
        """Change the store as a whole."""
        shutil.copy(self._base, self.target)
        return Mutation(kind, "", getattr(self, f"_{kind.replace(' ', '_').replace('-', '_')}")())

    def _truncate(self) -> str:
        """Cut the ledger to fewer entries, with all that came of the others."""
        with administrator(self.target) as connection:
            sizes = connection.execute("SELECT DISTINCT tree_size FROM checkpoints").fetchall()
            size = self._chance.choice([s for (s,) in sizes][:-1])
            connection.execute("BEGIN")
            connection.execute("DELETE FROM checkpoints WHERE tree_size > ?", [size])
            connection.execute("DELETE FROM ledger_entries WHERE entry_index >= ?", [size])
            connection.execute("DELETE FROM documents WHERE document_id >= ?", [size])
            connection.execute("DELETE FROM rejections WHERE rejection_id >= ?", [size])
            for table in ("observations", "executions", "job_events", "findings"):
                connection.execute(f"DELETE FROM {table} WHERE document_id >= ?", [size])
            connection.execute("COMMIT")
        return f"to {size}"

    def _roll_back(self) -> str:
        older = self._chance.choice(self.grown.older)
        copy_store(older, self.target)
        return older.name

    def _re_sign(self) -> str:
        """Sign every checkpoint anew, with a key that the store then calls its own."""
        with administrator(self.target) as connection:
            for number, note in connection.execute(
                "SELECT checkpoint_id, note FROM checkpoints"
            ).fetchall():
                parsed = Note.parse(note)
                key = SigningKey(parsed.signatures[0].name, OTHER_KEY.seed)
                again = str(sign_note(parsed.text, key))
                connection.execute(
                    "UPDATE checkpoints SET note = ? WHERE checkpoint_id = ?", [again, number]
                )
                connection.execute("UPDATE ledger_keys SET verifier = ?", [str(key.verifier)])
        return "with another key"

    def _rewrite(self) -> str:
        """Make the whole store anew, of other documents, with the right key and origin."""
        self.target.unlink()
        seed = self._chance.randrange(10**6)
        source = self._folder / f"rewritten{seed}.ndjson"
        changed = (
            (self.grown.db.parent / "source/a.ndjson")
            .read_bytes()
            .replace(b'"Priority":', b'"Priority":%d' % (seed % 9 + 1), 1 + seed % 7)
        )
        source.write_bytes(changed)
        with signing(KEY, self._folder / f"rewritten{seed}.checkpoints"):
            run("ingest", source, "--db", self.target, "--format", "json")
        source.unlink()
        return f"seed {seed}"

    def is_caught(self, mutation: Mutation) -> bool:
        """Whether verify says so: of single rows by itself, else against the outside file.

        A row of an import that nobody has signed yet is a warning: it may be one that runs.
        """
        if mutation.kind in WHOLE_CLASSES:
            return verify(self.target, self.grown.log).verdict == "damaged"
        report = verify(self.target)
        return report.verdict == "damaged" or any("not signed yet" in w for w in warned(report))


def _same_content(
    connection: sqlite3.Connection, table: str, row: sqlite3.Row, frame: bytes
) -> bool:
    """Whether a frame holds the same bytes, written otherwise: no fact has changed then."""
    if table == "compression_dictionaries":
        return False
    dictionary = b""
    if table == "documents" and row["dictionary_id"]:
        dictionary = connection.execute(
            "SELECT content FROM compression_dictionaries WHERE dictionary_id = ?",
            [row["dictionary_id"]],
        ).fetchone()[0]
    try:
        size = zstandard.frame_content_size(frame)
        return (
            size == len(decompress(row["content"], dictionary))
            and decompress(frame, dictionary) == decompress(row["content"], dictionary)
            and not frame[4] & 0x18
        )
    except zstandard.ZstdError:
        return False


def tamper(mutations: int, seed: int, folder: Path) -> tuple[Counter[str], list[Mutation]]:
    """Do so many mutations; how many of each class, and those that were not caught."""
    tampering = Tampering(grow(folder, seed=seed), folder, seed)
    done: Counter[str] = Counter()
    missed = []
    endless = tampering.row_mutations()
    for number in range(mutations):
        mutation = (
            tampering.whole(WHOLE_CLASSES[number // 10 % 4])
            if number % 10 == 9
            else next(m for m in endless if m.kind != "none")
        )
        done[mutation.kind] += 1
        if not tampering.is_caught(mutation):
            missed.append(mutation)
    return done, missed


def main(arguments: list[str] | None = None) -> int:
    """Tamper, and say what was not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        done, missed = tamper(options.mutations, options.seed, Path(folder))
    for kind, count in sorted(done.items()):
        print(f"{kind}: {count}")
    for mutation in missed:
        print("NOT CAUGHT:", *mutation)
    print(
        f"{sum(done.values())} mutations, {len(missed)} not caught,"
        f" {time.monotonic() - began:.0f} s"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
