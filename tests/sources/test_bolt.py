"""BoltDB job stores: what bbolt wrote, what Bacalhau keeps, and files that lie."""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from meta_audit.cut.blocks import Item
from meta_audit.errors import SourceError
from meta_audit.model import KEPT_OF_TOO_LARGE, Document, Rejection
from meta_audit.sources import Skipped, Source, Unreadable, find
from meta_audit.sources.bolt.cut_bolt import cut_bolt
from meta_audit.sources.bolt.file import BoltFile
from tests.sources.bbolt_trees import read_all
from tests.sources.bolt_writer import PAGE, BoltWriter, Tree, branch, leaf, meta
from tests.sources.helpers import FEW, read

DATA = Path(__file__).parent / "data"
BBOLT_PAIRS = "09520db0f6ca37e90864717795d74bdec5d2d0bc2cdeafb1de99abf8892a5bd2"
"""SHA-256 of what bbolt itself reads from `data/bbolt.db.zst` (tests/sources/bbolt/main.go)."""


def job(number: int) -> Tree:
    """A job as an orchestrator keeps it, a part of each version's buckets."""
    text = b'{"ID":"j-%d","Meta":{}}' % number
    return {
        b"spec": text,
        b"evaluations": {b"04db5142": b'{"Status":"pending"}'},
        b"executions": {b"e-%d" % n: b'{"ID":"e-%d","JobID":"j"}' % n for n in range(number % 9)},
        b"execution_history": {b"%016d" % n: b'{"e":%d}' % n for n in range(60)},
        b"job_history": {b"%016d" % 1: b'{"Type":"JobLevel"}'},
        b"history": {struct.pack(">Q", 1): b'{"SeqNum":1}'},
        b"versions": {struct.pack(">Q", 0): text},
    }


BROKEN = "database.broken: the BoltDB file:"
STORE: Tree = {
    b"idx_labels": {b"a": {b"b": {b"j-1": b""}}},
    b"jobs": {
        **{b"j-%03d" % n: job(n) for n in range(40)},
        b"with": {b"slash": {b"spec": b'{"ID":"with/slash"}'}},
        b"x": {b"evaluations": {b"spec": b'{"ID":"x/evaluations"}', b"e": b"{}"}},
    },
    b"v1_events": {struct.pack(">QQ", 1, 2): b'{"objectType":"Evaluation"}'},
    b"v2_executions": {b"e-1": b'{"ID":"e-1"}'},
}
PER_JOB = 1 + 60 + 1 + 1 + 1
WANTED = 40 * PER_JOB + sum(n % 9 for n in range(40)) + 2 + 1


def items(data: bytes) -> list[Item]:
    """Cut the bytes of a BoltDB file."""
    batches = cut_bolt(lambda offset, size: data[offset : offset + size], len(data))
    return [item for batch in batches for item in batch]


def until_error(data: bytes) -> tuple[list[bytes], str]:
    """Return the documents that came, and the code and message of the error after them."""
    came: list[bytes] = []
    try:
        for batch in cut_bolt(lambda offset, size: data[offset : offset + size], len(data)):
            came += [item.content for item in batch]
    except SourceError as error:
        return came, f"{error.code}: {error}"
    return came, ""


def test_what_bbolt_wrote_is_read_as_bbolt_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "bbolt.db"
    file.write_bytes(zstandard.decompress((DATA / "bbolt.db.zst").read_bytes()))
    pairs = read_all(file)
    assert len(pairs) == 150
    text = json.dumps(pairs, separators=(",", ":")).encode()
    assert hashlib.sha256(text).hexdigest() == BBOLT_PAIRS


def test_every_document_of_a_job_store_and_nothing_else() -> None:
    found = items(BoltWriter(STORE).bytes())
    assert [item.ordinal for item in found] == list(range(1, WANTED + 1))
    contents = [item.content for item in found]
    assert b"".join(contents).count(b"pending") == 0
    assert contents.count(b'{"ID":"j-7","Meta":{}}') == 2
    assert {b'{"ID":"with/slash"}', b'{"ID":"x/evaluations"}', b'{"ID":"e-1"}'} <= {*contents}
    assert {(type(item), item.line) for item in found} == {(Document, 0)}


def test_the_newest_transaction_that_was_written_completely_counts() -> None:
    writer = BoltWriter({b"jobs": {b"j": {b"spec": b"{}"}}})
    whole = writer.bytes()
    assert len(items(whole)) == 1
    newest = PAGE * (writer.transaction % 2)
    torn = bytearray(whole)
    torn[newest + 20] ^= 1  # the other one is older, and begins at a page of zeros
    assert "first page 2: it is neither" in until_error(bytes(torn))[1]
    torn[PAGE - newest + 70] ^= 1
    assert until_error(bytes(torn)) == ([], f"{BROKEN} no meta page is whole")
    first_torn = b"\0" * 24 + meta(writer.root, len(writer.pages), 9)[24:] + whole[PAGE:]
    assert len(items(first_torn)) == 1


def header(number: int, flags: int, count: int, overflow: int = 0) -> bytes:
    return struct.pack("<QHHI", number, flags, count, overflow)


HOSTILE = {
    "another page's number": lambda n: header(n + 1, 2, 0),
    "a free page": lambda n: header(n, 16, 0),
    "too many elements": lambda n: header(n, 2, 0xFFFF),
    "overflow past the end": lambda n: header(n, 2, 0, 0xFFFFFFFF),
    "an overflow page that is used": lambda n: header(n, 2, 0, 3),
    "a value past the page": lambda n: header(n, 2, 1) + struct.pack("<IIII", 0, 16, 1, 9999),
    "a position past all": lambda n: header(n, 2, 1) + struct.pack("<IIII", 0, 2**32 - 1, 1, 1),
    "elements on each other": lambda n: header(n, 2, 2) + struct.pack("<8I", *[0, 32, 4, 400] * 2),
    "a key longer than any": lambda n: header(n, 2, 1, 9) + struct.pack("<4I", 0, 16, 40000, 1),
    "a cycle": lambda n: header(n, 1, 1) + branch([(b"k", n)])[1],
    "a branch to nowhere": lambda n: header(n, 1, 1) + branch([(b"k", 2**63)])[1],
    "a branch to the meta page": lambda n: header(n, 1, 1) + branch([(b"k", 1)])[1],
    "a bucket of three bytes": lambda n: header(n, 2, 1) + leaf([(1, b"executions", b"abc")])[1],
    "a bucket that is no leaf": lambda n: (
        header(n, 2, 1) + leaf([(1, b"executions", bytes(16) + header(0, 1, 5))])[1]
    ),
    "a bucket that is cut": lambda n: (
        header(n, 2, 1) + leaf([(1, b"executions", bytes(16) + b"\0" * 9)])[1]
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_page_that_lies_is_left_out_and_said(kind: str) -> None:
    writer = BoltWriter({b"jobs": {b"j-%d" % n: job(n) for n in range(3)}})
    whole = {item.content for item in items(writer.bytes())}
    leaves = [n for n, page in enumerate(writer.pages) if page[8:10] == b"\2\0"]
    number = leaves[1]
    writer.pages[number] = HOSTILE[kind](number).ljust(PAGE, b"\0")
    came, error = until_error(writer.bytes())
    assert "damaged" in error
    assert came
    assert set(came) <= whole


def test_a_tree_that_is_too_deep_ends() -> None:
    writer = BoltWriter({b"jobs": {b"j": {b"spec": b"{}"}}})
    first = len(writer.pages)
    for n in range(first, first + 200):
        writer.pages.append((header(n, 1, 1) + branch([(b"k", n + 1)])[1]).ljust(PAGE, b"\0"))
    writer.pages.append(header(first + 200, 2, 0).ljust(PAGE, b"\0"))
    writer.root = first
    assert "too deep" in until_error(writer.bytes())[1]
    nested: Tree = {b"spec": b"{}"}
    for _ in range(40):
        nested = {b"a": nested, b"pad": b"x" * 900}
    came, error = until_error(BoltWriter({b"jobs": nested}).bytes())
    assert "too deep" in error
    assert 0 < len(came) < 20


WHOLE = BoltWriter({b"jobs": {b"j-%d" % n: job(n) for n in range(4)}}).bytes()


@FEW
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(1, 255)), max_size=30))
def test_any_change_gives_no_other_error_and_no_more_bytes(changes: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for at, by in changes:
        data[at] ^= by
    came, error = until_error(bytes(data))
    assert sum(map(len, came)) <= len(data)
    assert error.startswith(("database.broken: ", "source.format: ")) or not error


@FEW
@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_that_is_cut_off_is_said(size: int) -> None:
    came, error = until_error(WHOLE[:size])
    assert not came
    assert error.startswith(BROKEN)


def test_a_server_that_writes_meanwhile_is_said_before_its_pages_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "state_boltdb.db"
    large = {
        b"j-%04d" % n: {b"spec": b'{"ID":"%d","x":"%s"}' % (n, b"y" * 900)} for n in range(900)
    }
    writer = BoltWriter({b"jobs": large})
    file.write_bytes(writer.bytes())
    source = BoltFile(str(file))
    batches = source.batches()
    assert len(next(batches)) > 100
    with file.open("r+b") as server:
        server.write(meta(writer.root, len(writer.pages), writer.transaction + 1))
    with pytest.raises(SourceError, match="transaction 7 before, 8 after") as caught:
        list(batches)
    assert caught.value.code == "source.changed"
    assert (len(list(source.documents())), source.sha256) == (
        900,
        hashlib.sha256(file.read_bytes()).digest(),
    )


def test_job_stores_are_taken_by_their_content(tmp_path: Path) -> None:
    stored = BoltWriter(STORE).bytes()
    (tmp_path / "a.db").write_bytes(stored)
    (tmp_path / "b.db.gz").write_bytes(gzip.compress(stored))
    (tmp_path / "other.db").write_bytes(BoltWriter({b"etcd": {b"k": b"v"}}).bytes())
    found = list(find([str(tmp_path)]))
    assert [type(each) for each in found] == [BoltFile, type(found[1]), Skipped]
    counts = [len(list(each.documents())) for each in found if isinstance(each, Source)]
    assert counts == [WANTED, WANTED]
    (named,) = find([str(tmp_path / "other.db")])
    assert isinstance(named, Source)
    with pytest.raises(SourceError, match="no job store of Bacalhau"):
        list(named.batches())
    assert not [each for each in found if isinstance(each, Unreadable)]
    assert len(read(stored)) == WANTED


def test_a_value_that_is_too_large_is_rejected_whole() -> None:
    value = b"x" * 10_000_001
    (item,) = items(BoltWriter({b"jobs": {b"j": {b"spec": value}}}).bytes())
    assert isinstance(item, Rejection)
    assert (item.reason, item.size, len(item.content)) == (
        "too_large",
        10_000_001,
        KEPT_OF_TOO_LARGE,
    )
    assert item.sha256 == hashlib.sha256(value).digest()
