"""Checks of proofs about a range [start, end) of leaves, such as those of one import.

From draft-ietf-plants-merkle-tree-certs-04, "Subtrees" (§4). With `start` 0 and with a range
of one leaf they are the consistency and the inclusion proof of RFC 9162, which makes them a
second, independent way to check those. Each function raises `LedgerError` or returns None.
"""

from __future__ import annotations

from collections.abc import Sequence

from meta_audit.errors import LedgerError
from meta_audit.ledger.merkle import EMPTY_ROOT, node_hash
from meta_audit.ledger.merkle_proof import check_lengths, verify_inclusion


def check_range(start: int, end: int) -> None:
    """Refuse a range that is not a subtree (§4.1).

    It must hold a leaf and begin at a multiple of the smallest power of two that is not less
    than its length.
    """
    if not 0 <= start < end:
        raise LedgerError(f"[{start}, {end}) is not a range of leaves")
    if start % (1 << (end - start - 1).bit_length()):
        raise LedgerError(f"[{start}, {end}) is not a subtree: it does not begin aligned")


def verify_subtree_inclusion(
    leaf: bytes, index: int, start: int, end: int, *, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` is at `index` of the subtree [start, end) whose root is `root` (§4.3)."""
    check_range(start, end)
    verify_inclusion(leaf, index - start, end - start, proof, root)


def verify_subtree_consistency(
    start: int, end: int, size: int, *, subtree_root: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the subtree [start, end) is part of the tree (size, root) (§4.4.3).

    The empty range, which the draft leaves out, is part of every tree: its root is that of the
    empty tree and its proof is empty.
    """
    check_lengths(proof)
    if 0 <= start == end <= size:
        if proof or subtree_root != EMPTY_ROOT:
            raise LedgerError("an empty range has the root of the empty tree and no proof")
        return
    check_range(start, end)  # 1
    if end > size:
        raise LedgerError(f"[{start}, {end}) is beyond the tree of {size} leaves (§4.4.3 step 1)")
    path = list(proof)
    fn, sn, tn = start, end - 1, size - 1  # 2
    while fn != sn and (sn == tn or sn & 1):  # 3, 4
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    if fn == sn:  # 5
        if path:
            check_lengths((subtree_root,))
        fr = sr = subtree_root
    elif path:  # 6.2
        fr = sr = path.pop(0)
    else:  # 6.1
        raise LedgerError("the subtree consistency proof is empty (§4.4.3 step 6)")
    for c in path:  # 7
        if tn == 0:  # 7.1
            raise LedgerError("the subtree consistency proof is too long (§4.4.3 step 7)")
        if sn & 1 or sn == tn:  # 7.2
            if fn < sn:
                fr = node_hash(c, fr)
            sr = node_hash(c, sr)
            while not sn & 1:
                fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
        else:  # 7.3
            sr = node_hash(sr, c)
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1  # 7.4
    if tn or fr != subtree_root or sr != root:  # 8
        raise LedgerError("the subtree consistency proof does not hold (§4.4.3 step 8)")
