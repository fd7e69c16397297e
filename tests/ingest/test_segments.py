"""Segments: what many machines read, one store has as if it had read it alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw, json, msgpack
from msgspec.structs import replace

from meta_audit import cli
from meta_audit.ingest.options import Limits
from meta_audit.ingest.read_documents import ReadDocument
from meta_audit.ingest.segment_file import Segment, SegmentPart, write_segment
from meta_audit.ingest.segments import Made, make_segment
from tests.conftest import ROOT, Audit
from tests.faults.documents import write_folder
from tests.lake.segments import ledger, views

SMALL = Limits(chunk_documents=50, first_chunk_documents=20)


def make_all(folder: Path, into: Path) -> list[Made]:
    """Read each thing in a folder as a machine of its own would, the last one first."""
    return [
        make_segment([str(one)], into, limits=SMALL)
        for one in sorted(folder.iterdir(), reverse=True)
    ]


def forge(segment: Path, change: Callable[[ReadDocument], ReadDocument]) -> Path:
    """Change the documents of a segment, and give it the name that it should have."""
    parts = [
        SegmentPart(
            part.events,
            part.skipped,
            Raw(msgpack.encode([change(one) for one in documents_of(part)])),
        )
        for part in Segment(segment).parts()
    ]
    segment.unlink()
    return write_segment(segment.parent, "", parts)


def documents_of(part: SegmentPart) -> list[ReadDocument]:
    return msgpack.decode(part.documents, type=list[ReadDocument])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_folder(tmp_path_factory.mktemp("segments") / "documents", 300, 1)
    (folder / "none.json").mkdir()
    (folder / "none.json" / "one.json").write_text('{"ID": "j-none", "Tasks": [{"Name": "t"}]}')
    return folder


@pytest.fixture(scope="module")
def all_made(folder: Path) -> Path:
    """Segments of everything in the folder."""
    into = folder.parent / "all"
    make_all(folder, into)
    return into


@pytest.fixture(scope="module")
def one_made(folder: Path) -> Path:
    """The segment of a file in the folder."""
    return Path(make_segment([str(folder / "a.ndjson")], folder.parent / "one").path)


@pytest.mark.parametrize("jobs", ["0", "1"])
def test_the_store_is_as_after_ingest(
    audit: Audit, another: Audit, folder: Path, all_made: Path, jobs: str
) -> None:
    limits = replace(SMALL, training_bytes=10_000)
    sealed = audit.run(
        *("segments", "seal", all_made, "--jobs", jobs, "--format", "json"),
        limits=limits,
    )
    whole = another.ingest(folder, limits=limits)
    named = "documents", "new", "changed", "rejected", "reasons", "findings", "jobs", "meta_pairs"
    assert {n: sealed.summary[n] for n in named} == {n: whole.summary[n] for n in named}
    assert views(audit.db) == views(another.db)
    assert ledger(audit.db) == ledger(another.db)
    assert audit.run("verify", "--deep").status == 0
    before = ledger(audit.db)
    again = audit.run("segments", "seal", all_made, "--format", "json")
    assert (again.summary["new"], again.summary["changed"], again.summary["rejected"]) == (0, 0, 0)
    assert ledger(audit.db) == before


def test_the_same_sources_give_the_same_segment(tmp_path: Path) -> None:
    made = [make_segment([str(ROOT / "examples")], tmp_path) for _ in range(2)]
    assert made[0] == made[1]
    assert [one.name for one in tmp_path.iterdir()] == [Path(made[0].path).name]


def test_commands(own: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    into = tmp_path / "segments"
    assert cli.run(["segments", "make", str(ROOT / "examples"), "--into", str(into)]) == 1
    assert cli.run(["segments", "make", str(tmp_path / "nowhere"), "--into", str(into)]) == 3
    assert own.run("segments", "seal", tmp_path).status == 1
    for wrong in ("/proc/nowhere", str(ROOT / "README.md"), str(ROOT / "README.md" / "below")):
        assert cli.run(["segments", "make", str(ROOT / "examples"), "--into", wrong]) == 2
        assert f"cannot write to {wrong}" in capsys.readouterr().err
    other = tmp_path / "other"
    assert cli.run(["segments", "make", str(tmp_path / "nowhere"), "--into", str(other)]) == 3
    assert not other.exists()
    assert own.run("segments", "seal", into).status == 1


def cut(segment: Path) -> str:
    segment.write_bytes(segment.read_bytes()[:-100])
    return "segment.broken"


def flip(segment: Path) -> str:
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    return "segment.broken"


def other_text(segment: Path) -> str:
    segment.write_text("not a segment\n")
    return "segment.broken"


def other_version(segment: Path) -> str:
    head, _, rest = segment.read_bytes().partition(b"\n")
    said = json.decode(head) | {"program": "0.0.1"}
    content = json.encode(said) + b"\n" + rest
    segment.unlink()
    name = hashlib.sha256(content).hexdigest()
    segment.with_name(f"{name}.segment").write_bytes(content)
    return "segment.version"


@pytest.mark.parametrize("damage", [cut, flip, other_text, other_version])
def test_a_damaged_segment_is_refused_and_the_others_taken(
    audit: Audit, tmp_path: Path, damage: Callable[[Path], str]
) -> None:
    folder = write_folder(tmp_path / "documents", 60, 1)
    *others, last = make_all(folder, tmp_path / "segments")
    code = damage(Path(last.path))
    sealed = audit.run("segments", "seal", tmp_path / "segments", "--format", "json")
    assert sealed.status == 3
    assert sealed.summary["refused"] == 1 + sum(one.refused for one in others)
    assert sealed.summary["new"]
    assert code in sealed.err
    assert any(name.stem in sealed.err for name in (tmp_path / "segments").iterdir())
    if code == "segment.broken":
        Path(last.path).unlink()
    make_all(folder, tmp_path / "segments")
    audit.run("segments", "seal", tmp_path / "segments")
    assert audit.run("verify", "--deep").status == 0


def nul(one: ReadDocument) -> ReadDocument:
    assert one.record
    return replace(one, record=replace(one.record, meta={"a": "\0"}))


def huge(one: ReadDocument) -> ReadDocument:
    assert one.record
    return replace(one, record=replace(one.record, priority=2**63))


def long_id(one: ReadDocument) -> ReadDocument:
    assert one.record
    return replace(one, record=replace(one.record, job_id="j" * 600))


def no_source(one: ReadDocument) -> ReadDocument:
    return replace(one, source=99)


def no_spec(one: ReadDocument) -> ReadDocument:
    assert one.record
    return replace(one, record=replace(one.record, spec_sha256=b"x"))


def no_record(one: ReadDocument) -> ReadDocument:
    return replace(one, record=None)


@pytest.mark.parametrize("lie", [nul, huge, long_id, no_source, no_spec, no_record])
def test_what_no_store_can_hold_is_refused_by_name(
    audit: Audit, tmp_path: Path, lie: Callable[[Any], Any], one_made: Path
) -> None:
    made = Path(shutil.copy(one_made, tmp_path))
    forged = forge(made, lambda one: lie(one) if one.record else one)
    sealed = audit.run("segments", "seal", tmp_path)
    assert sealed.status == 3
    assert forged.stem in sealed.err
    assert audit.rows("SELECT count(*) FROM ledger_entries") == [(0,)]


@pytest.mark.parametrize("what", ["pair", "bytes"])
def test_a_lie_about_a_document_is_found_by_parsing(
    audit: Audit, tmp_path: Path, what: str, one_made: Path
) -> None:
    made = Path(shutil.copy(one_made, tmp_path))

    def lie(one: ReadDocument) -> ReadDocument:
        if one.record is None or not one.record.meta:
            return one
        if what == "pair":
            return replace(one, record=replace(one.record, meta={**one.record.meta, "who": "me"}))
        content = one.document.content.replace(b'"Meta":{', b'"Meta":{"who":"me",', 1)
        return replace(one, document=replace(one.document, content=content))

    forge(made, lie)
    audit.run("segments", "seal", tmp_path)
    assert audit.run("verify").status == 0
    deep = audit.run("verify", "--deep", "--format", "json").summary
    assert deep["reading_count"] > 0
    assert all("'who', 'me'" in one["detail"] for one in deep["readings"])
    audit.run("reread")
    assert audit.run("verify", "--deep", "--format", "json").summary["reading_count"] == 0


def test_a_killed_maker_leaves_no_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        make_segment([str(ROOT / "examples")], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_killed_sealer_is_completed_by_the_next(own: Audit, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "documents", 1_000, 1)
    make_all(folder, tmp_path / "segments")
    command = [sys.executable, "-m", "meta_audit", "segments", "seal", tmp_path / "segments"]
    for seconds in (0.6, 0.9, 1.2):
        with subprocess.Popen(
            [*map(str, command), "--db", str(own.db)], cwd=ROOT, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
    own.run("segments", "seal", tmp_path / "segments")
    (twice,) = own.rows("SELECT count(*), count(DISTINCT sha256) FROM documents")
    assert twice[0] == twice[1] > 0
    assert own.run("verify", "--deep").status == 0


def test_values_nested_too_deep_are_refused_by_name(own: Audit, tmp_path: Path) -> None:
    deep = Raw(b"\x91" * 100_000 + b"\x90")
    write_segment(tmp_path, "", [SegmentPart([], 0, deep)])
    sealed = own.run("segments", "seal", tmp_path)
    assert sealed.status == 3
    assert ".segment: " in sealed.err
