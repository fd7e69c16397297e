"""A store with something in every table, of several imports, and copies of it as it grew."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from meta_audit import cli
from meta_audit.ingest.build import Offered, build
from meta_audit.ledger.note import SigningKey, VerifierKey
from meta_audit.record.runs import begin_import
from meta_audit.record.source_log import SourceBegan, SourceEnded, SourceLog, SourceRead
from meta_audit.record.writer import Writer
from meta_audit.store.opening import open_to_read, open_to_verify, open_to_write
from meta_audit.store.session import Session
from meta_audit.verify.outcome import Report
from meta_audit.verify.run import Verification
from tests.faults.documents import without_uses, write_folder
from tests.ingest.again import another_parser, dismiss, renamed, reread
from tests.store_factory import StoreFactory, ask

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
        patch("meta_audit.record.sealing.token_hex", lambda _: origin),
    ):
        yield


@dataclass(frozen=True)
class Grown:
    """A store, the file of its checkpoints, and older copies of it, the oldest first."""

    db: str
    log: Path
    older: Sequence[str]
    source: Path
    """The documents that it was filled from."""


def run(*arguments: str | Path) -> int:
    """Run the program in this process."""
    return cli.run([str(a) for a in arguments])


def grow(factory: StoreFactory, folder: Path, *, seed: int = 1, oldest: bool = False) -> Grown:
    """Make a store of five imports, one of them killed before its end.

    `oldest`: schema 0004 can hold it.
    """
    source = write_folder(folder / "source", DOCUMENTS, seed)
    _write_large(source / "large.ndjson", seed)
    if oldest:
        for packed in source.glob("*.zst"):
            packed.unlink()
        for packed in source.glob("later.*"):
            packed.unlink()
        (source / "cut.ndjson.gz").write_bytes(gzip.compress(b"{}" * 900)[:20])
        without_uses(source)
    lines = [_numbered(number) for number in range(5)]
    (source / "worse.ndjson").write_text("\n".join(lines) + "\n")
    db, log = factory.new(), folder / "outside.checkpoints"
    older = []

    with signing(KEY, log):
        for paths in (("large.ndjson", "a.ndjson"), ("broken.ndjson", "cut.ndjson.gz")):
            run("ingest", *[source / p for p in paths], "--db", db, "--format", "json")
            older.append(factory.copy(db))
        with another_parser(renamed):
            run("ingest", source / "worse.ndjson", "--db", db, "--format", "json")
        die_within_import(db, [b'{"ID": "j-killed", "Tasks": [{"Name": "t"}]}', b"{broken"])
        run("ingest", source, "--db", db, "--format", "json")
        older.append(factory.copy(db))
        run("rejections", "retry", "--coerce-scalars", "--db", db, "--format", "json")
        assert reread(db).counts.changed == 2
        with closing(open_to_read(db)) as store:
            dismiss(db, *store.read(_open_rejections)[:3])
            somebody = str(store.read(lambda one: one.value("SELECT max(value) FROM identities")))
        if not oldest:
            ask(db, "trace", "find", "sql")
            for name in ("Team", "Nobody"):
                run("alias", "add", somebody, name, "--from", "2024", "--db", db)
            run("alias", "remove", "2", "--reason", "a typo", "--db", db)
    return Grown(db, log, older, source)


def _numbered(number: int) -> str:
    task = {"Name": "t", "Meta": {"step": f"{number}"}}
    return json.dumps({"ID": f"j-worse-{number}", "Meta": {"number": f"{number}"}, "Tasks": [task]})


def _open_rejections(session: Session) -> list[int]:
    sql = "SELECT rejection_id FROM v_rejections WHERE resolved_by IS NULL ORDER BY 1"
    return [row[0] for row in session.query(sql)]


def _write_large(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    lines = []
    for number in range(LARGE):
        params = {"Pad": chance.randbytes(LARGE_BYTES // 2).hex()}
        task = {"Name": "t", "Engine": {"Type": "wasm", "Params": params}}
        lines.append(json.dumps({"ID": f"j-large-{number}", "Tasks": [task]}))
    path.write_text("\n".join(lines))


def die_within_import(db: str, contents: Sequence[bytes]) -> None:
    """Write a batch of an import, and never its end, as a killed process does."""
    from hashlib import sha256

    from meta_audit.model import Document

    store = open_to_write(db)
    bulk = store.session()
    log = SourceLog(begin_import(bulk, "killed@host", "0", "[]"))
    offered = []
    for number, content in enumerate(contents, 1):
        log.apply((SourceBegan(number, f"killed{number}.json"), SourceRead(number, 1)))
        if number == 1:
            digest = sha256(content).digest()
            log.apply([SourceEnded(number, "complete", "", len(content), digest)])
        document = Document(content, 1, 1, "json")
        offered.append(Offered(document, sha256(content).digest(), number, f"killed{number}.json"))
    Writer(bulk).write(build(offered), log)
    bulk.close()
    store.close()


def verify(
    db: str, *against: Path, pins: Sequence[VerifierKey] = (), jobs: int = 1, **options: Any
) -> Report:
    """Verify a store in this process."""
    with closing(open_to_verify(db)) as store:
        return Verification(
            store,
            against=[str(path) for path in against],
            pins=pins,
            jobs=jobs,
            **options,
        ).run()


def warned(report: Report) -> list[str]:
    """What the report says without calling it damage."""
    return [step.detail for step in report.steps if step.status == "warning"]


def unchecked(report: Report) -> list[str]:
    """Return what was not checked although it was asked for."""
    return [what for what in report.not_checked if not what.endswith(("(--against)", "(--deep)"))]
