"""A source: counted, hashed, checked for changes; flat in memory."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from meta_audit.errors import SourceError
from meta_audit.sources import File, Item, StandardInput
from tests.sources.helpers import assert_numbered, contents, good, gz, read, reasons, zst

LINE = b'{"ID":"j-1","Meta":{"k":"' + b"v" * 1000 + b'"}}'
DATA = (LINE + b"\n") * 2000


@pytest.mark.parametrize("pack", [bytes, gz, zst])
@pytest.mark.parametrize("name", ["x.ndjson", "x.json", "x.yaml"])
def test_bytes_are_counted_and_hashed_as_they_are_on_disk(
    tmp_path: Path, pack: Callable[[bytes], bytes], name: str
) -> None:
    data = pack(DATA)
    path = tmp_path / name
    path.write_bytes(data)
    source = File(str(path))
    for _ in range(2):
        seen = []
        total = 0
        for batch in source.batches():
            total += len(batch)
            seen.append(source.bytes_read)
        assert total == 2000
        assert seen == sorted(seen)
        assert source.bytes_read == len(data)
        assert source.sha256 == hashlib.sha256(data).digest()


def test_the_hash_covers_what_follows_damage() -> None:
    for data in (gz(DATA) + b"junk" * 200_000, gz(DATA)[:500] + b"\xff" * 2_000_000):
        source = StandardInput(io.BytesIO(data))
        items = list(source.documents())
        assert reasons(items)
        assert source.sha256 == hashlib.sha256(data).digest()
        assert source.bytes_read == len(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(DATA + b"{}\n"),
        lambda path: os.truncate(path, 1_000_000),
        lambda path: os.utime(path, ns=(1, 1)),
    ],
)
def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes(DATA)
    batches = File(str(path)).batches()
    assert next(batches)
    change(path)
    with pytest.raises(SourceError) as caught:
        list(batches)
    assert caught.value.code == "source.changed"
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_replaced_by_a_new_one_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes(DATA)
    batches = File(str(path)).batches()
    count = len(next(batches))
    (tmp_path / "new").write_bytes(b"{}")
    os.replace(tmp_path / "new", path)
    assert count + sum(map(len, batches)) == 2000


def test_errors_on_opening_are_raised_when_read(tmp_path: Path) -> None:
    source = File(str(tmp_path / "none"))
    with pytest.raises(SourceError) as caught:
        next(source.batches())
    assert caught.value.code == "source.missing"


def test_an_error_on_reading() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(SourceError, match="Input/output error") as caught:
        list(StandardInput(Broken()).batches())  # type: ignore[arg-type]
    assert caught.value.code == "source.unreadable"


def test_a_pipe_is_read_as_it_fills() -> None:
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb", buffering=0) as out:
            for at in range(0, len(DATA), 1001):
                out.write(DATA[at : at + 1001])

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reader, "rb") as stream:
        items = list(StandardInput(stream).documents())
    thread.join()
    assert contents(items) == [LINE] * 2000
    assert_numbered(items)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("parts", "given"),
    [
        ([LINE + b"\n"], 1),
        ([LINE + b"\n", LINE + b"\n" + LINE[:-5]], 2),
        ([LINE + b"\n", b"broken\n", LINE + b"\n"], 3),
        ([b"[" + LINE + b",", LINE + b",", LINE[:9]], 2),
        ([b'{\n "ID": "j-1"\n}\n', b'{\n "ID": "j-2"\n}\n{\n "ID"'], 2),
        ([b"ID: j-1\n---\n", b"ID: j-2\n---\nID"], 2),
    ],
)
def test_what_came_through_a_pipe_is_not_held_back(
    compressed: bool, parts: list[bytes], given: int
) -> None:
    """The sender stays silent with the pipe open: whole records come out all the same."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb", buffering=0) as out:
        if compressed:
            compressor = zstandard.ZstdCompressor().compressobj()
            flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK
            parts = [compressor.compress(part) + compressor.flush(flush) for part in parts]
        closing = threading.Timer(20, out.close)
        closing.start()
        source = StandardInput(stream)
        batches = source.batches()
        items: list[Item] = []
        for part in parts:
            out.write(part)
        while len(items) < given:
            items += next(batches)
        assert len(items) == given
        assert not source.wait(0)
        assert not out.closed
        closing.cancel()
        out.close()
        assert source.wait(0)


def test_a_file_never_waits(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(DATA)
    assert File(str(path)).wait(0)
    assert StandardInput(io.BytesIO(DATA)).wait(0)
    with path.open("rb") as stream:
        source = StandardInput(stream)
        assert contents(list(source.documents())) == [LINE] * 2000
        assert source.wait(0)


@pytest.mark.parametrize("cut", range(60))
def test_cut_at_every_byte_of_a_plain_ndjson(cut: int) -> None:
    lines = [b'{"ID":"1"}', b'{"ID":"2","a":[1]}', b'{"ID":"3"}']
    data = b"\n".join(lines)[:cut]
    items = read(data, "x.ndjson")
    complete = [
        line for line in lines if data.startswith(b"\n".join(lines[: lines.index(line) + 1]))
    ]
    assert good(items) == complete
    assert len(reasons(items)) <= 1


MEMORY = """
import resource, sys
from meta_audit.sources import StandardInput

kind, megabytes = sys.argv[1], int(sys.argv[2])
record = b'{"ID":"j-1","Meta":{"k":"' + b"v" * 1300 + b'"}}'

class Endless:
    def __init__(self, first, unit, last):
        self.rest = [last, first]
        self.unit = unit * (200_000 // len(unit) + 1)
        self.count = (megabytes << 20) // len(self.unit)
    def read(self, size):
        if len(self.rest) == 2:
            return self.rest.pop()
        if self.count:
            self.count -= 1
            return self.unit
        return self.rest.pop() if self.rest else b""

stream = {
    "ndjson": Endless(record + b"\\n", record + b"\\n", record),
    "tiny lines": Endless(b"1\\n", b"1\\n", b"1\\n"),
    "array": Endless(b"[" + record, b"," + record, b"]"),
    "tiny elements": Endless(b"[1", b",1", b"]"),
    "page": Endless(b'{"Items":[' + record, b",\\n" + record, b"]}"),
    "one line": Endless(b'{"k":"', b"x", b'"}'),
    "escapes": Endless(b'["', b"\\\\n", b'"]'),
    "depth": Endless(b"[", b"[", b"]"),
    "junk": Endless(b'[{"a":1} ', b"junk", b"]"),
    "yaml": Endless(b"ID: x\\n", b"---\\nID: x\\nMeta: {k: v}\\n", b"---\\n"),
    "one yaml": Endless(b"a: |\\n", b"  x\\n", b""),
    "yaml line": Endless(b"a: ", b"x", b""),
    "yaml list": Endless(b"- {}\\n", b"- {}\\n", b""),
    "list in a line": Endless((record + b"\\n") * 2 + b"[{}", b",{}", b"]\\n"),
    "comments": Endless(b"# x\\n", b"# x\\n", b""),
    "blank": Endless(b"\\n", b"\\n", b""),
}[kind]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(len(batch) for batch in StandardInput(stream).batches())
print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
KINDS = [
    "ndjson", "tiny lines", "array", "tiny elements", "page", "one line", "escapes", "depth",
    "junk", "yaml", "one yaml", "yaml line", "yaml list", "list in a line",
    "comments", "blank",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_memory_stays_flat(kind: str) -> None:
    slow = {
        "tiny lines": 4,
        "tiny elements": 1,
        "yaml": 3,
        "depth": 2,
        "escapes": 30,
        "yaml list": 8,
        "list in a line": 4,
    }
    megabytes = slow.get(kind, 80)
    result = subprocess.run(
        [sys.executable, "-c", MEMORY, kind, str(megabytes)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    count, grown = map(int, result.stdout.split())
    assert count >= 1
    assert grown < 64, f"{grown} MiB"
