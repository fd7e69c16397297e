"""Lies told through the schema, as an administrator could, and whether verify says so.

    python -m tests.verify.schema_tampering --lies 500 --seed 1 --engine postgresql

Each is told in a copy of one store: a view redefined, an index exchanged, a column retyped, a
policy, a rule … (lies_sqlite.py, lies_postgresql.py), in turn, each time about other objects.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from meta_audit.verify.outcome import Report
from tests.engines import Server
from tests.store_factory import PostgresDatabases, SqliteFiles, StoreFactory, administrator
from tests.verify import lies_postgresql, lies_sqlite
from tests.verify.stores import grow, verify


class Told(NamedTuple):
    """One lie, and what verify said."""

    kind: str
    detail: str
    said: str

    @property
    def is_caught(self) -> bool:
        return self.said == "damaged"


def tell(factory: StoreFactory, db: str, lies: int, seed: int) -> list[Told]:
    """Tell so many lies in copies of a store, of every kind in turn."""
    chance = random.Random(seed)
    module = lies_sqlite if isinstance(factory, SqliteFiles) else lies_postgresql
    base = factory.copy(db)
    told: list[Told] = []
    kinds = list(module.LIES)
    while len(told) < lies:
        chance.shuffle(kinds)
        for kind in kinds[: lies - len(told)]:
            target = factory.copy(base)
            try:
                detail = ""
                while not detail:
                    with module.liar(target, chance) as one:
                        detail = kind(one)
                told.append(Told(kind.__name__, detail, said(target)))
            finally:
                factory.drop(target)
    return told


def said(db: str) -> str:
    """What verify says of a store; an error where there is no report."""
    try:
        report: Report = verify(db)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not a report
        return f"{type(error).__name__}: {error}"
    return report.verdict


def main(arguments: list[str] | None = None) -> int:
    """Tell lies, and say which were not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lies", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--amcheck", action="store_true", help="let amcheck compare the indexes")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    server = Server() if options.engine == "postgresql" else None
    try:
        with tempfile.TemporaryDirectory() as name:
            factory: StoreFactory = PostgresDatabases(server) if server else SqliteFiles(Path(name))
            db = grow(factory, Path(name), seed=options.seed).db
            if options.amcheck:
                with administrator(db) as one:
                    one.run("CREATE EXTENSION amcheck")
            told = tell(factory, db, options.lies, options.seed)
    finally:
        if server:
            server.stop()
    for kind, count in sorted(Counter(lie.kind for lie in told).items()):
        print(f"{kind}: {count}")
    missed = [lie for lie in told if not lie.is_caught]
    for lie in missed:
        print("NOT CAUGHT:", lie.kind, lie.detail, "->", lie.said)
    seconds = time.monotonic() - began
    print(f"{len(told)} lies to {options.engine}, {len(missed)} not caught, {seconds:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
