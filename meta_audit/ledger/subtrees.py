"""Hash a large tree once for many proofs, in memory that is bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Final

from meta_audit.errors import LedgerError
from meta_audit.ledger.merkle import HASH_BYTES, Nodes, node_hash, parents

LEVELS: Final = 12
"""Leaves are read in blocks of 2**12."""
KEPT: Final = 128
"""Blocks that are kept, of 256 KiB each."""

Leaves = Callable[[int, int], Sequence[bytes]]
"""Gives the leaf hashes from an index to below another; fewer at the end."""


def block_nodes(leaves: Leaves) -> Nodes:
    """Give a node source that reads each leaf once, if proofs are made in the order of leaves."""

    @lru_cache(KEPT)
    def block(number: int) -> list[bytes]:
        """Return each level of a block as joined hashes, the leaves first."""
        level = list(leaves(number << LEVELS, number + 1 << LEVELS))
        joined = [b"".join(level)]
        while len(level) > 1:
            level = parents(level[: len(level) // 2 * 2])
            joined.append(b"".join(level))
        return joined

    @cache
    def top(level: int, index: int) -> bytes:
        if level == LEVELS:
            return within(level, index)
        return node_hash(top(level - 1, 2 * index), top(level - 1, 2 * index + 1))

    def within(level: int, index: int) -> bytes:
        number, place = divmod(index, 1 << LEVELS - level)
        levels, at = block(number), place * HASH_BYTES
        found = levels[level][at : at + HASH_BYTES] if level < len(levels) else b""
        if len(found) != HASH_BYTES:
            raise LedgerError(f"an entry after {index << level} is missing from the ledger")
        return found

    def node(level: int, index: int) -> bytes:
        return top(level, index) if level >= LEVELS else within(level, index)

    return node
