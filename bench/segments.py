"""Measure reading into segments and sealing them, beside a plain ingest of the same files.

    python -m bench.segments --count 100000 --files 8

Prints processor time per document. With --jobs above 0 that of parsing processes is not in it.
"""

from __future__ import annotations

import argparse
import gzip
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench.generate import Generator


def write_archive(folder: Path, count: int, files: int) -> list[Path]:
    """Write generated jobs into NDJSON files, every second one compressed."""
    folder.mkdir(parents=True)
    generator, each = Generator(1), count // files
    made = []
    for number in range(files):
        lines = "".join(f"{d}\n" for d in generator.documents(number * each, each)).encode()
        path = folder / f"jobs-{number:03}.ndjson{'.gz' if number % 2 else ''}"
        path.write_bytes(gzip.compress(lines, 3) if number % 2 else lines)
        made.append(path)
    return made


_RUN = """
import sys, time
from meta_audit import cli
cli.run(sys.argv[1:])
print(time.process_time())
"""


class Took(NamedTuple):
    """Seconds: of all processors, of the main process alone, of the clock."""

    used: float
    main: float
    clock: float


def timed(*arguments: str | Path) -> Took:
    """Run the program."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-c", _RUN, "-q", *map(str, arguments)]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(used, float(out.split()[-1]), time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--jobs", default="0")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_archive(folder / "archive", given.count, given.files)
        plain = timed("ingest", folder / "archive", "--db", folder / "a.db", "--jobs", given.jobs)
        into = folder / "segments"
        each = [timed("segments", "make", file, "--into", into) for file in files]
        made = Took(*map(sum, zip(*each, strict=True)))
        sealed = timed("segments", "seal", into, "--db", folder / "b.db", "--jobs", given.jobs)
        size = sum(one.stat().st_size for one in into.iterdir())
    print(f"{size / given.count:.0f} bytes of segments a document")
    took = {"ingest": plain, "segments make, one process": made, "segments seal": sealed}
    for what, one in took.items():
        used, main = (f"{1e6 * seconds / given.count:.0f} µs" for seconds in one[:2])
        rate = f"{given.count / one.clock:,.0f} a second of clock"
        print(f"{what}: {used} of processor a document, {main} in its main process; {rate}")


if __name__ == "__main__":
    main()
