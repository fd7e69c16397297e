"""Decode the pages of a BoltDB file. Pure: bytes in, values out.

The format is that of go.etcd.io/bbolt (`internal/common/page.go`, `meta.go`), version 2. All
numbers are little-endian.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

MAGIC: Final = b"\xed\xda\x0c\xed"
MAGIC_AT: Final = 16
META_END: Final = 80
"""Bytes of a meta page that matter: its header and its content."""
PAGE_SIZES: Final = tuple(1024 << n for n in range(7))
"""Page sizes of the systems that Go runs on, and of those that bbolt tries beside."""
HEADER_BYTES: Final = 16
ELEMENT_BYTES: Final = 16
MAX_KEY_BYTES: Final = 32_768
"""Longest key that bbolt stores."""

_META: Final = struct.Struct("<IIIIQQQQQQ")
_CHECKED: Final = slice(MAGIC_AT, 72)
_VERSION: Final = 2
_HEADER: Final = struct.Struct("<QHHI")
_LEAF: Final = struct.Struct("<IIII")
_BRANCH: Final = struct.Struct("<IIQ")
_BUCKET: Final = struct.Struct("<QQ")
_BRANCH_PAGE: Final = 1
_LEAF_PAGE: Final = 2
_IS_BUCKET: Final = 1


class BoltDamageError(Exception):
    """A page that cannot be what it should be."""


class BoltMeta(NamedTuple):
    """The state of a database after one transaction."""

    page_size: int
    root: int
    """Page of the bucket that holds all buckets."""
    high_water: int
    """Number of the first page that was never used."""
    transaction: int


class BoltHeader(NamedTuple):
    """The head of a page."""

    number: int
    is_leaf: bool
    elements: int
    overflow: int
    """Pages after this one that belong to it."""


class BoltElement(NamedTuple):
    """A key and a value in a leaf page, by their places from the start of the page."""

    is_bucket: bool
    key: int
    value: int
    end: int


def read_meta(page: bytes) -> BoltMeta | None:
    """Return what a meta page says, None when it is none or was not written completely."""
    if len(page) < META_END:
        return None
    magic, version, page_size, _, root, _, _, high_water, transaction, checksum = _META.unpack_from(
        page, MAGIC_AT
    )
    if magic != int.from_bytes(MAGIC, "little") or version != _VERSION:
        return None
    if page_size not in PAGE_SIZES or checksum != fnv64a(page[_CHECKED]):
        return None
    return BoltMeta(page_size, root, high_water, transaction)


def fnv64a(data: bytes) -> int:
    """Return the FNV-1a hash, 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def read_header(page: bytes) -> BoltHeader:
    """Return the head of a leaf or branch page. Raises `BoltDamageError`."""
    if len(page) < HEADER_BYTES:
        raise BoltDamageError("it is cut off")
    number, flags, count, overflow = _HEADER.unpack_from(page)
    if flags not in (_BRANCH_PAGE, _LEAF_PAGE):
        raise BoltDamageError("it is neither a leaf nor a branch")
    return BoltHeader(number, flags == _LEAF_PAGE, count, overflow)


def read_children(table: bytes) -> list[int]:
    """Return the pages below a branch page, from the table after its head."""
    return [child for _, _, child in _BRANCH.iter_unpack(table)]


def read_elements(table: bytes, size: int) -> list[BoltElement]:
    """Return the elements of a leaf page of `size` bytes, from the table after its head.

    Raises `BoltDamageError` where they overlap or leave the page: bbolt writes them one after
    the other, so that a page never holds more than its size.
    """
    elements = []
    free = HEADER_BYTES + len(table)
    start = HEADER_BYTES
    for flags, position, key_size, value_size in _LEAF.iter_unpack(table):
        key = start + position
        value = key + key_size
        end = value + value_size
        if key < free or end > size:
            raise BoltDamageError("its elements overlap or leave the page")
        if key_size > MAX_KEY_BYTES:
            raise BoltDamageError("it has a key longer than any")
        elements.append(BoltElement(bool(flags & _IS_BUCKET), key, value, end))
        free = end
        start += ELEMENT_BYTES
    return elements


def read_bucket(value: bytes) -> int:
    """Return the root page of a bucket, 0 for one whose only page follows in the value.

    Raises `BoltDamageError`.
    """
    if len(value) < _BUCKET.size:
        raise BoltDamageError("it has a bucket without a head")
    root: int = _BUCKET.unpack_from(value)[0]
    return root


BUCKET_BYTES: Final = _BUCKET.size
