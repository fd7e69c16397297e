"""The Merkle tree of RFC 9162 §2.1 (that of RFC 6962): hashes, growth, proofs.

A *leaf* here is always a leaf hash. A *node source* gives the root of any perfect subtree, so
a store may answer it from kept hashes of whole subtrees or from the leaves alone (`nodes_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

from meta_audit.errors import LedgerError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
"""Root of the tree of no leaves (RFC 9162 §2.1.1)."""

Nodes = Callable[[int, int], bytes]
"""`nodes(level, index)`: root of the perfect subtree over the `2**level` leaves that begin at
`index * 2**level`."""


def leaf_hash(entry: bytes) -> bytes:
    """Give HASH(0x00 || entry), 32 bytes (RFC 9162 §2.1.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Give HASH(0x01 || left || right), 32 bytes (RFC 9162 §2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def parents(nodes: Sequence[bytes]) -> list[bytes]:
    """Hash an even number of nodes of one level in pairs. The inner loop of everything here."""
    each = iter(nodes)
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(each, each, strict=True)]


class Tree:
    """A tree that grows at its right edge, kept as the roots of its perfect subtrees.

    `frontier` is those roots, largest subtree first, 32 bytes each and joined: one for each
    1 bit of `size`. The pair (size, frontier) is the whole state, so a store resumes from it
    without reading a leaf. Raises `LedgerError` when the two do not fit.
    """

    def __init__(self, size: int = 0, frontier: bytes = b"") -> None:
        if size < 0 or len(frontier) != size.bit_count() * HASH_BYTES:
            raise LedgerError(
                f"the frontier of a tree of {size} leaves is {len(frontier)} bytes long, not"
                f" {HASH_BYTES} for each 1 bit of the size",
                advice="rebuild the ledger's frontier from its leaves",
            )
        self._size = size
        self._peaks: list[bytes | None] = [None] * size.bit_length()
        """By level, from the leaves up; None where the size has a 0 bit."""
        end = len(frontier)
        for level in range(size.bit_length()):
            if size >> level & 1:
                self._peaks[level] = frontier[end - HASH_BYTES : end]
                end -= HASH_BYTES

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def frontier(self) -> bytes:
        """Roots of the perfect subtrees, largest first, joined."""
        return b"".join(peak for peak in reversed(self._peaks) if peak is not None)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order, one level of the tree at a time."""
        nodes = list(leaves)
        if not set(map(len, nodes)) <= {HASH_BYTES}:
            raise LedgerError(f"a leaf hash is not {HASH_BYTES} bytes long")
        self._size += len(nodes)
        level = 0
        while nodes:
            if level == len(self._peaks):
                self._peaks.append(None)
            peak = self._peaks[level]
            if peak is not None:
                nodes.insert(0, peak)
            self._peaks[level] = nodes.pop() if len(nodes) % 2 else None
            nodes = parents(nodes)
            level += 1

    def root(self) -> bytes:
        """Give the root hash over all leaves so far, 32 bytes."""
        return _fold([peak for peak in reversed(self._peaks) if peak is not None])


def _fold(subtrees: list[bytes]) -> bytes:
    """Join perfect subtrees, largest first, into the root above them (§2.1.1: MTH)."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees.pop()
    while subtrees:
        root = node_hash(subtrees.pop(), root)
    return root


def nodes_of(leaves: Sequence[bytes]) -> Nodes:
    """Give a node source over leaf hashes held in memory; nothing else is kept."""

    def node(level: int, index: int) -> bytes:
        nodes: Sequence[bytes] = leaves[index << level : (index + 1) << level]
        if len(nodes) != 1 << level:
            raise LedgerError(
                f"leaves {index << level} to {((index + 1) << level) - 1} are not all there"
            )
        while len(nodes) > 1:
            nodes = parents(nodes)
        return nodes[0]

    return node


def _range_root(nodes: Nodes, begin: int, end: int) -> bytes:
    """MTH(D[begin:end]) of a range that RFC 9162 splits off, so that it begins aligned."""
    subtrees = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        subtrees.append(nodes(level, begin >> level))
        begin += 1 << level
    return _fold(subtrees)


def _middle(begin: int, end: int) -> int:
    """Split two or more leaves at k, the largest power of two smaller than their number."""
    return begin + (1 << (end - begin - 1).bit_length() - 1)


def inclusion_proof(nodes: Nodes, index: int, size: int) -> tuple[bytes, ...]:
    """Give PATH(index, D_size) of RFC 9162 §2.1.3.1, from the leaf upwards."""
    if not 0 <= index < size:
        raise LedgerError(f"there is no leaf {index} in a tree of {size}")
    begin, end, path = 0, size, []
    while end - begin > 1:
        middle = _middle(begin, end)
        if index < middle:
            path.append(_range_root(nodes, middle, end))
            end = middle
        else:
            path.append(_range_root(nodes, begin, middle))
            begin = middle
    return tuple(reversed(path))


def consistency_proof(nodes: Nodes, old: int, new: int) -> tuple[bytes, ...]:
    """Give PROOF(old, D_new) of RFC 9162 §2.1.4.1; empty for `old == new`.

    An empty tree is consistent with every tree, and there is no proof of it.
    """
    if not 0 < old <= new:
        raise LedgerError(f"there is no consistency proof from {old} leaves to {new}")
    begin, end, path = 0, new, []
    while old != end:
        middle = _middle(begin, end)
        if old <= middle:
            path.append(_range_root(nodes, middle, end))
            end = middle
        else:
            path.append(_range_root(nodes, begin, middle))
            begin = middle
    if begin:  # The verifier knows the root of [0, old), not of the part of it found here.
        path.append(_range_root(nodes, begin, end))
    return tuple(reversed(path))
