"""Walk the buckets of a BoltDB file, whatever its bytes say.

Each page is used at most once, so neither time nor the sum of all values exceeds the size of the
file. What is damaged is noted and left out; its neighbours are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from meta_audit.sources.bolt.bolt_pages import (
    BUCKET_BYTES,
    ELEMENT_BYTES,
    HEADER_BYTES,
    META_END,
    PAGE_SIZES,
    BoltDamageError,
    BoltElement,
    BoltHeader,
    BoltMeta,
    read_bucket,
    read_children,
    read_elements,
    read_header,
    read_meta,
)

MAX_FILE_BYTES: Final = 1 << 40
"""Largest file: a bit for each of its pages is kept in memory."""
MAX_LEVELS: Final = 64
"""Most branch pages above a leaf: bbolt's trees have fewer than ten."""

ReadAt = Callable[[int, int], bytes]
"""Return so many bytes at an offset, or fewer at the end of the file."""


class BoltBucket(NamedTuple):
    """Locate a bucket: at a page, or within the value that names it."""

    root: int
    inline_at: int = 0
    inline_size: int = 0


class BoltPair(NamedTuple):
    """A key, and where its value stands in the file."""

    key: bytes
    is_bucket: bool
    offset: int
    size: int


class _Page(NamedTuple):
    header: BoltHeader
    at: int
    size: int


class BoltTree:
    """The buckets of a file, as of its newest complete transaction."""

    def __init__(self, read: ReadAt, size: int) -> None:
        """Take the newest meta page. Raises `BoltDamageError` when there is none."""
        self._read = read
        if size > MAX_FILE_BYTES:
            raise BoltDamageError(f"the file is larger than {MAX_FILE_BYTES} bytes")
        meta = newest_meta(read)
        if meta is None:
            raise BoltDamageError("no meta page is whole")
        if meta.high_water * meta.page_size > size:
            raise BoltDamageError("the file is cut off: it has fewer pages than it says")
        self.meta: Final = meta
        self.root: Final = BoltBucket(meta.root)
        self.damaged = 0
        """Pages and buckets that were left out."""
        self.first_damage = ""
        self._used = bytearray((meta.high_water >> 3) + 1)

    def pairs(self, bucket: BoltBucket) -> Iterator[BoltPair]:
        """Yield the pairs of a bucket in the order of the file, which is that of the keys."""
        if not bucket.root:
            try:
                yield from self._inline(bucket)
            except BoltDamageError as error:
                self.note_damage(f"the bucket at byte {bucket.inline_at}", error)
            return
        levels = [iter([bucket.root])]
        while levels:
            number = next(levels[-1], None)
            if number is None:
                levels.pop()
                continue
            try:
                page = self._page(number)
                if page.header.is_leaf:
                    pairs = self._leaf(page)
                elif len(levels) >= MAX_LEVELS:
                    raise BoltDamageError("it lies too deep")
                else:
                    levels.append(iter(read_children(self._table(page))))
                    continue
            except BoltDamageError as error:
                self.note_damage(f"page {number}", error)
                continue
            yield from pairs

    def bucket(self, pair: BoltPair) -> BoltBucket:
        """Return the bucket that a pair names."""
        try:
            root = read_bucket(self._read(pair.offset, BUCKET_BYTES)[: pair.size])
        except BoltDamageError as error:
            self.note_damage(f"the bucket at byte {pair.offset}", error)
            return BoltBucket(0, pair.offset, -1)
        return BoltBucket(root, pair.offset + BUCKET_BYTES, pair.size - BUCKET_BYTES)

    def note_damage(self, where: str, what: object) -> None:
        """Note what was left out, and why."""
        self.damaged += 1
        self.first_damage = self.first_damage or f"{where}: {what}"

    def _inline(self, bucket: BoltBucket) -> list[BoltPair]:
        if bucket.inline_size < 0:
            return []
        header = read_header(self._read(bucket.inline_at, min(HEADER_BYTES, bucket.inline_size)))
        if not header.is_leaf:
            raise BoltDamageError("it is no leaf")
        return self._leaf(_Page(header, bucket.inline_at, bucket.inline_size))

    def _page(self, number: int) -> _Page:
        """Read the head of a page, and note that it is used."""
        meta = self.meta
        if not 1 < number < meta.high_water:
            raise BoltDamageError("there is no such page")
        header = read_header(self._read(number * meta.page_size, HEADER_BYTES))
        if header.number != number:
            raise BoltDamageError(f"it says that it is page {header.number}")
        if number + header.overflow >= meta.high_water:
            raise BoltDamageError("it goes on after the last page")
        self._use(number, header.overflow)
        return _Page(header, number * meta.page_size, (1 + header.overflow) * meta.page_size)

    def _use(self, first: int, overflow: int) -> None:
        used = self._used
        for number in range(first, first + overflow + 1):
            bit = 1 << (number & 7)
            if used[number >> 3] & bit:
                raise BoltDamageError("it is used twice")
            used[number >> 3] |= bit

    def _table(self, page: _Page) -> bytes:
        size = page.header.elements * ELEMENT_BYTES
        if HEADER_BYTES + size > page.size:
            raise BoltDamageError("it says to have more elements than it has room for")
        table = self._read(page.at + HEADER_BYTES, size)
        if len(table) < size:
            raise BoltDamageError("it is cut off")
        return table

    def _leaf(self, page: _Page) -> list[BoltPair]:
        return [self._pair(page.at, e) for e in read_elements(self._table(page), page.size)]

    def _pair(self, at: int, element: BoltElement) -> BoltPair:
        key = self._read(at + element.key, element.value - element.key)
        return BoltPair(key, element.is_bucket, at + element.value, element.end - element.value)


def newest_meta(read: ReadAt) -> BoltMeta | None:
    """Return the newest of the two meta pages that was written completely."""
    first = read_meta(read(0, META_END))
    sizes = (first.page_size,) if first else PAGE_SIZES
    seconds = (read_meta(read(size, META_END)) for size in sizes)
    found = [meta for meta in (first, *seconds) if meta]
    return max(found, key=lambda meta: meta.transaction, default=None)
