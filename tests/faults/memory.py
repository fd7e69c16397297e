"""Feed an ingest through a pipe, and measure the memory of it and its helpers.

    python -m tests.faults.memory --megabytes 300 --limit 400

Four streams: NDJSON of usual jobs; of jobs that are rejected; of jobs of almost the largest
size; one page `{"Items": [...]}` in a single line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import BinaryIO, Final

from bench.generate import Generator

ROOT: Final = Path(__file__).resolve().parents[2]
SECONDS_BETWEEN_LOOKS: Final = 0.1
LARGE: Final = 9_900_000
"""Bytes of a large document; 10 million are the limit."""


def usual() -> Iterator[bytes]:
    """Yield lines, each a job."""
    generator = Generator(8)
    for start in count(0, 500):
        yield "".join(f"{d}\n" for d in generator.documents(start, 500)).encode()


def broken() -> Iterator[bytes]:
    """Yield lines, each a job with a duplicate key or a Meta value that is no string."""
    for number, block in enumerate(usual()):
        if number % 2:
            yield block.replace(b'"Count":1,', b'"Count":1,"Count":1,')
        else:
            yield block.replace(b'"Meta":{', b'"Meta":{"version":1.20,')


def large() -> Iterator[bytes]:
    """Yield lines, each a large job: one long value, then many pairs."""
    for number in count():
        many = dict.fromkeys(map(str, range(380_000)), "a short value")
        meta = {"long": "x" * LARGE} if number % 2 else many
        job = {"ID": f"j-{number}", "Meta": meta, "Tasks": [{"Name": "t"}]}
        yield json.dumps(job, separators=(",", ":")).encode() + b"\n"


def page() -> Iterator[bytes]:
    """Yield one value without an end."""
    yield b'{"Items":['
    for block in usual():
        yield b",".join(block.splitlines()) + b","


STREAMS: Final[dict[str, Callable[[], Iterator[bytes]]]] = {
    "usual": usual,
    "broken": broken,
    "large": large,
    "page": page,
}


def feed(pipe: BinaryIO, stream: Iterator[bytes], size: int) -> None:
    """Write so many bytes of a stream, whole blocks, and close the pipe."""
    with pipe:
        while size > 0:
            for block in islice(stream, 1):
                pipe.write(block)
                size -= len(block)


def peaks(process_id: int) -> dict[int, int]:
    """Return the peak resident bytes of a process and of those it started."""
    parents, sizes = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            status = dict(
                line.split(":", 1) for line in (entry / "status").read_text().splitlines()
            )
        except OSError:
            continue
        if "VmHWM" in status:
            parents[int(entry.name)] = int(status["PPid"])
            sizes[int(entry.name)] = int(status["VmHWM"].split()[0]) * 1024
    found = {process_id}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {number: sizes[number] for number in found if number in sizes}


def measure(name: str, size: int, *options: str) -> tuple[int, int, str]:
    """Return the bytes of the largest process, of all processes, and the summary."""
    found: dict[int, int] = {}
    with tempfile.TemporaryDirectory(prefix="meta-audit-memory-") as folder:
        command = [sys.executable, "-m", "meta_audit", "ingest", "-", "--format", "json"]
        process = subprocess.Popen(
            [*command, "--db", f"{folder}/audit.db", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        if process.stdin is None or process.stdout is None:
            raise AssertionError
        feeder = threading.Thread(target=feed, args=(process.stdin, STREAMS[name](), size))
        feeder.start()
        while process.poll() is None:
            found |= peaks(process.pid)
            try:
                process.wait(SECONDS_BETWEEN_LOOKS)
            except subprocess.TimeoutExpired:
                continue
        feeder.join()
        summary = process.stdout.read().decode()
        process.stdout.close()
    return max(found.values()), sum(found.values()), summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when every stream stays below the limit."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.memory", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=300, help="size of each stream")
    parser.add_argument("--limit", type=int, default=400, help="MB of the largest process")
    parser.add_argument("--stream", choices=list(STREAMS), action="append")
    chosen = parser.parse_args(arguments)
    failed = 0
    for name in chosen.stream or STREAMS:
        largest, together, said = measure(name, chosen.megabytes * 1_000_000)
        summary = json.loads(said)
        print(
            f"{name}: {chosen.megabytes} MB, {summary['documents']:,} documents, "
            f"{summary['rejected']:,} rejected, {summary['seconds']:.0f} s: "
            f"{largest / 1e6:.0f} MB in the largest process, {together / 1e6:.0f} MB in all"
        )
        failed += largest > chosen.limit * 1_000_000
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
