"""Rebuild the entries of the ledger from the rows of a lake.

An entry stands in `entries` only if other tables do not say what it says. Where they do, its bytes
are written from their rows; where those were changed, from the document that is kept.
"""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from meta_audit.lake.expected import OF_DOCUMENTS, OF_VERSIONS
from meta_audit.lake.store_rows import grouped
from meta_audit.ledger.entry import HASH, accepted_entry, entry_of
from meta_audit.model import Use
from meta_audit.parse.readings import readings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meta_audit.lake.store_rows import Groups, LakeRow, StoreRows
    from meta_audit.ledger.entry import AcceptedEntry


class RangeRows:
    """Hold the rows of all tables that belong to a range of entries."""

    def __init__(self, store: StoreRows, low: int, high: int) -> None:
        self._store, self._low, self._high = store, low, high
        self.entries = store.between("entries", "entry_index", low, high)
        self.entries.sort(key=lambda row: row["entry_index"])
        self.of_documents = {
            table: store.between(table, "entry_index", low, high) for table in OF_DOCUMENTS
        }
        self.observed: dict[int, LakeRow] = {}
        for row in self.of_documents["v_observations"]:
            self.observed.setdefault(row["entry_index"], row)
        keys = {row["job_key"] for row in self.observed.values() if row["version_no"]} - {None}
        self.of_versions = {table: store.among(table, "job_key", keys) for table in OF_VERSIONS}

    @cached_property
    def newest(self) -> list[LakeRow]:
        """The rows of `v_jobs` that are of documents of the range."""
        return self._store.between("v_jobs", "entry_index", self._low, self._high)

    @cached_property
    def documents(self) -> list[LakeRow]:
        """The kept bytes of each entry."""
        return self._store.between("documents", "entry_index", self._low, self._high)

    @cached_property
    def _contents(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for row in self.documents:
            found.setdefault(row["entry_index"], row["content"])
        return found

    @cached_property
    def documents_grouped(self) -> dict[str, Groups]:
        """The rows of documents, by entry."""
        return {
            table: grouped(self.of_documents[table], names, ("entry_index",))
            for table, names in OF_DOCUMENTS.items()
        }

    @cached_property
    def versions_grouped(self) -> dict[str, Groups]:
        """The rows of versions, by job and version."""
        return {
            table: grouped(self.of_versions[table], names, ("job_key", "version_no"))
            for table, names in OF_VERSIONS.items()
        }

    def rebuilt(self, row: LakeRow) -> AcceptedEntry | None:
        """Return the entry that other tables give for a row of `entries`, if they give one."""
        seen = self.observed.get(row["entry_index"])
        if seen is None:
            return None
        try:
            return self._rebuilt(row, seen)
        except (TypeError, ValueError, IndexError):  # of rows that somebody changed
            return None

    def _rebuilt(self, row: LakeRow, seen: LakeRow) -> AcceptedEntry:
        index = row["entry_index"]
        told = {table: rows.get((index, 0), []) for table, rows in self.documents_grouped.items()}
        place = seen["job_key"], seen["version_no"]
        version: dict[str, Sequence[Any]] = {
            table: rows.get(place, []) if place[1] else []
            for table, rows in self.versions_grouped.items()
        }
        name, number, origin, layout, created, spec = (
            version["v_versions"][0] if place[1] else ("", 0, "activity", "", None, "")
        )
        meta: dict[int, list[Any]] = {}
        for _, task_no, _, key, value in version["v_meta"]:
            meta.setdefault(task_no, []).append((key, value))
        return entry_of(
            HASH,
            bytes.fromhex(seen["document_sha256"]),
            seen["source"],
            seen["ordinal"],
            seen["line"],
            seen["job_id"],
            seen["namespace"],
            origin,
            layout,
            bytes.fromhex(spec),
            name,
            row["type"],
            row["priority"],
            row["count"],
            number,
            created,
            sorted(meta.get(0, [])),
            sorted(version["v_labels"]),
            [
                (*texts, sorted(meta.get(task_no, [])))
                for task_no, *texts in sorted(version["v_tasks"])
            ],
            sorted(version["v_attributions"]),
            seen["state"],
            seen["state_message"],
            seen["revision"],
            seen["modified_ns"],
            told["v_executions"],
            told["v_events"],
            [(code, detail) for code, _, detail in told["v_findings"]],
            uses=[Use(*use) for use in told["v_uses"]],
        )

    def read_again(self, index: int) -> Iterator[bytes]:
        """Yield the entries that the kept document gives, one per way to read it."""
        seen = self.observed.get(index)
        content = self._contents.get(index)
        if content is None or seen is None:
            return
        where = seen["source"], seen["ordinal"], seen["line"]
        for record in readings(content):
            yield accepted_entry(sha256(content).digest(), record, *where)
            if record.uses:  # as it was read before uses were
                older = replace(record, uses=())
                yield accepted_entry(sha256(content).digest(), older, *where)
