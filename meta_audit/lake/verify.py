"""Check a lake against the signed checkpoints that it holds, from its Parquet rows alone.

1. Each entry has its leaf hash, and the leaves give the root of every checkpoint.
2. The checkpoints are signed, under the keys that are given or else those that the lake names.
3. The kept bytes have the hashes of their entries.
4. The rows of every table are those that the entries stand for, and there are no others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meta_audit.errors import LedgerError
from meta_audit.lake import expected, strays
from meta_audit.lake.agreement import ToldByEntries, problem, rank, rejection_problem, says
from meta_audit.lake.catalog import stores
from meta_audit.lake.tables import STORE
from meta_audit.ledger.checkpoint import Checkpoint, open_checkpoint
from meta_audit.ledger.entry import AcceptedEntry, RejectedEntry, decode_entry
from meta_audit.ledger.merkle import Tree, leaf_hash
from meta_audit.ledger.note import Note, VerifierKey
from meta_audit.model import ORIGIN_RANK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meta_audit.lake.catalog import Lake
    from meta_audit.lake.expected import Rows
    from meta_audit.ledger.entry import Entry

ENTRIES_AT_ONCE: Final = 50_000
KEPT: Final = 100
"""Most damages that are told."""
Groups = dict[tuple[int, int], list[tuple[object, ...]]]


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
        self._entries = entries
        self.damages: list[LakeDamage] = []
        self.checkpoints = 0

    def check(self, pins: Sequence[VerifierKey]) -> Iterator[int]:
        """Check everything; yield the number of entries that are done."""
        roots = self._checkpoints(pins)
        readings = self._rows("v_readings", ())
        superseded = {row["supersedes"] for row in readings}
        again = superseded | {row["entry_index"] for row in readings}
        read_again: dict[int, bytes] = {}
        last_job = 0
        tree = Tree()
        for low in range(0, self._entries, ENTRIES_AT_ONCE):
            high = min(low + ENTRIES_AT_ONCE, self._entries)
            entries = self._ledger(low, high, tree, roots)
            self._documents(low, high, entries)
            self._rejections(low, high, entries)
            last_job = max(last_job, self._derived(low, high, entries, superseded))
            for index in entries.keys() & again:
                read_again[index] = entries[index].document
            yield high
        self._readings(readings, read_again)
        for name, detail in strays.beyond(self._lake, self._store, self._entries):
            self.damages.append(LakeDamage(self._store, name, "", detail))
        for name, key, detail in strays.unseen_versions(self._lake, self._store, last_job):
            self._say(name, "job_key", key, detail)
        for size in roots:
            self._say("checkpoints", "tree_size", size, f"a tree of {size:,} entries is not there")

    def _checkpoints(self, pins: Sequence[VerifierKey]) -> dict[int, bytes]:
        roots: dict[int, bytes] = {}
        rows = sorted(self._rows("checkpoints", ()), key=lambda row: row["checkpoint_id"])
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

    def _ledger(self, low: int, high: int, tree: Tree, roots: dict[int, bytes]) -> dict[int, Entry]:
        """Check leaves, and the root at every checkpoint; return the entries that are sound."""
        rows = self._rows("entries", (("entry_index", low, high),))
        rows.sort(key=lambda row: row["entry_index"])
        indexes = [row["entry_index"] for row in rows]
        if indexes != list(range(low, high)):
            there = Counter(indexes)
            for index in range(low, high):
                if there[index] != 1:
                    what = "is not there" if not there[index] else "is there twice"
                    self._say("entries", "entry_index", index, f"entry {index} {what}")
            return {}
        entries: dict[int, Entry] = {}
        for row in rows:
            index, leaf = row["entry_index"], leaf_hash(row["entry"])
            try:
                entries[index] = decode_entry(row["entry"])
            except LedgerError as error:
                self._say("entries", "entry_index", index, f"entry {index}: {error}")
            kind = "accepted" if isinstance(entries.get(index), AcceptedEntry) else "rejected"
            if leaf != row["leaf_hash"] or kind != row["kind"]:
                self._say("entries", "entry_index", index, f"entry {index} is not that of its leaf")
            tree.extend([leaf])
            root = roots.pop(tree.size, None)
            if root is not None and root != tree.root():
                detail = f"the entries up to {index} do not give the root of their checkpoint"
                self._say("entries", "entry_index", index, detail)
        return entries

    def _documents(self, low: int, high: int, entries: dict[int, Entry]) -> None:
        seen = set()
        for row in self._rows("documents", (("entry_index", low, high),)):
            index, digest = row["entry_index"], sha256(row["content"]).digest()
            entry = entries.get(index)
            if entry is None:
                continue
            kept = entry.kept if isinstance(entry, RejectedEntry) else None
            is_whole = kept is None
            sound = (
                digest == (kept or entry.document)
                and row["sha256"] == entry.document
                and (not is_whole or row["size"] == len(row["content"]))
            )
            if not sound or index in seen:
                detail = f"the bytes of entry {index} are not those of the entry"
                self._say("documents", "entry_index", index, detail)
            seen.add(index)
        for index in sorted(entries.keys() - seen):
            detail = f"the bytes of entry {index} are not there"
            self.damages.append(LakeDamage(self._store, "documents", "", detail))

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
        for row in self._rows("v_rejections", (("rejection_id", low, high),)):
            number = row["rejection_id"]
            entry = rejected.pop(number, None)
            wrong = rejection_problem(row, entry) if entry else "it is none, or there twice"
            if wrong:
                self._say("v_rejections", "rejection_id", number, f"rejection {number}: {wrong}")
        for number in sorted(rejected):
            detail = f"rejection {number} is not there"
            self.damages.append(LakeDamage(self._store, "v_rejections", "", detail))

    def _derived(self, low: int, high: int, entries: dict[int, Entry], superseded: set[int]) -> int:
        """Compare the rows of all tables with the entries of a range; return the last job."""
        accepted = {i: e for i, e in entries.items() if isinstance(e, AcceptedEntry)}
        in_range = (("entry_index", low, high),)
        observed: dict[int, tuple[int, int]] = {}
        names: dict[int, tuple[str, str]] = {}
        for row in self._rows("v_observations", in_range):
            entry = accepted.get(row["entry_index"])
            job = row["job_id"], row["namespace"]
            if entry is None or job != (entry.job_id, entry.namespace):
                index = row["entry_index"]
                self._say("v_observations", "entry_index", index, f"entry {index} says otherwise")
            named = names.setdefault(row["job_key"], job)
            if named != job:
                detail = f"entry {row['entry_index']}: jobs {job[0]} and {named[0]} have one number"
                self._say("v_observations", "entry_index", row["entry_index"], detail)
            observed[row["entry_index"]] = row["job_key"], row["version_no"]
            self._fit("v_observations", row, ToldByEntries(accepted, {}, {}))
        for index in sorted(accepted.keys() - observed.keys() - superseded):
            detail = f"the observation of entry {index} is not there"
            self.damages.append(LakeDamage(self._store, "v_observations", "", detail))
        known = ToldByEntries(accepted, observed, names)
        for table, columns in expected.OF_DOCUMENTS.items():
            found = self._grouped(table, columns, ("entry_index",), in_range, known)
            for index, entry in accepted.items():
                rows = found.pop((index, 0), [])
                if index in superseded and not rows:
                    continue
                wanted = expected.of_document(table, entry)
                if expected.has_number(entry):
                    wanted = expected.without_named_states(table, wanted)
                    rows = expected.without_named_states(table, rows)
                if not _same(wanted, rows):
                    detail = f"entry {index}: {_difference(wanted, rows)}"
                    self._say(table, "entry_index", index, detail)
            for index, _ in found:
                self._say(table, "entry_index", index, f"rows of entry {index}, which has none")
        self._versions(known)
        self._newest(known, in_range)
        return max(names, default=0)

    def _versions(self, known: ToldByEntries) -> None:
        shown, (accepted, observed, _) = {}, known
        for index, place in observed.items():
            if place[1] and index in accepted:
                shown[place] = accepted[index]
        if not shown:
            return
        keys = [key for key, _ in shown]
        in_range = (("job_key", min(keys), max(keys) + 1),)
        for table, columns in expected.OF_VERSIONS.items():
            found = self._grouped(table, columns, ("job_key", "version_no"), in_range, known)
            for (key, number), entry in shown.items():
                rows = found.get((key, number), [])
                wanted = expected.of_version(table, entry)
                if not rows and table == "v_versions":
                    detail = f"job {entry.job_id}: version {number} is not there"
                    self._say("v_observations", "job_key", key, detail)
                if not _same(wanted, rows):
                    what = f"job {entry.job_id}, version {number}"
                    self._say(table, "job_key", key, f"{what}: {_difference(wanted, rows)}")

    def _newest(self, known: ToldByEntries, in_range: tuple[tuple[str, int, int], ...]) -> None:
        """Check that `v_jobs` says what its entries say, and that none of them is newer."""
        accepted, observed, _ = known
        of_range = self._rows("v_jobs", in_range)
        for row in of_range:
            entry = accepted.get(row["entry_index"])
            if entry is None or not says(entry, row):
                detail = f"job {row['job_id']}: entry {row['entry_index']} says otherwise"
                self._say("v_jobs", "job_key", row["job_key"], detail)
            self._fit("v_jobs", row, known)
        keys = [key for key, _ in observed.values()]
        if not keys:
            return
        of_jobs = (("job_key", min(keys), max(keys) + 1),)
        rows = self._rows("v_jobs", of_jobs)
        ranks = {row["job_key"]: rank(row) for row in rows}
        if len(ranks) < len(rows):
            key = Counter(row["job_key"] for row in rows).most_common(1)[0][0]
            self._say("v_jobs", "job_key", key, "a job has two rows")
        for index, (key, number) in observed.items():
            entry = accepted.get(index)
            if entry is not None and number and entry.namespace and key not in ranks:
                detail = f"job {entry.job_id} has no row"
                self.damages.append(LakeDamage(self._store, "v_jobs", "", detail))
            elif entry is not None and number and key in ranks:
                place = ORIGIN_RANK[entry.origin], entry.version, entry.modified_at or 0
                if (*place, entry.revision) > ranks[key]:
                    detail = f"job {entry.job_id}: entry {index} is newer"
                    self._say("v_jobs", "job_key", key, detail)

    # Reading

    def _rows(self, table: str, ranges: Sequence[tuple[str, int, int]]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._scan(table, ranges).to_arrow().to_pylist()
        return rows

    def _scan(self, table: str, ranges: Sequence[tuple[str, int, int]]) -> Any:
        from pyiceberg import expressions  # noqa: PLC0415 - an extra

        build: Any = expressions
        wanted = build.EqualTo(STORE, self._store)
        for column, low, high in ranges:
            within = build.GreaterThanOrEqual(column, low), build.LessThan(column, high)
            wanted = build.And(wanted, *within)
        return self._lake.table(table).scan(row_filter=wanted)

    def _grouped(
        self,
        table: str,
        columns: Sequence[str],
        keys: Sequence[str],
        ranges: Sequence[tuple[str, int, int]],
        known: ToldByEntries,
    ) -> Groups:
        found: Groups = defaultdict(list)
        for row in self._rows(table, ranges):
            self._fit(table, row, known)
            key = (row[keys[0]], row[keys[1]] if len(keys) > 1 else 0)
            found[key].append(tuple([row[name] for name in columns]))
        return found

    # Telling

    def _fit(self, table: str, row: dict[str, Any], known: ToldByEntries) -> None:
        """Name a row with a column that does not follow from the others."""
        wrong = problem(table, row, known)
        if wrong:
            column = "entry_index" if "entry_index" in row else "job_key"
            self._say(table, column, row[column], wrong)

    def _say(self, table: str, column: str, value: int | None, detail: str) -> None:
        """Name the file and the first row in it, where only few damages are told."""
        file = ""
        if len(self.damages) < KEPT and value is not None:
            file = self._place(table, column, value)
        self.damages.append(LakeDamage(self._store, table, file, detail))

    def _place(self, table: str, column: str, value: int) -> str:
        import pyarrow.compute as pc  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415

        files = self._lake.table(table).io
        for task in self._scan(table, ((column, value, value + 1),)).plan_files():
            path = task.file.file_path
            with files.new_input(path).open() as opened:
                values = parquet.read_table(opened, columns=[column]).column(column)
            row = pc.index(values, value).as_py()
            if row >= 0:
                return f"{path}, row {row}"
        return ""


def _difference(wanted: Rows, rows: Rows) -> str:
    missing = [row for row in wanted if row not in rows]
    added = [row for row in rows if row not in wanted]
    return f"{missing[0]} is missing" if missing else f"{(added or rows)[0]} was not signed"


def _same(wanted: Rows, rows: Rows) -> bool:
    return wanted == rows or sorted(wanted, key=repr) == sorted(rows, key=repr)
