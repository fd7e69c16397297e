"""Cut a BoltDB file into the documents that Bacalhau keeps in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from meta_audit.cut.blocks import BATCH_RECORDS, BLOCK_BYTES, Item, Record
from meta_audit.errors import SourceError
from meta_audit.model import MAX_DOCUMENT_BYTES, Document
from meta_audit.sources.bolt.bolt_pages import MAGIC, MAGIC_AT, BoltDamageError, BoltMeta
from meta_audit.sources.bolt.job_store import find_documents, is_job_store
from meta_audit.sources.bolt.tree import BoltPair, BoltTree, ReadAt, newest_meta

NO_LINE: Final = 0
"""A database has no lines."""
_AGAIN: Final = "Stop the server, or copy the file and read the copy."


def is_bolt(head: bytes) -> bool:
    """Tell whether content that begins so is a BoltDB file."""
    return head.startswith(MAGIC, MAGIC_AT)


def holds_jobs(read: ReadAt, size: int) -> bool:
    """Tell whether a BoltDB file is a job store; one that is damaged may be."""
    try:
        tree = BoltTree(read, size)
        return is_job_store(tree) or bool(tree.damaged)
    except BoltDamageError:
        return True


def cut_bolt(read: ReadAt, size: int) -> Iterator[list[Item]]:
    """Yield the documents of a job store, in lists of about a block.

    Each is the exact value of one key. A list is yielded only while the transaction that it
    belongs to is the newest: until then no server writes to its pages.

    Raises `SourceError`: `source.format` for other databases, `source.changed`, and
    `database.broken`, at the end when only a part is damaged.
    """
    try:
        if not is_job_store(found := BoltTree(read, size)):
            _check_sound(found)
            raise SourceError(
                "source.format",
                "this is a BoltDB file, but no job store of Bacalhau",
                advice="Bacalhau's are named jobs.db, executions.db or state_boltdb.db.",
            )
        tree = BoltTree(read, size)
    except BoltDamageError as error:
        raise SourceError("database.broken", f"the BoltDB file: {error}", advice=_AGAIN) from error
    yield from _batches(tree, read, lambda: _check_newest(read, tree.meta))
    _check_sound(tree)


def _check_sound(tree: BoltTree) -> None:
    if tree.damaged:
        raise SourceError(
            "database.broken",
            f"{tree.damaged:,} pages or buckets are damaged and were left out, "
            f"first {tree.first_damage}",
            advice=_AGAIN,
        )


def _batches(tree: BoltTree, read: ReadAt, check: Callable[[], None]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size = 0
    for ordinal, pair in enumerate(find_documents(tree), 1):
        batch.append(_document(read, pair, ordinal))
        size += min(pair.size, MAX_DOCUMENT_BYTES)
        if size >= BLOCK_BYTES or len(batch) >= BATCH_RECORDS:
            check()
            yield batch
            batch, size = [], 0
    check()
    if batch:
        yield batch


def _document(read: ReadAt, pair: BoltPair, ordinal: int) -> Item:
    if pair.size <= MAX_DOCUMENT_BYTES:
        return Document(read(pair.offset, pair.size), ordinal, NO_LINE, "json")
    record = Record(ordinal, NO_LINE, "json")
    for at in range(0, pair.size, BLOCK_BYTES):
        record.add(read(pair.offset + at, min(BLOCK_BYTES, pair.size - at)))
    return record.finish()


def _check_newest(read: ReadAt, meta: BoltMeta) -> None:
    now = newest_meta(read)
    if now != meta:
        raise SourceError(
            "source.changed",
            f"a server wrote to it while it was read (transaction {meta.transaction} before, "
            f"{now.transaction if now else 'none'} after)",
            advice=_AGAIN,
        )
