"""Read random trees that bbolt wrote, and compare with what bbolt reads (`make bbolt`)."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from meta_audit.sources.bolt.file import reader
from meta_audit.sources.bolt.tree import BoltBucket, BoltTree, ReadAt

GENERATOR = Path(__file__).parent / "bbolt"


def pairs(tree: BoltTree, read: ReadAt, bucket: BoltBucket, path: str) -> Iterator[list[str]]:
    """Yield all pairs below a bucket: its path, and the value of one that is no bucket."""
    for pair in tree.pairs(bucket):
        name = f"{path}/{pair.key.hex()}".removeprefix("/")
        if pair.is_bucket:
            yield [name]
            yield from pairs(tree, read, tree.bucket(pair), name)
        else:
            yield [name, read(pair.offset, pair.size).hex()]


def read_all(path: Path) -> list[list[str]]:
    """Return all pairs of a file below its top buckets; fails when something is damaged."""
    with path.open("rb") as file:
        tree = BoltTree(reader(file), path.stat().st_size)
        found = list(pairs(tree, reader(file), tree.root, ""))
    assert not tree.damaged, tree.first_damage
    return [pair for pair in found if "/" in pair[0]]


def main(count: int) -> None:
    """Compare so many trees."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["go", "run", ".", folder, str(count)], cwd=GENERATOR, check=True)
        total = 0
        for file in sorted(Path(folder).glob("*.db")):
            wanted = json.loads(file.with_suffix(".json").read_bytes())
            assert read_all(file) == wanted, file.name
            total += len(wanted)
    print(f"{count} files with {total:,} pairs: all read as bbolt reads them")


if __name__ == "__main__":
    main(int(sys.argv[1]))
