"""Changes a store at random as an administrator could, and looks whether verify says so.

    python -m tests.verify.tamper --mutations 2000 --seed 1 --engine postgresql

Classes 1 to 4 change single rows (edit, delete, insert, reorder), in every fact table and
column in turn; 5 to 8 the store as a whole (truncate, roll back, sign with another key, rewrite
with the right key) and are held against checkpoints outside.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import zstandard

from meta_audit.ledger.note import Note, SigningKey, sign_note
from meta_audit.schema.tables import DATA_TABLES, metadata
from meta_audit.store.frames import decompress
from tests.engines import Server
from tests.store_factory import (
    REFUSED,
    Administrator,
    PostgresDatabases,
    SqliteFiles,
    StoreFactory,
    administrator,
)
from tests.verify.stores import (
    KEY,
    OTHER_KEY,
    Grown,
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

    def __init__(self, factory: StoreFactory, grown: Grown, folder: Path, seed: int) -> None:
        self.grown = grown
        self.target = ""
        self._changed = ""
        """The one table of the target that is not as it was; empty where it may be any."""
        self._factory = factory
        self._chance = random.Random(seed)
        self._folder = folder
        self._base = factory.copy(grown.db)
        factory.snapshot(self._base)
        with administrator(self._base) as one:
            self._counts = {t: one.run(f"SELECT count(*) FROM {t}")[0][0] for t in DATA_TABLES}
        empty = [t for t, count in self._counts.items() if not count]
        assert not empty, f"nothing to tamper with in {empty}"

    def cells(self) -> list[Cell]:
        """Every column of every fact table."""
        return [(t, c.name) for t in DATA_TABLES for c in metadata.tables[t].columns]

    def row_mutations(self) -> Iterator[Mutation]:
        """Endless mutations of single rows, going through tables and columns; done when given."""
        while True:
            cells = self.cells()
            self._chance.shuffle(cells)
            tables = list(DATA_TABLES)
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
        self._renew(table)
        with administrator(self.target) as one:
            for _ in range(25):
                detail = ""
                with suppress(*REFUSED), one.transaction():
                    detail = getattr(self, f"_{kind}")(one, table, column)
                if detail:
                    return Mutation(kind, table, detail)
        return Mutation("none", table, f"{kind} {column}: nothing to change")

    def _renew(self, table: str = "") -> None:
        """Begin again with an untouched copy, of which one table will be changed or any."""
        if self._changed:
            self._factory.restore(self._base, self.target, self._changed)
        else:
            self.target = self._factory.copy(self._base, self.target)
        self._changed = table

    def _row(self, one: Administrator, table: str) -> dict[str, Any]:
        at = self._chance.randrange(self._counts[table])
        columns = metadata.tables[table].columns.keys()
        keys = ", ".join(f'"{c.name}"' for c in metadata.tables[table].primary_key.columns)
        names = ", ".join(f'"{name}"' for name in columns)
        (row,) = one.run(f"SELECT {names} FROM {table} ORDER BY {keys} LIMIT 1 OFFSET {at}")
        return dict(zip(columns, row, strict=True))

    @staticmethod
    def _where(table: str, row: dict[str, Any]) -> tuple[str, list[Any]]:
        keys = [c.name for c in metadata.tables[table].primary_key.columns]
        return " AND ".join(f'"{k}" = ?' for k in keys), [row[k] for k in keys]

    def _edit(self, one: Administrator, table: str, column: str) -> str:
        row = self._row(one, table)
        old = row[column]
        new = self._other(old, nullable=bool(metadata.tables[table].columns[column].nullable))
        if new == old or (column == "content" and _same_content(one, table, row, new)):
            return ""
        where, keys = self._where(table, row)
        one.run(f'UPDATE {table} SET "{column}" = ? WHERE {where}', new, *keys)
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

    def _delete(self, one: Administrator, table: str, _: str) -> str:
        row = self._row(one, table)
        where, keys = self._where(table, row)
        one.run(f"DELETE FROM {table} WHERE {where}", *keys)
        return f"{keys}"

    def _insert(self, one: Administrator, table: str, _: str) -> str:
        """A copy of a row under another key, with whatever else must differ."""
        row = self._row(one, table)
        columns = metadata.tables[table].columns
        key = self._chance.choice([c.name for c in columns if c.primary_key])
        ((last,),) = one.run(f'SELECT max("{key}") FROM {table}')
        row[key] = self._chance.choice([last + 1, row[key] + 1, last + 1000, row[key] - 1])
        for name in _DISTINCT:
            if name in row and name != key and self._chance.random() < 0.5:
                row[name] = self._other(row[name], nullable=False)
        names = ", ".join(f'"{n}"' for n in row)
        marks = ", ".join("?" * len(row))
        one.run(f"INSERT INTO {table} ({names}) VALUES ({marks})", *row.values())
        return f"{key} {row[key]}"

    def _reorder(self, one: Administrator, table: str, column: str) -> str:
        """Two rows change places in one column."""
        row, other = self._row(one, table), self._row(one, table)
        keys = {c.name for c in metadata.tables[table].primary_key.columns}
        rest = [name for name in row if name != column]
        differ = row[column] != other[column]
        if not differ or (column in keys and all(row[name] == other[name] for name in rest)):
            return ""
        if column == "content" and _same_content(one, table, row, other[column]):
            return ""
        where, first = self._where(table, row)
        _, second = self._where(table, other)
        sql = f'UPDATE {table} SET "{column}" = ? WHERE {where}'
        if column in keys:
            free = -(10**6)
            for new, old in ((free, first[0]), (first[0], second[0]), (second[0], free)):
                one.run(sql, new, old)
        else:
            one.run(sql, other[column], *first)
            one.run(sql, row[column], *second)
        return f"{column} of {first} and {second}"

    def whole(self, kind: str) -> Mutation:
        """Change the store as a whole."""
        self._renew()
        return Mutation(kind, "", getattr(self, f"_{kind.replace(' ', '_').replace('-', '_')}")())

    def _truncate(self) -> str:
        """Cut the ledger to fewer entries, with all that came of the others."""
        with administrator(self.target) as one:
            sizes = [s for (s,) in one.run("SELECT DISTINCT tree_size FROM checkpoints ORDER BY 1")]
            size = self._chance.choice(sizes[:-1])
            with one.transaction():
                one.run("DELETE FROM checkpoints WHERE tree_size > ?", size)
                one.run("DELETE FROM ledger_entries WHERE entry_index >= ?", size)
                one.run("DELETE FROM rejections WHERE rejection_id >= ?", size)
                tables = ("documents", "observations", "executions", "job_events", "findings")
                for table in tables:
                    one.run(f"DELETE FROM {table} WHERE document_id >= ?", size)
        return f"to {size}"

    def _roll_back(self) -> str:
        older = self._chance.choice(self.grown.older)
        self.target = self._factory.copy(older, self.target)
        return older

    def _re_sign(self) -> str:
        """Sign every checkpoint anew, with a key that the store then calls its own."""
        with administrator(self.target) as one:
            for number, note in one.run("SELECT checkpoint_id, note FROM checkpoints"):
                parsed = Note.parse(note)
                key = SigningKey(parsed.signatures[0].name, OTHER_KEY.seed)
                again = str(sign_note(parsed.text, key))
                one.run("UPDATE checkpoints SET note = ? WHERE checkpoint_id = ?", again, number)
                one.run("UPDATE ledger_keys SET verifier = ?", str(key.verifier))
        return "with another key"

    def _rewrite(self) -> str:
        """Make the whole store anew, of other documents, with the right key and origin."""
        self._factory.drop(self.target)
        self.target = self._factory.new()
        seed = self._chance.randrange(10**6)
        source = self._folder / f"rewritten{seed}.ndjson"
        whole = (self.grown.source / "a.ndjson").read_bytes()
        source.write_bytes(
            whole.replace(b'"Priority":', b'"Priority":%d' % (seed % 9 + 1), 1 + seed % 7)
        )
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


def _same_content(one: Administrator, table: str, row: dict[str, Any], frame: bytes) -> bool:
    """Whether a frame holds the same bytes, written otherwise: no fact has changed then."""
    if table == "compression_dictionaries":
        return False
    dictionary = b""
    if table == "documents" and row["dictionary_id"]:
        sql = "SELECT content FROM compression_dictionaries WHERE dictionary_id = ?"
        ((dictionary,),) = one.run(sql, row["dictionary_id"])
    try:
        size = zstandard.frame_content_size(frame)
        return (
            size == len(decompress(row["content"], dictionary))
            and decompress(frame, dictionary) == decompress(row["content"], dictionary)
            and not frame[4] & 0x18
        )
    except zstandard.ZstdError:
        return False


def tamper(
    factory: StoreFactory, grown: Grown, mutations: int, seed: int, folder: Path
) -> tuple[Counter[str], list[Mutation]]:
    """Do so many mutations; how many of each class, and those that were not caught."""
    tampering = Tampering(factory, grown, folder, seed)
    done: Counter[str] = Counter()
    missed = []
    endless = tampering.row_mutations()
    for number in range(mutations):
        mutation = (
            tampering.whole(WHOLE_CLASSES[number // 5 % 4])
            if number % 5 == 4
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
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    server = Server() if options.engine == "postgresql" else None
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            factory: StoreFactory = PostgresDatabases(server) if server else SqliteFiles(folder)
            grown = grow(factory, folder, seed=options.seed)
            done, missed = tamper(factory, grown, options.mutations, options.seed, folder)
    finally:
        if server:
            server.stop()
    for kind, count in sorted(done.items()):
        print(f"{kind}: {count}")
    for mutation in missed:
        print("NOT CAUGHT:", *mutation)
    print(
        f"{sum(done.values())} mutations of {options.engine}, {len(missed)} not caught,"
        f" {time.monotonic() - began:.0f} s"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
