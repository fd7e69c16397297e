"""Check a lake against the signed checkpoints that it holds, from its Parquet rows alone.

1. Each entry, written from the rows of the tables, has its leaf hash, and the leaves give the root
   of every checkpoint.
2. The checkpoints are signed, under the keys that are given or else those that the lake names.
3. The kept bytes have the hashes of their entries.
4. The rows of every table are those that the entries stand for, and there are no others.

Ranges of entries are checked alone, by any process or machine (`check_range`); what joins them is
checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.errors import LedgerError
from meta_audit.lake import strays
from meta_audit.lake.catalog import check_form, stores
from meta_audit.lake.damages import MOST, LakeDamage, LakeDamages
from meta_audit.lake.range_check import EntryRange, RangeCheck, RangeResult, check_range
from meta_audit.lake.store_rows import StoreRows
from meta_audit.ledger.checkpoint import Checkpoint, open_checkpoint
from meta_audit.ledger.merkle import HASH_BYTES, Tree
from meta_audit.ledger.note import Note, VerifierKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meta_audit.lake.catalog import Lake

Each = Callable[[Callable[[EntryRange], RangeResult], Iterable[EntryRange]], Iterable[RangeResult]]
"""Do work for each range, anywhere, and give the results in order: as `map` does."""

ENTRIES_AT_ONCE: Final = 25_000
_FEWEST: Final = 10
"""Damages of a range that are told, of however many ranges."""


class LakeReport(NamedTuple):
    """Tell what was checked, and what differs."""

    stores: dict[str, int]
    """Entries of each store that were checked."""
    checkpoints: int
    damages: tuple[LakeDamage, ...]
    damage_count: int


def verify_lake(
    lake: Lake,
    pins: Sequence[VerifierKey],
    checked: Callable[[int, int], None],
    each: Each | None = None,
    *,
    at_once: int = ENTRIES_AT_ONCE,
) -> LakeReport:
    """Check all stores of a lake.

    `pins` are the keys that are trusted, if any are given. `each` does the work for ranges of
    `at_once` entries; without it this process does.
    """
    check_form(lake.table("entries"))
    found = stores(lake.table("entries"))
    wrong = [LakeDamage("", name, "", what) for name, what in strays.wrong_columns(lake)]
    if wrong:  # no row can be compared
        return LakeReport(dict.fromkeys(found, 0), 0, tuple(wrong[:MOST]), len(wrong))
    damages = [
        LakeDamage(store, name, "", "rows of a store that has no ledger here")
        for name, store in strays.unknown_stores(lake, found)
    ]
    count, checkpoints = len(damages), 0
    total, before = sum(found.values()), 0
    for store, entries in sorted(found.items()):
        one = _OneStore(lake, store, entries)
        for now in one.check(pins, each, at_once):
            checked(before + now, total)
        checkpoints += one.checkpoints
        damages += one.damages.kept
        count += one.damages.count
        before += entries
    return LakeReport(found, checkpoints, tuple(damages[:MOST]), count)


class _OneStore:
    """Check what a lake has of one store."""

    def __init__(self, lake: Lake, store: str, entries: int) -> None:
        self._lake = lake
        self._store = store
        self._rows = StoreRows(lake, store)
        self._entries = entries
        self._unknown: int | None = None
        """The first entry that is not known, so that no root after it can be computed."""
        self.damages = LakeDamages(self._rows, store)
        self._say = self.damages.say
        self.checkpoints = 0

    def check(self, pins: Sequence[VerifierKey], each: Each | None, at_once: int) -> Iterator[int]:
        """Check everything; yield the number of entries that are done."""
        roots = self._checkpoints(pins)
        read_again: dict[int, bytes] = {}
        last_job = 0
        tree = Tree()
        ranges = list(self._ranges(at_once))
        for result in each(check_range, ranges) if each else map(self._check_here, ranges):
            self.damages.merge(result.damages, result.damage_count)
            self._grow(tree, result, roots)
            read_again |= result.read_again
            last_job = max(last_job, result.last_job)
            yield result.high
        self._readings(read_again)
        for name, detail in strays.beyond(self._lake, self._store, self._entries):
            self._say(name, "", None, detail)
        for name, key, detail in strays.unseen_versions(self._lake, self._store, last_job):
            self._say(name, "job_key", key, detail)
        for size in roots:
            detail = f"a tree of {size:,} entries is not there"
            self._say("checkpoints", "tree_size", size, detail)

    def _ranges(self, at_once: int) -> Iterator[EntryRange]:
        starts = range(0, self._entries, at_once)
        most = max(_FEWEST, MOST // max(len(starts), 1))
        for low in starts:
            high = min(low + at_once, self._entries)
            yield EntryRange(self._lake.location, self._lake.catalog, self._store, low, high, most)

    def _check_here(self, asked: EntryRange) -> RangeResult:
        return RangeCheck(self._rows, asked).run()

    def _grow(self, tree: Tree, result: RangeResult, roots: dict[int, bytes]) -> None:
        """Add the leaves of a range, and compare the root at every checkpoint."""
        if self._unknown is None:
            self._unknown = result.unknown
        for at in range(0, len(result.leaves), HASH_BYTES):
            tree.extend([result.leaves[at : at + HASH_BYTES]])
            root = roots.pop(tree.size, None)
            if root is not None and root != tree.root():
                index = tree.size - 1
                detail = f"the entries up to {index} do not give the root of their checkpoint"
                if self._unknown is not None and self._unknown <= index:
                    detail += f": entry {self._unknown} is not known"
                self._say("entries", "entry_index", index, detail)

    def _checkpoints(self, pins: Sequence[VerifierKey]) -> dict[int, bytes]:
        roots: dict[int, bytes] = {}
        rows = sorted(self._rows.all("checkpoints"), key=lambda row: row["checkpoint_id"])
        numbers = [row["checkpoint_id"] for row in rows]
        newest = rows[-1]["tree_size"] if rows else 0
        if numbers != list(range(1, len(rows) + 1)) or newest != self._entries:
            self._say("checkpoints", "tree_size", self._entries, "one is missing, or there twice")
        for row in rows:
            number = row["checkpoint_id"]
            try:
                keys = tuple(pins) or (VerifierKey.parse(row["verifier"]),)
                open_checkpoint(row["note"], keys)
                checkpoint = Checkpoint.parse(Note.parse(row["note"]).text)
                if (checkpoint.size, checkpoint.origin) != (row["tree_size"], self._store):
                    raise LedgerError("its row has another size or store than its note")
            except LedgerError as error:
                self._say("checkpoints", "checkpoint_id", number, f"checkpoint {number}: {error}")
                continue
            self.checkpoints += 1
            if roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
                detail = f"checkpoint {number}: another checkpoint of this size has another root"
                self._say("checkpoints", "checkpoint_id", number, detail)
        return roots

    def _readings(self, documents: dict[int, bytes]) -> None:
        """Check that each reading is of the bytes of the entry whose place it takes."""
        seen = set()
        for row in self._rows.all("v_readings"):
            index = row["entry_index"]
            now, before = documents.get(index, b""), documents.get(row["supersedes"])
            if now != before or now.hex() != row["document_sha256"] or index in seen:
                detail = f"entry {index} is no reading of the document of {row['supersedes']}"
                self._say("v_readings", "entry_index", index, detail)
            seen.add(index)
