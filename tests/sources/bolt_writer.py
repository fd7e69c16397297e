"""Write BoltDB files, small or wrong: what a test says, and nothing that bbolt would check."""

from __future__ import annotations

import struct
from typing import TypeAlias

from meta_audit.sources.bolt.bolt_pages import fnv64a

Tree: TypeAlias = "dict[bytes, bytes | Tree]"
PAGE = 4096


class BoltWriter:
    """A file of pages. The newest transaction is `transaction`."""

    def __init__(self, tree: Tree, *, transaction: int = 7, fill: int = 2048) -> None:
        self.pages: list[bytes] = [b"", b"", bytes(PAGE)]
        self._fill = fill
        self.root = self._bucket(tree)
        self.transaction = transaction

    def bytes(self) -> bytes:
        """Return the file: two meta pages, then the others; the older one has no root."""
        high_water = len(self.pages)
        first = meta(self.root, high_water, self.transaction)
        older = meta(2, high_water, self.transaction - 1)
        pages = [first, older] if self.transaction % 2 == 0 else [older, first]
        return b"".join([*pages, *self.pages[2:]])

    def _bucket(self, tree: Tree) -> int:
        """Write a bucket, and return its root page."""
        level = [
            (keys[0][1], self._page(2, leaf(keys)))
            for keys in self._split(sorted(self._pairs(tree), key=lambda pair: pair[1]))
        ]
        while len(level) > 1:
            level = [
                (some[0][0], self._page(1, branch(some)))
                for some in (level[n : n + 3] for n in range(0, len(level), 3))
            ]
        return level[0][1]

    def _pairs(self, tree: Tree) -> list[tuple[int, bytes, bytes]]:
        pairs = []
        for key, value in tree.items():
            if isinstance(value, bytes):
                pairs.append((0, key, value))
                continue
            inline = leaf([(0, k, v) for k, v in sorted(value.items()) if isinstance(v, bytes)])
            if len(inline[1]) < 800 and all(isinstance(v, bytes) for v in value.values()):
                page = struct.pack("<QHHI", 0, 2, inline[0], 0) + inline[1]
                pairs.append((1, key, struct.pack("<QQ", 0, 0) + page))
            else:
                pairs.append((1, key, struct.pack("<QQ", self._bucket(value), 0)))
        return pairs

    def _split(self, pairs: list[tuple[int, bytes, bytes]]) -> list[list[tuple[int, bytes, bytes]]]:
        pages: list[list[tuple[int, bytes, bytes]]] = [[]]
        size = 0
        for pair in pairs:
            if pages[-1] and size > self._fill:
                pages.append([])
                size = 0
            pages[-1].append(pair)
            size += 16 + len(pair[1]) + len(pair[2])
        return pages

    def _page(self, flags: int, content: tuple[int, bytes]) -> int:
        count, data = content
        number = len(self.pages)
        size = 16 + len(data)
        overflow = -(-size // PAGE) - 1
        page = struct.pack("<QHHI", number, flags, count, overflow) + data
        page += bytes((overflow + 1) * PAGE - size)
        self.pages += [page[at : at + PAGE] for at in range(0, len(page), PAGE)]
        return number


def meta(root: int, high_water: int, transaction: int, number: int = 0) -> bytes:
    """Return a meta page."""
    content = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, root, 0, 2, high_water, transaction)
    page = struct.pack("<QHHI", number, 4, 0, 0) + content + struct.pack("<Q", fnv64a(content))
    return page.ljust(PAGE, b"\0")


def leaf(pairs: list[tuple[int, bytes, bytes]]) -> tuple[int, bytes]:
    """Return the number of elements of a leaf page, and its content."""
    table, data = b"", b""
    for n, (flags, key, value) in enumerate(pairs):
        position = 16 * (len(pairs) - n) + len(data)
        table += struct.pack("<IIII", flags, position, len(key), len(value))
        data += key + value
    return len(pairs), table + data


def branch(children: list[tuple[bytes, int]]) -> tuple[int, bytes]:
    """Return the number of elements of a branch page, and its content."""
    table, data = b"", b""
    for n, (key, number) in enumerate(children):
        position = 16 * (len(children) - n) + len(data)
        table += struct.pack("<IIQ", position, len(key), number)
        data += key
    return len(children), table + data
