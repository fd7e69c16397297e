"""Read from a store what goes into the tables of a lake."""

from __future__ import annotations

from array import array
from functools import cached_property
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from meta_audit.errors import DamagedStoreError
from meta_audit.lake.tables import LEAF_PREFIX_BYTES, columns
from meta_audit.lake.told import ToldRows
from meta_audit.ledger.entry import rejected_entry
from meta_audit.model import Rejection
from meta_audit.store.frames import Decompressor, decompress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meta_audit.lake.told import Columns
    from meta_audit.store.session import Row, Session

_TELLS: Final = """
    SELECT document_id, job_key FROM observations WHERE document_id >= ? AND document_id < ?"""
_TOLD: Final = "SELECT document_id, job_key FROM observations WHERE document_id AMONG KEYS"
_SUPERSEDED: Final = "SELECT reading_id, supersedes FROM readings"
_LEAVES: Final = """
    SELECT entry_index, leaf_hash FROM ledger_entries
    WHERE entry_index >= ? AND entry_index < ? ORDER BY entry_index"""
_REJECTIONS: Final = """
    SELECT r.rejection_id, s.uri, r.ordinal, r.line, r.reason, r.message, r.format, r.sha256,
        r.size, r.content
    FROM rejections r JOIN sources s ON s.source_id = r.source_id
    WHERE r.rejection_id >= ? AND r.rejection_id < ?"""
_DOCUMENTS: Final = """
    SELECT document_id, sha256, dictionary_id, content FROM documents
    WHERE document_id >= ? AND document_id < ?"""
_DICTIONARIES: Final = "SELECT dictionary_id, content FROM compression_dictionaries"
_CHECKPOINTS: Final = """
    SELECT c.checkpoint_id, c.tree_size, c.note, k.verifier FROM checkpoints c
    JOIN ledger_keys k ON k.key_no = (
        SELECT max(n.key_no) FROM ledger_keys n WHERE n.import_id <= c.import_id)
    WHERE c.tree_size <= ? ORDER BY c.checkpoint_id"""
_ENTRY: Final = {"v_rejections": "rejection_id", "v_readings": "entry_index"}
_NO_JOB: Final = 0


class Readout:
    """Read what a store has of its entries from `start` to below `end`, the newest checkpoint."""

    def __init__(self, session: Session, start: int, end: int) -> None:
        self._session, self._start, self._end = session, start, end
        self._readings: dict[int, int] = dict(session.query(_SUPERSEDED))
        self._superseded = frozenset(self._readings.values())
        self._held: tuple[tuple[int, int], ToldRows] | None = None

    def rows(self, view: str, low: int, high: int) -> tuple[Columns, list[int]]:
        """Return the rows of the jobs that entries tell of, and those of the jobs that had rows."""
        step = self._step(low, high)
        try:
            return step.rows(view), step.known
        except KeyError as error:
            raise _dangling(error) from error

    def numbers(self, low: int, high: int) -> Columns:
        """Return the columns of `job_numbers`: of the jobs that entries are the first to show."""
        return self._step(low, high).numbers(high)

    def entries(self, low: int, high: int) -> Columns:
        """Return the columns of `entries`."""
        found = self._step(low, high).entries(low, high)
        rejected = {row[0]: _rejected(row) for row in self._session.query(_REJECTIONS, low, high)}
        rows: list[tuple[Any, ...]] = []
        for index, leaf in self._session.query(_LEAVES, low, high):
            prefix = int.from_bytes(bytes(leaf)[:LEAF_PREFIX_BYTES], "big")
            if index in found:
                entry, content = found[index]
                said = entry.type, entry.priority, entry.count
                rows.append((index, "accepted", *said, prefix, content))
            else:
                kind = "rejected" if index in rejected else "missing"
                rows.append((index, kind, None, None, None, prefix, rejected.get(index, b"")))
        return _named("entries", rows)

    def no_longer(self, low: int, high: int) -> dict[int, bytes]:
        """Return entries below `low` that other tables give no longer, after these entries."""
        return self._step(low, high).no_longer()

    def documents(self, low: int, high: int) -> Columns:
        """Return the columns of `documents`: the kept bytes, of rejections too."""
        rows: list[tuple[Any, ...]] = []
        for number, digest, dictionary, frame in self._session.query(_DOCUMENTS, low, high):
            content = self._decompressors[dictionary].decompress(bytes(frame))
            rows.append(_document(number, content, bytes(digest), len(content)))
        for row in self._session.query(_REJECTIONS, low, high):
            content = decompress(bytes(row[9]), b"")
            rows.append(_document(row[0], content, bytes(row[7]), row[8]))
        return _named("documents", rows)

    def checkpoints(self) -> Columns:
        """Return the columns of the checkpoints, each with the key that its store names."""
        return _named("checkpoints", self._session.query(_CHECKPOINTS, self._end))

    def whole(self, view: str) -> Columns:
        """Return the columns of all rows of a view, but those of entries from `end` on."""
        listed = ", ".join(f'"{name}"' for name, _ in columns(view))
        sql = f"SELECT {listed} FROM {view}"  # noqa: S608 - own names
        if entry := _ENTRY.get(view):
            return _named(view, self._session.query(f"{sql} WHERE {entry} < ?", self._end))
        return _named(view, self._session.query(sql))

    def _step(self, low: int, high: int) -> ToldRows:
        """Return what a range of entries tells; it is held until another range is asked for."""
        if self._held is None or self._held[0] != (low, high):
            self._held = None  # it is large
            self._held = (low, high), self._told(low, high)
        return self._held[1]

    def _told(self, low: int, high: int) -> ToldRows:
        told = set(self._jobs_of_entries[low - self._start : high - self._start])
        told.update(
            self._jobs_read_again[old]
            for new, old in self._readings.items()
            if low <= new < high and old in self._jobs_read_again
        )
        told.discard(_NO_JOB)
        try:
            return ToldRows(self._session, told, self._superseded, low, self._end)
        except KeyError as error:
            raise _dangling(error) from error

    @cached_property
    def _jobs_of_entries(self) -> array[int]:
        """The job of each entry: no index leads there, so all are read at once."""
        found = array("q", bytes(8 * (self._end - self._start)))
        for index, key in self._session.stream(_TELLS, self._start, self._end):
            found[index - self._start] = key
        return found

    @cached_property
    def _jobs_read_again(self) -> dict[int, int]:
        """The job of each entry before `start` that was read again."""
        older = {old for old in self._superseded if old < self._start}
        return dict(self._session.among(_TOLD, sorted(older))) if older else {}

    @cached_property
    def _decompressors(self) -> dict[int, Decompressor]:
        listed = [(0, b""), *self._session.query(_DICTIONARIES)]
        return {number: Decompressor(bytes(content)) for number, content in listed}


def steps(low: int, high: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut a range of entries into steps."""
    for start in range(low, high, size):
        yield start, min(start + size, high)


def _named(table: str, rows: list[Row]) -> Columns:
    """Return rows as the columns of a table."""
    names = [name for name, _ in columns(table)]
    return {name: list(map(itemgetter(n), rows)) for n, name in enumerate(names)} if rows else {}


def _document(index: int, content: bytes, digest: bytes, size: int) -> tuple[Any, ...]:
    """Return a row of `documents`; what its content shows is not written twice."""
    if sha256(content).digest() == digest and len(content) == size:
        return index, None, None, content
    return index, digest, size, content


def _rejected(row: Row) -> bytes:
    _, uri, ordinal, line, reason, message, format_, digest, size, frame = row
    content = decompress(bytes(frame), b"")
    rejection = Rejection(reason, message, content, ordinal, line, size, bytes(digest), format_)
    return rejected_entry(rejection, uri)


def _dangling(error: KeyError) -> DamagedStoreError:
    return DamagedStoreError(
        f"a row of the store refers to {error}, which is not there",
        advice="`meta-audit verify` names what is damaged.",
    )
