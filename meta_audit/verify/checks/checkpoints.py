"""Check the store's checkpoints: form, order, signatures, roots, and the rows about runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meta_audit.errors import LedgerError
from meta_audit.ledger.checkpoint import Checkpoint, open_checkpoint
from meta_audit.ledger.custody import Custody, Extent
from meta_audit.ledger.note import Note, VerifierKey
from meta_audit.schema.signed_rows import custody
from meta_audit.schema.signed_rows import extent as read_extent
from meta_audit.verify.guard import UNREADABLE, guarded, octets, said
from meta_audit.verify.outcome import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meta_audit.store.session import Session
    from meta_audit.verify.checks.leaves import Heads
    from meta_audit.verify.outcome import Damages

_CHECKPOINTS: Final = """
    SELECT checkpoint_id, import_id, tree_size, frontier, note FROM checkpoints
    ORDER BY checkpoint_id"""
_KEYS: Final = "SELECT key_no, verifier, import_id FROM ledger_keys ORDER BY key_no"
_NUMBERED: Final = {
    "imports": "import_id",
    "sources": "source_id",
    "source_results": "result_no",
    "compression_dictionaries": "dictionary_id",
    "terms": "term_id",
    "meta_keys": "key_id",
    "meta_pairs": "pair_id",
    "identities": "identity_id",
    "attribution_rules": "rule_id",
    "attribution_sets": "set_id",
    "uses": "use_id",
    "use_sets": "set_id",
    "jobs": "job_key",
    "ledger_keys": "key_no",
    "rejection_dismissals": "dismissal_no",
    "identity_aliases": "alias_no",
    "questions": "question_no",
}
_ENDED: Final = "IN (SELECT import_id FROM import_results)"
_UNSIGNED: Final = (
    (
        "import results",
        "SELECT import_id FROM import_results"
        " WHERE import_id NOT IN (SELECT import_id FROM checkpoints)",
        None,
    ),
    (
        "sources",
        f"SELECT source_id FROM sources WHERE source_id > ? AND (import_id {_ENDED}"  # noqa: S608
        " OR import_id NOT IN (SELECT import_id FROM imports))",
        "sources",
    ),
    (
        "results of sources",
        "SELECT r.result_no FROM source_results r"  # noqa: S608
        " LEFT JOIN sources s ON s.source_id = r.source_id"
        f" WHERE r.result_no > ? AND (s.import_id IS NULL OR s.import_id {_ENDED})",
        "results",
    ),
    (
        "dismissals",
        f"SELECT dismissal_no FROM rejection_dismissals WHERE dismissal_no > ? AND (import_id {_ENDED}"  # noqa: S608, E501
        " OR import_id NOT IN (SELECT import_id FROM imports))",
        "dismissals",
    ),
    (
        "aliases",
        f"SELECT alias_no FROM identity_aliases WHERE alias_no > ? AND (import_id {_ENDED}"  # noqa: S608
        " OR import_id NOT IN (SELECT import_id FROM imports))",
        "aliases",
    ),
    (
        "entries",
        "SELECT e.entry_index FROM ledger_entries e"  # noqa: S608
        " LEFT JOIN sources s ON s.source_id = e.source_id"
        f" WHERE e.entry_index >= ? AND (s.import_id IS NULL OR s.import_id {_ENDED})",
        "entries",
    ),
)
"""Rows of an ended import must be signed: name, unsigned rows, field of the limit."""


class Kept(NamedTuple):
    """Hold one checkpoint of the store."""

    number: int
    import_id: int
    frontier: bytes
    checkpoint: Checkpoint
    custody: Custody
    text: str
    """The signed text."""


class Checkpoints:
    """Read the checkpoints of the store and check their form."""

    def __init__(self, session: Session, damages: Damages) -> None:
        self._session = session
        self._damages = damages
        self.kept: list[Kept] = []
        self.signers: dict[VerifierKey, int] = {}
        """Keys that signed, in order, with the import of the first checkpoint of each."""
        self._notes: dict[int, str] = {}
        with guarded(session, damages, Check.CHECKPOINTS, "checkpoints"):
            for row in session.query(_CHECKPOINTS):
                self._read(row)

    @property
    def sizes(self) -> list[int]:
        """Return the size of the tree at each."""
        return [kept.checkpoint.size for kept in self.kept]

    @property
    def notes(self) -> Iterable[str]:
        """Return the signed note of each."""
        return self._notes.values()

    def _read(self, row: tuple[Any, ...]) -> None:
        number, import_id, size, frontier, note = row
        try:
            text = Note.parse(note).text
            checkpoint = Checkpoint.parse(text)
            line = Custody.parse(checkpoint.extensions)
            roots = octets(frontier)
        except UNREADABLE as error:
            self._damages.add(Check.CHECKPOINTS, "edited", f"checkpoint {number}: {said(error)}")
            return
        self._notes[number] = note
        before = self.kept[-1] if self.kept else None
        kept = Kept(number, import_id, roots, checkpoint, line, text)
        self.kept.append(kept)
        if (size, import_id) != (checkpoint.size, line.import_id):
            self._say("edited", number, "its row has another size or import than its note")
        if number != (before.number if before else 0) + 1:
            self._say("missing", number, "the checkpoint before it is not there")
        if before and (
            checkpoint.origin != before.checkpoint.origin
            or checkpoint.size < before.checkpoint.size
            or not _goes_on(before.custody.extent, line.extent)
        ):
            self._say("reordered", number, "it does not go on from the checkpoint before")

    def _say(self, kind: Any, number: int, detail: str) -> None:
        self._damages.add(Check.CHECKPOINTS, kind, f"checkpoint {number}: {detail}")

    def check_signatures(self, pins: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Verify every signature, under `pins` if given, else under the keys that the store names.

        Return those keys. Check also that the store names each key that signed, and no other.
        """
        stored: list[tuple[int, VerifierKey, int]] = []
        rows: list[tuple[Any, ...]] = []
        with guarded(self._session, self._damages, Check.SIGNATURES, "ledger_keys"):
            rows = self._session.query(_KEYS)
        for key_no, verifier, import_id in rows:
            try:
                stored.append((key_no, VerifierKey.parse(verifier), import_id))
            except UNREADABLE as error:
                detail = f"ledger_keys {key_no}: {said(error)}"
                self._damages.add(Check.SIGNATURES, "edited", detail)
        keys = tuple(pins) or tuple(key for _, key, _ in stored)
        for kept in self.kept:
            try:
                _, signers = open_checkpoint(self._notes[kept.number], keys)
            except LedgerError as error:
                detail = f"checkpoint {kept.number}: {error}"
                self._damages.add(Check.SIGNATURES, "signature", detail)
                continue
            for key in signers:
                self.signers.setdefault(key, kept.custody.import_id)
        for key_no, key, import_id in stored:
            if (pins and key not in pins) or self.signers.get(key) == import_id:
                continue
            detail = f"ledger_keys {key_no}: its first checkpoint is not that of import {import_id}"
            self._damages.add(Check.SIGNATURES, "added", detail)
        for key in self.signers.keys() - {key for _, key, _ in stored}:
            detail = f"the store does not name the key {key}, which signed"
            self._damages.add(Check.SIGNATURES, "missing", detail)
        return keys

    def check_roots(self, heads: Heads, since: int) -> None:
        """Compare roots and frontiers with those of the leaves (all of one list: consistent)."""
        for kept in self.kept:
            size = kept.checkpoint.size
            if size < since:
                continue
            head = heads.at.get(size)
            if head is None:
                detail = f"checkpoint {kept.number}: it covers {size} entries, there are fewer"
                self._damages.add(Check.ROOTS, "missing", detail)
            elif head.root != kept.checkpoint.root:
                detail = f"checkpoint {kept.number}: the leaves have another root"
                self._damages.add(Check.ROOTS, "root", detail)
            elif head.frontier != kept.frontier:
                detail = f"checkpoint {kept.number}: its frontier is not that of the tree"
                self._damages.add(Check.ROOTS, "edited", detail)

    def check_custody(self, heads: Heads, first: int) -> None:
        """Compare the rows about runs with the custody lines, from the checkpoint `first` on."""
        before = Extent()
        sources = iter(heads.sources)
        for kept in self.kept:
            if kept.number > first:
                self._check_line(kept, before, next(sources, None))
            before = kept.custody.extent

    def _check_line(
        self, kept: Kept, before: Extent, sources: tuple[int, int, bytes] | None
    ) -> None:
        line = kept.custody
        what = f"import {line.import_id}: the rows about it, or about what was imported beside it"
        with guarded(self._session, self._damages, Check.CUSTODY, what):
            query = self._session.query
            if sources is None or line != custody(
                query, line.import_id, before, line.extent, sources
            ):
                detail = f"{what}, are not those that checkpoint {kept.number} signs"
                self._damages.add(Check.CUSTODY, "edited", detail)

    def check_unsigned(self) -> dict[str, int]:
        """Check that rows newer than the last checkpoint belong to imports that have not ended.

        Return how many rows are not signed yet, by kind.
        """
        last = self.kept[-1] if self.kept else None
        extent = last.custody.extent if last else Extent()
        size = last.checkpoint.size if last else 0
        for what, sql, field in _UNSIGNED:
            limit = size if field == "entries" else getattr(extent, field) if field else None
            for (number,) in self._session.query(
                f"{sql} LIMIT 10", *(() if limit is None else (limit,))
            ):
                detail = f"{what}: number {number} is signed by no checkpoint, but its import ended"
                entry = number if field == "entries" else None
                self._damages.add(Check.CUSTODY, "added", detail, entry=entry)
        now = read_extent(self._session.query)
        unsigned = {
            name: getattr(now, name) - getattr(extent, name) for name in Extent.__struct_fields__
        }
        sql = "SELECT coalesce(max(entry_index), -1) + 1 FROM ledger_entries"
        unsigned["entries"] = self._session.value(sql) - size
        return {name: count for name, count in unsigned.items() if count > 0}


def _goes_on(before: Extent, after: Extent) -> bool:
    return all(getattr(before, name) <= getattr(after, name) for name in Extent.__struct_fields__)


def check_numbers(session: Session, damages: Damages) -> None:
    """Check that tables numbered from 1 have no gaps."""
    for table, column in _NUMBERED.items():
        sql = f"SELECT count(*), min({column}), max({column}) FROM {table}"  # noqa: S608
        count, first, last = 0, 1, 0
        with guarded(session, damages, Check.LOOKUPS, table):
            ((count, first, last),) = session.query(sql)
        if count and (first != 1 or last != count):
            detail = f"{table}: {count} rows are numbered from {first} to {last}"
            damages.add(Check.LOOKUPS, "missing", detail)
