"""Fill a small disk with an import, at many sizes; check the store; then make room.

    python -m tests.faults.full_disk --documents 300 --from 100 --step 50

For each size (KB) a tmpfs is mounted and ingest runs into it, in small transactions; where the
import begins to fit, in steps of a page, so that its end does not fit either. While the disk
is still full: the exit code and the message are those of the documentation, a reader opens the
store or there is none yet, it passes integrity check and verify, and holds what was acknowledged.
Then the disk is enlarged, and the same command completes: the store equals an undisturbed one.
Mounting takes root.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from bench.generate import Generator
from tests.faults import recovery
from tests.faults.kill import StoreState, entries_after, look
from tests.faults.program import Program

SEED: Final = 1
CHUNK_DOCUMENTS: Final = 20
BLOCK_BYTES: Final = 4_096
ENLARGED: Final = 64_000
PAGE: Final = 4
FULL: Final = "full", "No space left on device"
"""One of these has to be in what is said."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result for one size."""

    size: int
    status: int
    is_complete: bool
    entries: int
    said: str
    problems: tuple[str, ...]


@contextmanager
def disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a tmpfs of so many KB on a folder."""
    folder.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}k,mode=755", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change the options of a mounted disk."""
    _mount("-o", f"remount,{options}", str(folder))


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(" ".join(done.stderr.split()))


@cache
def cannot_mount() -> str:
    """Return why nothing can be mounted here, or an empty text."""
    if not shutil.which("mount"):
        return "mount is not installed"
    folder = Path(tempfile.mkdtemp(prefix="meta-audit-mount-"))
    try:
        with disk(folder, 100):
            return ""
    except OSError as error:
        return f"nothing may be mounted here: {error}"
    finally:
        folder.rmdir()


class Trial:
    """One folder of documents, imported into disks of many sizes."""

    def __init__(self, work: Path, documents: int, chunk: int = CHUNK_DOCUMENTS) -> None:
        self._disk = work / "disk"
        self._folder = work / "documents"
        self._folder.mkdir()
        os.environ["XDG_CONFIG_HOME"] = str(work / "home")
        self._program = Program(work, chunk, BLOCK_BYTES)
        lines = [d.encode() for d in Generator(SEED).documents(0, documents)]
        half = len(lines) // 2
        for name, some in (("a", lines[:half]), ("b", lines[half:])):
            (self._folder / f"{name}.ndjson").write_bytes(b"\n".join([*some, b"{}"]) + b"\n")
        self._lengths = entries_after(self._folder)
        undisturbed = work / "undisturbed.db"
        self._reference = recovery.reference(
            recovery.ingest(self._folder, undisturbed), undisturbed
        )

    def sweep(self, first: int, last: int, step: int) -> Iterator[Outcome]:
        """Try sizes up to one that fits, and page by page just below it."""
        for size in range(first, last + 1, step):
            outcome = self.try_(size)
            yield outcome
            if outcome.is_complete:
                for between in range(size - 2 * step + PAGE, size, PAGE):
                    yield self.try_(between)
                return

    def try_(self, size: int) -> Outcome:
        """Import into a disk of so many KB."""
        with disk(self._disk, size):
            db = self._disk / "audit.db"
            done = self._program.run("ingest", self._folder, "--db", db, "--jobs", "0")
            ran = recovery.CommandResult(done.status, done.out, done.err)
            least = self._lengths[done.acknowledged]
            seen = look(db)
            found = list(
                recovery.problems(ran, db, self._reference, least, before=StoreState(), seen=seen)
            )
            if not ran.is_complete and not any(text in ran.err for text in FULL):
                found.append(f"it does not say that the disk is full: {ran.err}")
            remount(self._disk, f"size={ENLARGED}k")
            found += recovery.problems_again(self._folder, db, self._reference, seen)
        return Outcome(size, ran.status, ran.is_complete, len(seen.leaves), ran.err, tuple(found))

    def close(self) -> None:
        """End the program."""
        self._program.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when nothing was wrong at any size."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.full_disk", description=__doc__)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--chunk", type=int, default=CHUNK_DOCUMENTS, help="in one transaction")
    parser.add_argument("--from", type=int, default=100, dest="first", help="KB")
    parser.add_argument("--to", type=int, default=9_000, dest="last", help="KB")
    parser.add_argument("--step", type=int, default=50, help="KB")
    chosen = parser.parse_args(arguments)
    if why := cannot_mount():
        raise SystemExit(why)
    faulty = 0
    statuses: Counter[int] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="meta-audit-disk-") as work,
        closing(Trial(Path(work), chosen.documents, chosen.chunk)) as trial,
    ):
        for outcome in trial.sweep(chosen.first, chosen.last, chosen.step):
            statuses[outcome.status] += 1
            faulty += bool(outcome.problems)
            said = [line for line in outcome.said.splitlines() if line.startswith("Error: ")]
            print(
                f"{outcome.size} KB: exit code {outcome.status}, {outcome.entries} entries",
                *[line.replace(work, "…") for line in said],
            )
            for problem in outcome.problems:
                print(f"{outcome.size} KB: {problem}", file=sys.stderr)
    codes = ", ".join(f"{number} with exit code {code}" for code, number in statuses.items())
    print(f"{statuses.total()} sizes: {codes}; {faulty} faulty")
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
