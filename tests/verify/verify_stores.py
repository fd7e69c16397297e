"""A store with something in every table, of several imports, and copies of it as it grew."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from meta_audit import cli
from meta_audit.cli.reading import reading
from meta_audit.ledger.note import SigningKey, VerifierKey
from meta_audit.schema.tables import FACT_TABLES
from meta_audit.store.batch import Offered, build
from meta_audit.store.imports import SourceLog, begin_import
from meta_audit.store.opening import open_to_write
from meta_audit.store.writer import Writer
from meta_audit.verify.report import Report
from meta_audit.verify.run import Verification
from tests.faults.documents import write_folder

KEY: Final = SigningKey("meta-audit", bytes(range(32)))
OTHER_KEY: Final = SigningKey("meta-audit", bytes(range(1, 33)))
DOCUMENTS: Final = 160
LARGE: Final = 120
LARGE_BYTES: Final = 10_000
"""So many, so large: enough for a compression dictionary to be trained."""
ORIGIN: Final = "0123456789abcdef"


@contextmanager
def signing(key: SigningKey, log: Path | None = None, origin: str = ORIGIN) -> Any:
    """Sign with a key, for a log of known origin."""
    given = {"META_AUDIT_SIGNING_KEY": key.secret()}
    if log:
        given["META_AUDIT_CHECKPOINT_LOG"] = str(log)
    with (
        patch.dict(os.environ, given),
        patch("meta_audit.store.ledger.token_hex", lambda _: origin),
    ):
        yield


@dataclass(frozen=True)
class Grown:
    """A store, the file of its checkpoints, and older copies of it, the oldest first."""

    db: Path
    log: Path
    older: Sequence[Path]


def run(*arguments: str | Path) -> int:
    """Run the program in this process."""
    return cli.run([str(a) for a in arguments])


def grow(folder: Path, *, seed: int = 1) -> Grown:
    """Make a store of five imports, one of them killed before its end."""
    source = write_folder(folder / "source", DOCUMENTS, seed)
    _write_large(source / "large.ndjson", seed)
    db, log = folder / "audit.db", folder / "outside.checkpoints"
    older = []

    def keep() -> None:
        older.append(folder / f"older{len(older)}.db")
        copy_store(db, older[-1])

    with signing(KEY, log):
        for paths in (("large.ndjson", "a.ndjson"), ("broken.ndjson", "cut.ndjson.gz")):
            run("ingest", *[source / p for p in paths], "--db", db, "--format", "json")
            keep()
        die_within_import(db, [b'{"ID": "j-killed", "Tasks": [{"Name": "t"}]}', b"{broken"])
        run("ingest", source, "--db", db, "--format", "json")
        keep()
        run("rejections", "retry", "--coerce-scalars", "--db", db, "--format", "json")
    return Grown(db, log, older)


def _write_large(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    lines = []
    for number in range(LARGE):
        params = {"Pad": chance.randbytes(LARGE_BYTES // 2).hex()}
        task = {"Name": "t", "Engine": {"Type": "wasm", "Params": params}}
        lines.append(json.dumps({"ID": f"j-large-{number}", "Tasks": [task]}))
    path.write_text("\n".join(lines))


def die_within_import(db: Path, contents: Sequence[bytes]) -> None:
    """Write a batch of an import, and never its end, as a killed process does."""
    from hashlib import sha256

    from meta_audit.model import Document

    store = open_to_write(str(db))
    bulk = store.bulk()
    log = SourceLog(begin_import(bulk, "killed@host", "0", "[]"))
    offered = []
    for number, content in enumerate(contents, 1):
        log.begin(number, f"killed{number}.json")
        log.count(number, 1)
        if number == 1:
            log.end(number, "complete", "", len(content), sha256(content).digest())
        document = Document(content, 1, 1, "json")
        offered.append(Offered(document, sha256(content).digest(), number, f"killed{number}.json"))
    Writer(bulk).write(build(offered, b"", coerce_scalars=False), log)
    bulk.close()
    store.close()


def copy_store(source: Path, target: Path) -> None:
    """Copy a store that nobody is writing to, whole."""
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(source, target)


@contextmanager
def administrator(db: Path) -> Any:
    """A connection that can do everything, its triggers dropped."""
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in names.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        yield connection


def verify(
    db: Path, *against: Path, pins: Sequence[VerifierKey] = (), jobs: int = 1, **options: Any
) -> Report:
    """Verify a store in this process."""
    verification = Verification(
        partial(reading, str(db)),
        str(db),
        against=[str(path) for path in against],
        pins=pins,
        jobs=jobs,
        **options,
    )
    return verification.run()


def warned(report: Report) -> list[str]:
    """What the report says without calling it damage."""
    return [step.detail for step in report.steps if step.status == "warning"]


def rows(db: Path) -> dict[str, list[Any]]:
    """Rows of every fact table."""
    with closing(sqlite3.connect(db)) as connection:
        return {t: connection.execute(f"SELECT * FROM {t}").fetchall() for t in FACT_TABLES}
