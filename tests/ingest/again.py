"""Dismiss rejections, and read documents with a parser of another version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import msgspec
import pytest

import meta_audit.ingest.build
from meta_audit.cli.progress import ImportReporter
from meta_audit.ingest.options import Limits, Options
from meta_audit.ingest.result import ImportResult
from meta_audit.ingest.run import Import
from meta_audit.model import Finding, JobRecord
from meta_audit.parse import parse
from meta_audit.parse.readings import readings
from meta_audit.store.opening import open_to_write

Change = Callable[[JobRecord], JobRecord]


@contextmanager
def importing(db: str, **limits: int) -> Iterator[Import]:
    """An import into a store, in this process."""
    store = open_to_write(db)
    try:
        yield Import(store, ImportReporter(), Options(limits=Limits(**limits)))
    finally:
        store.close()


def dismiss(db: str, *ids: int, reason: str = "known, harmless") -> ImportResult:
    """Dismiss rejections."""
    with importing(db) as run:
        return run.dismiss(ids, reason, ["rejections", "dismiss", *map(str, ids)])


def reread(db: str, change: Change | None = None, **limits: int) -> ImportResult:
    """Read again, with a parser that says something else of some documents."""
    with another_parser(change), importing(db, **limits) as run:
        return run.reread(["reread"])


@contextmanager
def another_parser(change: Change | None) -> Iterator[None]:
    """Parse in this process as another version of the program might."""

    def first(*arguments: Any, **options: Any) -> JobRecord:
        record = parse(*arguments, **options)
        return change(record) if change else record

    def again(content: bytes) -> Iterator[JobRecord]:
        for record in readings(content):
            yield change(record) if change else record

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meta_audit.ingest.build, "parse", first)
        patch.setattr(meta_audit.ingest.build, "readings", again)
        yield


def renamed(record: JobRecord) -> JobRecord:
    """As if Meta of some jobs were read in another way."""
    if record.meta.get("number") not in ("2", "3"):
        return record
    return msgspec.structs.replace(
        record,
        spec_sha256=sha256(record.spec_sha256).digest(),  # which covers Meta
        meta={"number": f"better {record.meta['number']}"},
        findings=(Finding("time.unit", "seen now"),),
    )
