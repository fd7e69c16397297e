"""Change archives and BoltDB files at random, and read them within bounds of time and memory.

python -m tests.faults.fuzz_sources --seconds 60
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import zstandard

from meta_audit.errors import SourceError
from meta_audit.sources import Archive, Budget, Source, Unreadable, find
from tests.conftest import CORPUS
from tests.sources.test_archives import FUZZED
from tests.sources.test_bolt import DATA, STORE, BoltWriter

MEMORY: int = 1 << 30
"""Bytes of memory that reading one file may take, the interpreter included."""
SECONDS: int = 20
"""Longest processor time to read one file."""
BUDGET = Budget(output_bytes=64 << 20)


def samples() -> list[bytes]:
    """Return what is changed: files made by tests, and real job stores where they are there."""
    stores = sorted((CORPUS / "servers").glob("*/db/*.zst"))
    packed = [DATA / "bbolt.db.zst", *stores]
    bolts = [zstandard.ZstdDecompressor().stream_reader(f.read_bytes()).read() for f in packed]
    bolts.append(BoltWriter(STORE).bytes())
    packs = (gzip.compress, zstandard.compress)
    return [*FUZZED, *bolts * 2, *(pack(FUZZED[1]) for pack in packs)]


def change(data: bytes, chance: random.Random) -> bytes:
    """Return data with some bytes changed, moved, doubled or cut."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 30))):
        size = len(changed)
        if size < 64:
            break
        at = chance.randrange(size)
        if chance.random() < 0.6:  # where the heads of pages and members are
            at = min(at // 512 * 512 + chance.randrange(200), size - 9)
        kind = chance.randrange(6)
        if kind <= 1:
            changed[at] = chance.randrange(256)
        elif kind == 2:
            wild = chance.choice((0, 1, 2**16 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1))
            changed[at : at + 8] = wild.to_bytes(8, "little")
        elif kind == 3:
            changed[at : at + 4] = chance.randrange(size // 512 + 2).to_bytes(4, "little")
        elif kind == 4:
            start = chance.randrange(size) // 512 * 512
            at = at // 512 * 512
            changed[at : at + 512] = changed[start : start + 512]
        elif chance.random() < 0.2:
            del changed[at:]
    return bytes(changed)


def read(path: Path, top: str) -> str:
    """Read a file by its name and as one in a directory; return how it went."""
    went = "read"
    for found in (*find([str(path)], budget=BUDGET), *find([top], budget=BUDGET)):
        if isinstance(found, Unreadable):
            went = found.code
        try:
            for one in found.members() if isinstance(found, Archive) else (found,):
                if isinstance(one, Source):
                    for batch in one.batches():
                        del batch
        except SourceError as error:
            went = error.code
    return went


def main(seconds: float, seed: int) -> int:
    """Change and read files for so long."""
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    originals = samples()
    went: Counter[str] = Counter()
    slowest = 0.0
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as top:
        path = Path(top) / "fuzzed.bin"
        while time.monotonic() < end:
            seed += 1
            chance = random.Random(seed)
            path.write_bytes(change(chance.choice(originals), chance))
            began = time.process_time()
            try:
                went[read(path, top)] += 1
            except BaseException:
                print(f"seed {seed}: not caught", file=sys.stderr)
                raise
            slowest = max(slowest, time.process_time() - began)
            assert slowest < SECONDS, f"seed {seed}: {slowest:.1f} s"
            assert os.listdir(top) == [path.name], f"seed {seed}: it wrote a file"
    print(f"{went.total():,} files, the slowest {slowest:.2f} s: {dict(went.most_common())}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(main(arguments.seconds, arguments.seed))
