"""Check a lake against the signed checkpoints that it holds, from its Parquet rows alone.

1. Each entry, written from the rows of the tables, has its leaf hash, and the leaves give the root
   of every checkpoint.
2. The checkpoints are signed, under the keys that are given or else those that the lake names.
3. The kept bytes have the hashes of their entries.
4. The rows of every table are those that the entries stand for, and there are no others.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meta_audit.collector import without_collector
from meta_audit.errors import LedgerError
from meta_audit.lake import strays
from meta_audit.lake.agreement import rejection_problem
from meta_audit.lake.catalog import check_form, stores
from meta_audit.lake.compared import ComparedRows
from meta_audit.lake.rebuilt import RangeRows
from meta_audit.lake.store_rows import StoreRows
from meta_audit.lake.tables import LEAF_PREFIX_BYTES
from meta_audit.ledger.checkpoint import Checkpoint, open_checkpoint
from meta_audit.ledger.entry import AcceptedEntry, RejectedEntry, decode_entry, encode_entry
from meta_audit.ledger.merkle import Tree, leaf_hash
from meta_audit.ledger.note import Note, VerifierKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meta_audit.lake.catalog import Lake
    from meta_audit.lake.store_rows import LakeRow
    from meta_audit.ledger.entry import Entry

ENTRIES_AT_ONCE: Final = 25_000
KEPT: Final = 100
"""Most damages that are told."""
_NOTHING: Final[tuple[object, ...]] = (None, None, None)


class LakeDamage(NamedTuple):
    """Name a difference: where it is, and what differs."""

    store: str
    table: str
    file: str
    """The Parquet file that has the row, and its number; empty where a row is missing."""
    detail: str


class LakeReport(NamedTuple):
    """Tell what was checked, and what differs."""

    stores: dict[str, int]
    """Entries of each store that were checked."""
    checkpoints: int
    damages: tuple[LakeDamage, ...]
    damage_count: int


def verify_lake(
    lake: Lake, pins: Sequence[VerifierKey], checked: Callable[[int, int], None]
) -> LakeReport:
    """Check all stores of a lake; `pins` are the keys that are trusted, if any are given."""
    check_form(lake.table("entries"))
    found = stores(lake.table("entries"))
    wrong = [LakeDamage("", name, "", what) for name, what in strays.wrong_columns(lake)]
    if wrong:  # no row can be compared
        return LakeReport(dict.fromkeys(found, 0), 0, tuple(wrong[:KEPT]), len(wrong))
    damages = [
        LakeDamage(store, name, "", "rows of a store that has no ledger here")
        for name, store in strays.unknown_stores(lake, found)
    ]
    checkpoints = 0
    total, before = sum(found.values()), 0
    for store, entries in sorted(found.items()):
        one = _OneStore(lake, store, entries)
        with without_collector():
            for now in one.check(pins):
                checked(before + now, total)
        checkpoints += one.checkpoints
        damages += one.damages
        before += entries
    return LakeReport(found, checkpoints, tuple(damages[:KEPT]), len(damages))


class _OneStore:
    """Check what a lake has of one store."""

    def __init__(self, lake: Lake, store: str, entries: int) -> None:
        self._lake = lake
        self._store = store
        self._rows = StoreRows(lake, store)
        self._entries = entries
        self._unknown: int | None = None
        """The first entry that is not known, so that no root after it can be computed."""
        self.damages: list[LakeDamage] = []
        self.checkpoints = 0

    def check(self, pins: Sequence[VerifierKey]) -> Iterator[int]:
        """Check everything; yield the number of entries that are done."""
        roots = self._checkpoints(pins)
        readings = self._rows.all("v_readings")
        superseded = {row["supersedes"] for row in readings}
        again = superseded | {row["entry_index"] for row in readings}
        read_again: dict[int, bytes] = {}
        last_job = 0
        tree = Tree()
        for low in range(0, self._entries, ENTRIES_AT_ONCE):
            high = min(low + ENTRIES_AT_ONCE, self._entries)
            rows = RangeRows(self._rows, low, high)
            entries = self._ledger(low, high, rows, tree, roots)
            self._documents(rows.documents, entries)
            self._rejections(low, high, entries)
            compared = ComparedRows(self._rows, rows, self._say)
            last_job = max(last_job, compared.check(entries, superseded))
            for index in entries.keys() & again:
                read_again[index] = entries[index].document
            del rows, entries, compared  # before the next ones are read
            yield high
        self._readings(readings, read_again)
        for name, detail in strays.beyond(self._lake, self._store, self._entries):
            self._say(name, "", None, detail)
        for name, key, detail in strays.unseen_versions(self._lake, self._store, last_job):
            self._say(name, "job_key", key, detail)
        for size in roots:
            self._say("checkpoints", "tree_size", size, f"a tree of {size:,} entries is not there")

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

    def _ledger(
        self, low: int, high: int, rows: RangeRows, tree: Tree, roots: dict[int, bytes]
    ) -> dict[int, Entry]:
        """Check leaves, and the root at every checkpoint; return the entries that are sound."""
        indexes = [row["entry_index"] for row in rows.entries]
        if indexes != list(range(low, high)):
            there = Counter(indexes)
            for index in range(low, high):
                if there[index] != 1:
                    what = "is not there" if not there[index] else "is there twice"
                    self._say("entries", "entry_index", index, f"entry {index} {what}")
            self._unknown = low if self._unknown is None else self._unknown
        entries: dict[int, Entry] = {}
        for row in rows.entries:
            index = row["entry_index"]
            entry, leaf = self._entry(row, rows)
            if entry is not None:
                entries[index] = entry
                self._agrees(row, entry, leaf)
            elif self._unknown is None:
                self._unknown = index
            tree.extend([leaf])
            root = roots.pop(tree.size, None)
            if root is not None and root != tree.root():
                detail = f"the entries up to {index} do not give the root of their checkpoint"
                if self._unknown is not None:
                    detail += f": entry {self._unknown} is not known"
                self._say("entries", "entry_index", index, detail)
        return entries

    def _entry(self, row: LakeRow, rows: RangeRows) -> tuple[Entry | None, bytes]:
        """Return an entry and the hash of its leaf; None if it is not known."""
        index, content = row["entry_index"], row["entry"]
        if content is not None:
            try:
                return decode_entry(content), leaf_hash(content)
            except LedgerError as error:
                self._say("entries", "entry_index", index, f"entry {index}: {error}")
                return None, leaf_hash(content)
        entry = rows.rebuilt(row)
        written = b"" if entry is None else encode_entry(entry)
        if entry is not None and _prefix(leaf_hash(written)) == row["leaf_prefix"]:
            return entry, leaf_hash(written)
        for content in rows.read_again(index) if len(self.damages) < KEPT else ():
            if _prefix(leaf_hash(content)) == row["leaf_prefix"]:
                return decode_entry(content), leaf_hash(content)
            if content == written:
                detail = f"entry {index}: where it was seen, or the prefix of its leaf, was changed"
                self._say("v_observations", "entry_index", index, detail)
                return entry, leaf_hash(written)
        detail = f"the rows of entry {index} do not give its leaf, nor does its document"
        self._say("v_observations", "entry_index", index, detail)
        return None, leaf_hash(written)

    def _agrees(self, row: LakeRow, entry: Entry, leaf: bytes) -> None:
        """Check what the row of an entry says beside its bytes."""
        kind, said = "rejected", _NOTHING
        if isinstance(entry, AcceptedEntry):
            kind, said = "accepted", (entry.type, entry.priority, entry.count)
        written = row["kind"], (row["type"], row["priority"], row["count"]), row["leaf_prefix"]
        if written != (kind, said, _prefix(leaf)):
            index = row["entry_index"]
            self._say("entries", "entry_index", index, f"entry {index} is not that of its leaf")

    def _documents(self, rows: list[LakeRow], entries: dict[int, Entry]) -> None:
        seen = set()
        for row in rows:
            index, digest = row["entry_index"], sha256(row["content"]).digest()
            entry = entries.get(index)
            if entry is None:
                seen.add(index)
                continue
            kept = entry.kept if isinstance(entry, RejectedEntry) else None
            size = len(row["content"]) if row["size"] is None else row["size"]
            sound = (
                digest == (kept or entry.document)
                and (row["sha256"] or digest) == entry.document
                and (kept is not None or size == len(row["content"]))
            )
            if not sound or index in seen:
                detail = f"the bytes of entry {index} are not those of the entry"
                self._say("documents", "entry_index", index, detail)
            seen.add(index)
        for index in sorted(entries.keys() - seen):
            self._say("documents", "", None, f"the bytes of entry {index} are not there")

    def _readings(self, rows: list[dict[str, Any]], documents: dict[int, bytes]) -> None:
        """Check that each reading is of the bytes of the entry whose place it takes."""
        seen = set()
        for row in rows:
            index = row["entry_index"]
            now, before = documents.get(index, b""), documents.get(row["supersedes"])
            if now != before or now.hex() != row["document_sha256"] or index in seen:
                detail = f"entry {index} is no reading of the document of {row['supersedes']}"
                self._say("v_readings", "entry_index", index, detail)
            seen.add(index)

    def _rejections(self, low: int, high: int, entries: dict[int, Entry]) -> None:
        rejected = {i: e for i, e in entries.items() if isinstance(e, RejectedEntry)}
        for row in self._rows.between("v_rejections", "rejection_id", low, high):
            number = row["rejection_id"]
            entry = rejected.pop(number, None)
            wrong = rejection_problem(row, entry) if entry else "it is none, or there twice"
            if wrong:
                self._say("v_rejections", "rejection_id", number, f"rejection {number}: {wrong}")
        for number in sorted(rejected):
            self._say("v_rejections", "", None, f"rejection {number} is not there")

    # Telling

    def _say(self, table: str, column: str, value: int | None, detail: str) -> None:
        """Name the file and the first row in it, where only few damages are told."""
        file = ""
        if len(self.damages) < KEPT and value is not None:
            file = self._rows.place(table, column, value)
        self.damages.append(LakeDamage(self._store, table, file, detail))


def _prefix(leaf: bytes) -> int:
    return int.from_bytes(leaf[:LEAF_PREFIX_BYTES], "big")
