"""Check a range of the entries of one store in a lake, from the rows of its files alone."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from meta_audit.collector import without_collector
from meta_audit.errors import LedgerError
from meta_audit.lake.agreement import rejection_problem
from meta_audit.lake.catalog import Lake
from meta_audit.lake.compared import ComparedRows
from meta_audit.lake.damages import LakeDamages
from meta_audit.lake.rebuilt import RangeRows
from meta_audit.lake.store_rows import StoreRows
from meta_audit.lake.tables import LEAF_PREFIX_BYTES
from meta_audit.ledger.entry import AcceptedEntry, RejectedEntry, decode_entry, encode_entry
from meta_audit.ledger.merkle import leaf_hash

if TYPE_CHECKING:
    from meta_audit.lake.damages import LakeDamage
    from meta_audit.lake.store_rows import LakeRow
    from meta_audit.ledger.entry import Entry

_NOTHING: Final[tuple[object, ...]] = (None, None, None)


class EntryRange(NamedTuple):
    """Name entries of a store in a lake, from `low` to below `high`. Any process can check them."""

    location: str
    catalog: str | None
    store: str
    low: int
    high: int
    most_damages: int


class RangeResult(NamedTuple):
    """Tell what a range has shown."""

    high: int
    leaves: bytes
    """Hashes of the leaves, 32 bytes each."""
    unknown: int | None
    """The first entry that is not known, so that no root after it can be computed."""
    last_job: int
    read_again: dict[int, bytes]
    """Hashes of the documents of entries that are readings, or have one."""
    damages: tuple[LakeDamage, ...]
    damage_count: int


def check_range(asked: EntryRange) -> RangeResult:
    """Check a range, in whatever process or on whatever machine. Raises `StoreError`."""
    lake = Lake(asked.location, asked.catalog, make=False)
    return RangeCheck(StoreRows(lake, asked.store), asked).run()


class RangeCheck:
    """Check one range of the entries of a store."""

    def __init__(self, rows: StoreRows, asked: EntryRange) -> None:
        self._rows = rows
        self._range = asked
        self._damages = LakeDamages(rows, asked.store, asked.most_damages)
        self._say = self._damages.say
        self._unknown: int | None = None

    def run(self) -> RangeResult:
        """Check entries, kept bytes, rejections, and the rows of all tables."""
        with without_collector():
            return self._run()

    def _run(self) -> RangeResult:
        low, high = self._range.low, self._range.high
        superseded = {
            row["supersedes"] for row in self._rows.between("v_readings", "supersedes", low, high)
        }
        again = superseded | {
            row["entry_index"] for row in self._rows.between("v_readings", "entry_index", low, high)
        }
        rows = RangeRows(self._rows, low, high)
        leaves: list[bytes] = []
        entries = self._ledger(rows, leaves)
        self._documents(rows.documents, entries)
        self._rejections(entries)
        last_job = ComparedRows(self._rows, rows, self._say).check(entries, superseded)
        return RangeResult(
            high,
            b"".join(leaves),
            self._unknown,
            last_job,
            {index: entries[index].document for index in entries.keys() & again},
            tuple(self._damages.kept),
            self._damages.count,
        )

    def _ledger(self, rows: RangeRows, leaves: list[bytes]) -> dict[int, Entry]:
        """Check the entries and add their leaves; return those that are sound."""
        low, high = self._range.low, self._range.high
        indexes = [row["entry_index"] for row in rows.entries]
        if indexes != list(range(low, high)):
            there = Counter(indexes)
            for index in range(low, high):
                if there[index] != 1:
                    what = "is not there" if not there[index] else "is there twice"
                    self._say("entries", "entry_index", index, f"entry {index} {what}")
            self._unknown = low
        entries: dict[int, Entry] = {}
        for row in rows.entries:
            index = row["entry_index"]
            entry, leaf = self._entry(row, rows)
            if entry is not None:
                entries[index] = entry
                self._agrees(row, entry, leaf)
            elif self._unknown is None:
                self._unknown = index
            leaves.append(leaf)
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
        for content in rows.read_again(index) if self._damages.has_room else ():
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

    def _rejections(self, entries: dict[int, Entry]) -> None:
        rejected = {i: e for i, e in entries.items() if isinstance(e, RejectedEntry)}
        for row in self._rows.between(
            "v_rejections", "rejection_id", self._range.low, self._range.high
        ):
            number = row["rejection_id"]
            entry = rejected.pop(number, None)
            wrong = rejection_problem(row, entry) if entry else "it is none, or there twice"
            if wrong:
                self._say("v_rejections", "rejection_id", number, f"rejection {number}: {wrong}")
        for number in sorted(rejected):
            self._say("v_rejections", "", None, f"rejection {number} is not there")


def _prefix(leaf: bytes) -> int:
    return int.from_bytes(leaf[:LEAF_PREFIX_BYTES], "big")
